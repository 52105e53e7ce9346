"""What other versions and models have answered about records, beside the answer that is saved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from common.ledger.apart import names
from common.ledger.ledger_database import LedgerDatabase
from common.ledger.tries import AnsweredRecord, Tries

_TOGETHER = 2_000  # rows that are in memory at once


@dataclass(frozen=True)
class Asked:
    """What a request asked: which model, by which version of the job."""

    model: str
    version: str


class OtherAnswers:
    """The answers of one job that stand apart: of --try, --eval and a second model."""

    def __init__(self, file: LedgerDatabase, job: str) -> None:
        self._db = file.db
        self._tries = Tries(file, job)
        # Each of them was asked for by name, so that they are few beside all that is done.
        self._names_of: defaultdict[str, list[str]] = defaultdict(list)
        for name in names(self._db, job)[1:]:
            for record_id in self._done(name):
                self._names_of[record_id].append(name)

    def about(self, record_ids: Collection[str]) -> dict[str, list[AnsweredRecord]]:
        """The answers about these records that are of use, by record id."""
        found: defaultdict[str, list[AnsweredRecord]] = defaultdict(list)
        wanted: defaultdict[str, list[str]] = defaultdict(list)
        for record_id in record_ids:
            for name in self._names_of.get(record_id, ()):
                wanted[name].append(record_id)
        for name, ids in wanted.items():
            for record_id, answer in self._tries.records(name, ids).items():
                found[record_id].append(answer)
        return found

    def asked(self, request_id: str) -> Asked:
        """What a request asked."""
        row = self._db.execute(
            "select model, coalesce(version, '') from requests where request_id = ?", (request_id,)
        ).fetchone()
        return Asked(*row) if row else Asked("", "")

    def _done(self, name: str) -> Iterator[str]:
        last = ""
        while rows := self._db.execute(
            "select record_id from records where job = ? and status = 'done'"
            f" and output is not null and record_id > ? order by record_id limit {_TOGETHER}",
            (name, last),
        ).fetchall():
            yield from (record_id for (record_id,) in rows)
            last = rows[-1][0]
