"""Which records of a job were erased. Nothing asks about them again, and what an answer that comes
late says about them is not kept.

A record is erased by `./run_job.sh prune --record`, under the job's lock.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property

from common.ledger.apart import job_of
from common.ledger.erasure.other_parts import ERASED, without
from common.ledger.ledger_database import Statements
from common.ledger.lookup import looked_up
from common.ledger.set_aside import Answer
from common.ledger.states import RecordState


class ErasedRecords:
    """The erased records of one job, as its ledger has them when a run first asks."""

    def __init__(self, db: Statements, name: str) -> None:
        """`name` is the job's, or one under which answers of it stand apart."""
        self._db = db
        self._name = name
        self._job = job_of(name)

    @cached_property
    def ids(self) -> set[str]:
        """Their ids. Only who holds the job's lock makes more of them."""
        rows = self._db.execute(
            # The first condition is that of the partial index which answers it: see ledger.sql.
            "select record_id from records where job = ?"
            " and status in ('failed', 'waiting', 'dead') and status = 'dead' and error = ?",
            (self._job, ERASED),
        )
        return {record_id for (record_id,) in rows}

    def apart(self, record_ids: Sequence[str]) -> dict[str, RecordState]:
        """Where answers stand apart: the states of those of these records that were erased."""
        if self._name == self._job:
            return {}
        return looked_up(self._db, self._job, [one for one in record_ids if one in self.ids])

    def left_of(self, answers: Sequence[Answer]) -> Sequence[Answer]:
        """The same answers, without what they say about erased records."""
        return [self._left_of(one) for one in answers] if self.ids else answers

    def _left_of(self, answer: Answer) -> Answer:
        row = self._db.execute(
            "select record_ids from requests where request_id = ?", (answer.request_id,)
        ).fetchone()
        # An answer may be about some of its request's records alone, and names them by their places
        # among all of them.
        asked: list[str] = json.loads(row[0]) if row else []
        if self.ids.isdisjoint(asked):
            return answer
        left = [one for one in answer.record_ids if one not in self.ids]
        text = without(answer.text.encode(), asked, self.ids)
        return answer._replace(text=text, record_ids=left)
