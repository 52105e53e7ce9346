"""How much room answers get near a cost cap: what this job's answers needed before, and some more.

max_tokens is reserved whole, and the usual one is what an answer can need at the very most. Where
a lower one cuts an answer off, the usual one is asked for: see triage.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import ceil, sqrt

from common.claude.request import THINKING_TOKENS, Request
from common.context import Context
from common.process.log import log

Answer = tuple[int, int]  # records, output tokens

LEAST_RECORDS = 200  # that answers have to be about, before anything is learned from them
_NEWS = 50  # records done, after which it is worth another look whether enough is known
_MOST_ANSWERS = 3_000  # the newest ones
_SHARE = 0.999  # of the answers would have had enough
_ROOM_FOR_ONE = 4  # tokens that are never too many
_CUT_OFF = 3  # answers of a run, after which it has learned that the lower room is too little


def room_for(records: int, own: Sequence[Answer], older: Sequence[Answer]) -> int | None:
    """Tokens for an answer about so many records; None where too little is known.

    `own`: answers of this version of the job, `older`: of others. What others needed counts only
    where an answer of this version says that it needs no more.
    """
    mine, theirs = _alike(records, own), _alike(records, older)
    if _about(mine) >= LEAST_RECORDS:
        most = _needed(mine)
    elif mine and _about(mine + theirs) >= LEAST_RECORDS:
        most = max(_needed(mine), _needed(mine + theirs))
    else:
        return None
    return ceil(most * records) + _ROOM_FOR_ONE


def _alike(records: int, answers: Sequence[Answer]) -> list[Answer]:
    """Those about half to twice as many records: what one record needs varies more than fifty."""
    return [answer for answer in answers if records <= 2 * answer[0] and answer[0] <= 2 * records]


def _about(answers: Sequence[Answer]) -> int:
    return sum(records for records, _ in answers)


def _needed(answers: Sequence[Answer]) -> float:
    """Tokens for each record: what 99.9 % of the answers needed, and more, the fewer they are: a
    quarter after four about fifty records each, a hundredth after ten thousand about one each.
    """
    each = sorted(tokens / records for records, tokens in answers)
    more = min(1 / sqrt(len(each)), 4 / sqrt(_about(answers)))
    return each[ceil(_SHARE * len(each)) - 1] * (1 + more)


class Rooms:
    """Lowers max_tokens of a run's requests."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._rooms: dict[int, int | None] = {}
        self._cut_off = 0
        self._done = 0  # records of this run, when the answers were read last

    @cached_property
    def _answers(self) -> tuple[list[Answer], list[Answer]]:
        """The last answers to this version of the job, and to others."""
        answers: dict[bool, list[Answer]] = {True: [], False: []}
        found = self._context.runs.answers(self._context.model, _MOST_ANSWERS)
        for version, records, tokens in found:
            answers[version == self._context.version].append((records, tokens))
        return answers[True], answers[False]

    def look_again(self) -> None:
        """The ledger holds more answers now."""
        self.__dict__.pop("_answers", None)
        self._rooms.clear()
        self._done = self._context.tally.done

    def lower(self, request: Request) -> bool:
        """Lower max_tokens of a request that was not asked before; False where it stays.

        A model that thinks keeps its room for that.
        """
        records = len(request.records)
        if not records or request.full_room or request.lowered or self._cut_off >= _CUT_OFF:
            return False
        if not self._rooms.get(records) and self._context.tally.done >= self._done + _NEWS:
            self.look_again()
        if records not in self._rooms:
            self._rooms[records] = room_for(records, *self._answers)
        room = self._rooms[records] or request.params["max_tokens"]
        room += THINKING_TOKENS if self._context.claude.model.thinks else 0
        if room < request.params["max_tokens"]:
            request.lower(room)
        return request.lowered

    def lacking(self, records: int) -> int:
        """How many answers about so many records are lacking until something is known of them."""
        lacking = LEAST_RECORDS - _about(_alike(records, self._answers[0]))
        return 0 if room_for(records, *self._answers) else ceil(lacking / records)

    def too_small(self) -> None:
        """An answer did not fit into the lowered room."""
        self._cut_off += 1
        if self._cut_off == _CUT_OFF:
            log.warning("answers are longer than before: each gets its usual room again")
