"""What a job would send about its first records: show(), the envelope and the schema, really made.

Nothing is sent, and neither prepare() nor note() is called.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from types import FrameType
from typing import Any, NoReturn

from common import times
from common.claude.code_faults import CodeError, raised
from common.claude.envelope import Shown
from common.claude.models_api import Model
from common.claude.request import ask_about
from common.job import Job, Record
from common.job_code import IN_A_ROW
from common.process.exits import JobExit
from common.process.log import brief, shortened
from common.records.preparing import SHOW
from common.settings import DEFAULT_MODEL
from common.source.source_database import SourceDatabase
from ops.examination.lines import Line, fail, warn

_SECONDS = 5


def check(subject: str, job: Job, database: SourceDatabase) -> Iterator[Line]:
    """What is wrong with them; nothing where all is well, or where there is no record.

    Raises JobExit as a run would for their rows.
    """
    remedy = f"mend jobs/{job.name}.py"
    records = _first(job, database)
    faults = {record["record_id"]: _fault(job, record) for record in records}
    found = [(record_id, reason) for record_id, reason in faults.items() if reason]
    # What prepare() would have brought along may be all that is missing.
    if found and job.prepare is None:
        record_id, reason = found[-1]
        text = f"{reason} for record {brief(record_id)}"
        if len(found) == len(faults):
            yield fail(subject, f"{text}, as for all {len(found)} that were looked at", remedy)
        else:
            yield warn(subject, f"{text}, which would be a dead letter", remedy)
    try:
        ask_about(job, Model(DEFAULT_MODEL), [])
    except (TypeError, ValueError, KeyError) as error:
        what = f"the schema of {job.output.__name__} cannot be made: {shortened(str(error))}"
        yield fail(subject, what, remedy)


class _TooLong(Exception):
    """The first rows are too long in coming: whoever asks doctor waits for an answer."""


def _first(job: Job, database: SourceDatabase) -> list[Record]:
    """The first records; none where their SELECT takes long, as one that sorts a large table.

    Raises JobExit as a run would for these rows.
    """
    until = time.monotonic() + _SECONDS
    rows = database.select(job.select, times.ALL_OF_TIME if job.has_window else {})
    try:
        with _briefly(database.connection, until), closing(rows):  # type: ignore[type-var]
            return [*islice(rows, IN_A_ROW)]
    except _TooLong:
        return []
    except JobExit:
        if time.monotonic() > until:
            return []
        raise


@contextmanager
def _briefly(connection: Any, until: float) -> Iterator[None]:
    """Raises _TooLong once it is that late, or lets SQLite say that it was interrupted."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(_SECONDS + 1)
    watches = getattr(connection, "set_progress_handler", lambda *_: None)
    watches(lambda: time.monotonic() > until, 10_000)
    try:
        yield
    finally:
        watches(None, 0)
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _fault(job: Job, record: Record) -> str:
    """Why a record cannot be shown, "" where it can."""
    try:
        Shown(job, record)
    except CodeError as error:
        return error.fault.reason
    except JobExit as error:
        return error.message
    except Exception as error:
        return raised(SHOW, error).reason
    return ""
