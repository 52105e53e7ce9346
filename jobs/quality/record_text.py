"""A record's text for a person, as the job shows it to Claude."""

from __future__ import annotations

from copy import copy

from common.claude.code_faults import ends_the_run
from common.job import Job, Record


def text_of(job: Job, record: Record) -> str:
    """The text of a record; "" where that cannot be told."""
    try:
        return str(job.show(copy(record)))
    except BaseException as error:  # show() is the job's own, and may want what prepare() adds
        if ends_the_run(error):
            raise
        return ""
