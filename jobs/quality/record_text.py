"""A record's text for a person, as the job shows it to Claude."""

from __future__ import annotations

from copy import copy

from common.claude.code_faults import ends_the_run, raised
from common.job import Job, Record
from common.process import exits
from common.process.database_errors import errors, is_about_the_statement
from common.process.exits import JobExit
from common.records.preparing import SHOW


def text_of(job: Job, record: Record) -> str:
    """What the job shows of a record; "" where show() fails, or gives no text.

    It fails where it wants what prepare() adds: nothing is prepared to be looked at. Raises JobExit
    (69) where it reads a database that cannot be had.
    """
    try:
        shown = job.show(copy(record))
    except errors() as error:
        if is_about_the_statement(error):
            return ""
        raise JobExit(exits.UNREACHABLE, raised(SHOW, error).reason) from error
    except BaseException as error:  # some packages raise what is no Exception
        if ends_the_run(error):
            raise
        return ""
    return shown if isinstance(shown, str) else ""
