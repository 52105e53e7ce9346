"""Which records a person had better look at: those given up on, those in doubt, and some of the
others, by which one can tell how good these are.

One pass over the SELECT, a few hundred records at a time: no more than the file's rows are held.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import blake2b
from itertools import islice
from typing import Any

from common.context import Context
from common.job import Record
from common.ledger.erasure.other_parts import ERASED
from common.ledger.states import RecordStatus
from common.ledger.tries import AnsweredRecord, Tries
from ops.ledger.other_answers import OtherAnswers
from ops.reviewing import differences
from quality.fields import RUNNER_UP, Field, comparable, fields_of, shown
from quality.record_text import text_of
from quality.sample import everything

ONE_IN = 50  # of the records that nothing speaks against
_TOGETHER = 500  # records
_LONGEST = 500  # characters of a reason


class Group(IntEnum):
    """Why a record is in the file; the first one that is true counts."""

    DEAD = 0
    RUNNER_UP = 1
    DIFFERS = 2
    RANDOM = 3


@dataclass(frozen=True)
class Doubtful:
    """A record to be looked at."""

    place: int  # in the SELECT
    record_id: str
    text: str
    output: dict[str, Any]
    why: str


@dataclass
class Chosen:
    """The rows of a review file, and what there is besides."""

    rows: list[tuple[Group, Doubtful]] = field(default_factory=list)
    of: dict[Group, int] = field(default_factory=lambda: dict.fromkeys(Group, 0))
    done: int = 0  # records of the SELECT that are done with an output, or corrected
    forgotten: int = 0  # that are done, and whose output `prune` has forgotten
    corrected: int = 0

    def count(self, group: Group) -> int:
        """How many rows of a group there are."""
        return sum(one is group for one, _ in self.rows)


class _Smallest:
    """Of all that it is given, the few whose hashes are the smallest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[int, int, Doubtful]] = []
        self._ids: set[str] = set()

    def offer(self, number: int, place: int, record_id: str, make: Callable[[], Doubtful]) -> None:
        """Keep what `make` gives of a record, if it is one of them. Its first row counts."""
        if record_id in self._ids:
            return
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, (-number, place, make()))
        elif -number > self._heap[0][0]:
            *_, last = heapq.heapreplace(self._heap, (-number, place, make()))
            self._ids.discard(last.record_id)
        else:
            return
        self._ids.add(record_id)

    def best(self, count: int) -> list[Doubtful]:
        """That many with the smallest hashes, in the order of the SELECT."""
        found = [one for _, _, one in heapq.nlargest(count, self._heap)]
        return sorted(found, key=lambda one: one.place)


class Choice:
    """Chooses records of one job."""

    def __init__(self, context: Context, most: int) -> None:
        """`most`: how many rows the file has at most."""
        self._context = context
        self._most = most
        self._fields = fields_of(context.job.output)
        self._compared = differences.compared(self._fields)
        self._runner_up = next((one for one in self._fields if one.name == RUNNER_UP), None)
        database = context.ledger.database
        self._tries = Tries(database, context.job.name)
        self._others = OtherAnswers(database, context.job.name)

    @property
    def fields(self) -> list[Field]:
        """The fields of the job's output."""
        return self._fields

    def choose(self) -> Chosen:
        """The rows, in the order of the groups. Raises JobExit as a SELECT does."""
        chosen = Chosen()
        kept = {group: _Smallest(self._most) for group in Group}
        for place, (record, state) in enumerate(self._with_answer(chosen)):
            self._sort(place, record, state, chosen, kept)
        for group in Group:
            best = kept[group].best(self._most - len(chosen.rows))
            chosen.rows += [(group, one) for one in best]
        return chosen

    def _with_answer(
        self, chosen: Chosen
    ) -> Iterator[tuple[Record, tuple[AnsweredRecord, list[AnsweredRecord]]]]:
        """Each record of the SELECT that may be in the file, with its answer and the others."""
        stream = everything(self._context)
        while group := list(islice(stream, _TOGETHER)):
            ids = [record["record_id"] for record in group]
            answers = self._tries.records(self._context.job.name, ids)
            done = [key for key in ids if key in answers and _is_done(answers[key])]
            corrected = sum(one.status is RecordStatus.CORRECTED for one in answers.values())
            chosen.corrected += corrected
            chosen.done += len(done) + corrected
            all_done = sum(one.status is RecordStatus.DONE for one in answers.values())
            chosen.forgotten += all_done - len(done)
            others = self._others.about(done)
            for record in group:
                if answer := answers.get(record["record_id"]):
                    yield record, (answer, others.get(answer.record_id, []))

    def _sort(
        self,
        place: int,
        record: Record,
        answers: tuple[AnsweredRecord, list[AnsweredRecord]],
        chosen: Chosen,
        kept: dict[Group, _Smallest],
    ) -> None:
        answer, others = answers
        if answer.error == ERASED:
            return
        if answer.status is RecordStatus.DEAD:
            group, why, output = Group.DEAD, f"dead letter: {answer.error[:_LONGEST]}", {}
        elif _is_done(answer):
            output = json.loads(answer.output)
            group, why = self._doubt(answer, output, others)
        else:
            return
        number = _hash(answer.record_id)
        if group is Group.RANDOM and number % ONE_IN:
            return
        chosen.of[group] += 1

        def make() -> Doubtful:
            text = text_of(self._context.job, record)
            return Doubtful(place, answer.record_id, text, output, why)

        kept[group].offer(number, place, answer.record_id, make)

    def _doubt(
        self, answer: AnsweredRecord, output: dict[str, Any], others: Sequence[AnsweredRecord]
    ) -> tuple[Group, str]:
        if self._runner_up and comparable(value := self._runner_up.of(output)) is not None:
            return Group.RUNNER_UP, f"runner-up: {shown(value)}"
        differing = [
            (other, json.loads(other.output))
            for other in others
            if other.status is RecordStatus.DONE and other.output
        ]
        differing = [
            (other, theirs)
            for other, theirs in differing
            if any(differences.differ(one, output, theirs) for one in self._compared)
        ]
        if differing:
            asked = [
                (self._others.asked(one.request_id), theirs)
                for one, theirs in [(answer, output), *differing]
            ]
            return Group.DIFFERS, f"differs: {differences.in_words(self._compared, asked)}"
        return Group.RANDOM, "random"


def _is_done(answer: AnsweredRecord) -> bool:
    """Whether it has an output to look at: `prune` forgets old ones."""
    return answer.status is RecordStatus.DONE and bool(answer.output)


def _hash(record_id: str) -> int:
    data = record_id.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest())
