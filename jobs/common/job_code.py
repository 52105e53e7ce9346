"""Calls the job's own functions: show(), prepare(), note(), save() and validators.

Whatever one of them raises is the fault of the record that it was called for, and makes that record
a dead letter. Where it is so for three records in a row it is the job's fault: the run ends, and
none of them is blamed. Where one of them ends the process, its mark tells the next run of which
record.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from common.claude.code_faults import CodeError, ends_the_run, raised
from common.claude.faults import Fault
from common.ledger.dead_letters import DeadLetters
from common.ledger.states import RecordStatus
from common.process import exits
from common.process.database_errors import errors, is_about_the_statement, remedy_for_tables
from common.process.exits import JobExit
from common.process.log import brief, log
from common.process.mark import Mark
from common.tally import Tally

IN_A_ROW = 3
SAVE = "save()"
VALIDATOR = "a validator"
DUMP = "model_dump_json()"
NOBODYS = "No record is blamed, and the answers that are paid for wait"
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)

P = ParamSpec("P")
T = TypeVar("T")


class JobCode:
    """The functions of one job, as one run calls them."""

    def __init__(self, job: str, dead_letters: DeadLetters, tally: Tally, mark: Mark) -> None:
        self._job = job
        self._dead_letters = dead_letters
        self._tally = tally
        self._mark = mark
        self._rows: dict[str, list[tuple[str, Fault]]] = {}  # failures in a row, by function

    def call(
        self,
        function: str,
        record_ids: Sequence[str],
        call: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call one of the job's functions for these records; `function` is its name in messages.

        Raises CodeError for what it raises; JobExit where the disk is to blame, or a database that
        it opened itself.
        """
        self._mark.set(function, record_ids)
        try:
            return call(*args, **kwargs)
        except CodeError:
            raise
        except errors() as error:
            if not is_about_the_statement(error):
                what = raised(function, error).reason
                raise JobExit(exits.UNREACHABLE, f"{what}. {NOBODYS}") from error
            if remedy := remedy_for_tables(error):
                what = raised(function, error).reason
                raise JobExit(exits.SETTINGS, f"{what}: {remedy}. {NOBODYS}") from error
            raise CodeError(raised(function, error)) from error
        except BaseException as error:  # some packages raise what is no Exception
            if ends_the_run(error):
                raise
            if isinstance(error, OSError) and error.errno in _DISK:
                what = f"{function} could not write: {error.strerror}"
                raise JobExit(exits.CANNOT_WRITE, what) from error
            raise CodeError(raised(function, error)) from error
        finally:
            self._mark.clear()

    @contextmanager
    def at_work(self, function: str, record_ids: Sequence[str], deaths: int = 0) -> Iterator[None]:
        """Mark what the process is doing, for the next run, should it die of it: see Mark.set."""
        self._mark.set(function, record_ids, deaths)
        try:
            yield
        finally:
            self._mark.clear()

    def one_by_one(self, function: str, works: Iterable[tuple[str, Callable[[], object]]]) -> None:
        """Do one piece of work after another, each marked as the record's that it comes with."""
        try:
            for record_id, work in works:
                self._mark.set(function, (record_id,))
                work()
        finally:
            self._mark.clear()

    def worked(self, function: str) -> None:
        """A function did its work for a record: no failures in a row any more."""
        self._rows.pop(function, None)

    def failed(self, function: str, record_id: str, fault: Fault) -> None:
        """A function failed for a record. Raises JobExit (78) for the third record in a row."""
        row = self._rows.setdefault(function, [])
        if row and row[-1][1].place != fault.place:
            row.clear()
        # One that was asked again after its stored answer had failed is still one record.
        row[:] = [one for one in row if one[0] != record_id]
        row.append((record_id, fault))
        if len(row) < IN_A_ROW:
            return
        where = f"record {brief(record_id)}, as for the {IN_A_ROW - 1} before it"
        mend = f"mend jobs/{self._job}.py. {NOBODYS}"
        raise JobExit(exits.SETTINGS, f"{fault.reason} for {where}: {mend}")

    def bury(self, function: str, record_id: str, fault: Fault) -> None:
        """A function failed for a record that was not sent: it is a dead letter.

        Raises JobExit (78) for the third record in a row.
        """
        try:
            self.failed(function, record_id, fault)
        except JobExit:
            self.take_back(function, RecordStatus.WAITING)
            raise
        with self._dead_letters.transaction():
            self._dead_letters.bury(record_id, fault.reason)
        self._tally.died(record_id, fault.reason)
        log.error("record %s is a dead letter: %s", brief(record_id), fault.reason)

    def take_back(self, function: str, status: RecordStatus) -> None:
        """Records that a function failed for in a row are no dead letters: it was the job."""
        record_ids = [record_id for record_id, _ in self._rows.get(function, [])]
        with self._dead_letters.transaction():
            self._dead_letters.take_back(record_ids, status)
        self._tally.take_back(record_ids)
