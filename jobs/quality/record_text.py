"""A record's text for a person, as the job shows it to Claude."""

from __future__ import annotations

from copy import copy

from common.claude.code_faults import ends_the_run
from common.job import Job, Record


def text_of(job: Job, record: Record) -> str:
    """What the job shows of a record; "" where show() fails, or gives no text.

    It fails where it wants what prepare() adds: nothing is prepared to be looked at.
    """
    try:
        shown = job.show(copy(record))
    except BaseException as error:  # some packages raise what is no Exception
        if ends_the_run(error):
            raise
        return ""
    return shown if isinstance(shown, str) else ""
