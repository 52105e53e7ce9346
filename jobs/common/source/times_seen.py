"""What one SELECT has seen of the column that says when: for the WARNs about it."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from common import times
from common.process.log import shortened
from common.times import is_plain


class TimesSeen:
    """Reads times, and remembers the newest of them and those that are none."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        """A date without a time is that date in `zone`."""
        self._zone = zone
        self._undated = 0
        self._example = ""
        self._newest_plain = ""
        self._newest: tuple[datetime, object] | None = None

    def within(self, value: object, start: str, end: str) -> bool:
        """The SQL function within(): whether a value is from `start` up to, not including, `end`.

        A value that is no time is in no window, and is counted. The bounds are texts in SQL_FORMAT,
        so the commonest form of a column needs no parsing: a million rows take half a second.
        """
        if type(value) is str and is_plain(value):
            if value > self._newest_plain:
                self._newest_plain = value
            return start <= value < end
        at = self.read(value)
        return at is not None and times.from_sql(start) <= at < times.from_sql(end)

    def read(self, value: object) -> datetime | None:
        """The instant of a value; None, and counted, where it is no time."""
        try:
            at = times.instant(value, self._zone)
        except ValueError:
            self._undated += 1
            self._example = shortened(repr(value), 40)
            return None
        if self._newest is None or at > self._newest[0]:
            self._newest = at, value
        return at

    @property
    def undated(self) -> int:
        """How many values were no time."""
        return self._undated

    @property
    def example(self) -> str:
        """One of those, as it may be shown."""
        return self._example

    @property
    def may_be_numbers(self) -> bool:
        """Whether the newest may be a number, which does not say what it counts."""
        return True

    @property
    def newest(self) -> tuple[datetime, object] | None:
        """The newest instant with the value that said so; None where no value was a time."""
        plain = self._newest_plain
        found = (times.from_sql(plain), plain) if plain else None
        return max(filter(None, (found, self._newest)), key=lambda pair: pair[0], default=None)
