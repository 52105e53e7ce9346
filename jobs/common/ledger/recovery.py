"""What a run that died leaves behind: requests in flight, and a mark of what it was doing.

A record can take the process down with it, and must not do so for ever. `crashes` says how sure
that is: 1 for a suspect, which was in flight in a run that died, perhaps beside others; one more
for each death at which it was a suspect already and alone in flight, or at which one of the job's
functions was at work on it. A kill from outside makes suspects, and hardly ever more.
"""

from __future__ import annotations

from common import times
from common.ledger.apart import job_of
from common.ledger.dead_letters import DeadLetters
from common.ledger.ledger import Ledger
from common.ledger.ledger_database import LedgerDatabase
from common.ledger.set_aside import Answer, left_aside
from common.ledger.states import RecordState, RecordStatus, RequestStatus
from common.process.log import log
from common.process.mark import Doing, Mark
from common.process.words import counted

DEATHS = 3  # at which a record was surely alone, before it is given up on
_GIVEN_UP = 1 + DEATHS  # crashes


class Recovery:
    """Takes up what dead runs of one job left. The caller holds the job's lock."""

    def __init__(
        self, file: LedgerDatabase, ledger: Ledger, dead_letters: DeadLetters, mark: Mark
    ) -> None:
        self._db = file.db
        self._ledger = ledger
        self._dead_letters = dead_letters
        self._mark = mark
        self.died_at: Doing | None = None  # what the mark said

    def take_up(self) -> tuple[int, list[RecordState]]:
        """The number of requests that were in flight and wait now, and the records given up on."""
        ledger = self._ledger
        self._take_up_answers()
        doing = self.died_at = self._mark.left()
        with ledger.transaction():
            requests = list(ledger.in_flight())
            for request in requests:
                ledger.lost(request.request_id, request.record_ids)
            record_ids = [record_id for request in requests for record_id in request.record_ids]
            if not doing:  # else the run died of that function, and no request is a suspect
                self._count(record_ids, alone=len(record_ids) == 1)
            given_up = self._give_up(record_ids, f"alone in flight in {DEATHS} runs that died")
            if doing:
                self._make(doing.record_ids)
                alone = len(doing.record_ids) == 1
                if alone:  # the mark names the culprit: it counts from the first death on
                    self._count(doing.record_ids, alone=False)
                else:
                    self._ask_again(doing)
                self._count(doing.record_ids, alone=alone)
                reason = f"{doing.function} ended the process in {DEATHS} runs"
                given_up += self._give_up(doing.record_ids, reason)
        self._mark.clear()
        return len(requests), given_up

    def _take_up_answers(self) -> None:
        """Put answers that a run had to set aside into the ledger."""
        if not (path := self._ledger.aside) or not (answers := left_aside(path)):
            return
        with self._ledger.transaction():
            news = sum([self._is_news(answer) for answer in answers])
        path.unlink()
        log.info("%s of %s put into the ledger", counted(news, "answer"), path)

    def _is_news(self, late: Answer) -> bool:
        """Keep an answer, unless it is there already. It is for records not asked again since."""
        lacks = "select job from requests where request_id = ? and answer is null"
        row = self._db.execute(lacks, (late.request_id,)).fetchone()
        if row is None or job_of(row[0]) != job_of(self._ledger.job):
            return False
        ledger = Ledger(self._ledger.database, row[0], self._ledger.run_id)
        waiting = [
            state.record_id
            for state in ledger.states(late.record_ids).values()
            if state.request_id == late.request_id
            and state.status in (RecordStatus.SUBMITTED, RecordStatus.WAITING)
        ]
        ledger.answered([late._replace(record_ids=waiting)])
        if late.record_ids and not waiting:
            reason = "its answer came when its records had been asked again"
            ledger.closed([late.request_id], RequestStatus.FAILED, reason)
        return True

    def _make(self, record_ids: tuple[str, ...]) -> None:
        now = times.stamp()
        self._db.executemany(
            "insert into records (job, record_id, status, updated_at) values (?, ?, 'waiting', ?)"
            " on conflict do nothing",
            [(self._ledger.job, record_id, now) for record_id in record_ids],
        )

    def _ask_again(self, doing: Doing) -> None:
        """Records whose one answer the process died of are asked again, in smaller chunks."""
        states = self._ledger.states(doing.record_ids).values()
        answered = [state for state in states if state.status is RecordStatus.ANSWERED]
        reason = f"{doing.function} ended the process"
        request_ids = {state.request_id for state in answered}
        self._ledger.closed(request_ids, RequestStatus.FAILED, reason)
        self._db.executemany(
            "update records set status = 'waiting' where job = ? and record_id = ?",
            [(self._ledger.job, state.record_id) for state in answered],
        )

    def _count(self, record_ids: list[str] | tuple[str, ...], *, alone: bool) -> None:
        self._db.executemany(
            "update records set crashes = case when crashes > 0 and ? then crashes + 1"
            " when crashes > 1 then crashes else 1 end where job = ? and record_id = ?",
            [(alone, self._ledger.job, record_id) for record_id in record_ids],
        )

    def _give_up(self, record_ids: list[str] | tuple[str, ...], reason: str) -> list[RecordState]:
        states = self._ledger.states(record_ids).values()
        given_up = [
            state
            for state in states
            if state.crashes >= _GIVEN_UP and state.status is not RecordStatus.DEAD
        ]
        for state in given_up:
            self._dead_letters.bury(state.record_id, reason)
            if state.status is RecordStatus.ANSWERED:
                self._close_without(state, reason)
        return [*self._ledger.states([state.record_id for state in given_up]).values()]

    def _close_without(self, state: RecordState, reason: str) -> None:
        """Close an answer whose last unsaved record was given up on."""
        stored = self._ledger.request(state.request_id)
        others = self._ledger.states(stored.record_ids).values() if stored else ()
        if not any(
            other.status is RecordStatus.ANSWERED and other.request_id == state.request_id
            for other in others
        ):
            self._ledger.closed([state.request_id], RequestStatus.FAILED, reason)
