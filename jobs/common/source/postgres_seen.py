"""What within() has met on a server: it is asked, and only where somebody wants to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo

from common import times
from common.process.log import shortened
from common.source.postgres_times import (
    as_text,
    in_order,
    is_number,
    is_plain,
    is_text,
    seconds,
    unreadable,
)
from common.source.times_seen import TimesSeen
from common.source.within_calls import Call, Standing

_SETTING = "claude_batch_jobs"  # what a transaction remembers; PostgreSQL takes any such name
_NAMES = ("example", "newest", "value", "plain")
# Before a SELECT in which each call of within() is what `remembering` gives, and after it.
FORGOTTEN = "; ".join(
    f"select set_config('{_SETTING}.{name}', '{value}', true)"
    for name, value in {**dict.fromkeys(_NAMES, ""), "newest": "-1e30"}.items()
)
REMEMBERED = "select " + ", ".join(f"current_setting('{_SETTING}.{name}')" for name in _NAMES)


def counting(kinds: list[int], what: Callable[[int, str], str]) -> Standing:
    """What stands for each call where the rows are counted for whose value `what` is true."""
    return lambda number, call: what(kinds[number], call.value)


def remembering(kinds: list[int]) -> Standing:
    """What stands for each call where the newest value is wanted, and an example of no time.

    It is true for no row: the transaction's settings hold what was found.
    """

    def stands_for(number: int, call: Call) -> str:
        text = f"coalesce('v' || left({as_text(kinds[number], call.value)}, 200), 'n')"

        def put(name: str, value: str) -> str:
            return f"set_config('{_SETTING}.{name}', {value}, true)"

        def got(name: str, kind: str) -> str:
            return f"current_setting('{_SETTING}.{name}')::{kind}"

        any_form = (
            f"(select case when at is null then {put('example', 'text')}"
            f" when at > {got('newest', 'numeric')}"
            f" then {put('newest', 'at::text')} || {put('value', 'text')} else '' end = chr(1)"
            f" from (select {seconds(kinds[number], call.value)} as at, {text} as text offset 0) v)"
        )
        if not is_text(kinds[number]):
            return any_form
        plain = as_text(kinds[number], call.value)
        newer = f"{in_order(plain)} > {in_order(got('plain', 'text'))}"
        return (
            f"(case when {is_plain(plain)} then case when {newer} then {put('plain', plain)}"
            f" else '' end = chr(1) else {any_form} end)"
        )

    return stands_for


@dataclass(frozen=True)
class Found:
    """What a pass over the table has found."""

    example: str | None  # a value that is no time; None also for NULL
    newest: tuple[str, ...]  # values as text, of which one is the newest time; none without one

    @classmethod
    def of(cls, row: tuple[str, ...]) -> Found:
        """From the row that REMEMBERED gives."""
        example, newest, value, plain = row
        return cls(
            example[1:] if example.startswith("v") else None,
            (*([value[1:]] if float(newest) > -1e30 else ()), *([plain] if plain else ())),
        )


class SeenOnServer(TimesSeen):
    """As TimesSeen, about what within() met on the server, and the values that are read here."""

    def __init__(
        self,
        zone: tzinfo,
        kinds: list[int],
        count: Callable[[Callable[[int, str], str]], int],
        find: Callable[[], Found],
    ) -> None:
        """`count` counts the values that SQL is true for, `find` finds all there is to say."""
        super().__init__(zone)
        self._kinds = kinds
        self._count = count
        self._find = find
        self._counted: dict[Callable[[int, str], str], int] = {}
        self._found: Found | None = None

    def _counted_as(self, what: Callable[[int, str], str]) -> int:
        if what not in self._counted:
            self._counted[what] = self._count(what) if self._kinds else 0
        return self._counted[what]

    def _facts(self) -> Found:
        if self._found is None:
            self._found = self._find() if self._kinds else Found(None, ())
        return self._found

    @property
    def undated(self) -> int:
        """How many values were no time."""
        return self._undated + self._counted_as(unreadable)

    @property
    def example(self) -> str:
        """One of those, as it may be shown."""
        if self._example or not self.undated:
            return self._example
        return shortened(repr(self._facts().example), 40)

    @property
    def may_be_numbers(self) -> bool:
        """Whether the newest may be a number, which does not say what it counts."""
        return not self._kinds or self._counted_as(is_number) > 0

    @property
    def newest(self) -> tuple[datetime, object] | None:
        """The newest instant with the value that said so; None where no value was a time."""
        found = super().newest
        for value in self._facts().newest:
            at = times.instant(value, self._zone), value
            found = max(filter(None, (found, at)), key=lambda pair: pair[0])
        return found
