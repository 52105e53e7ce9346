"""Rows that give a record again, as those of a JOIN do: the first row of each record counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from common.job import Record
from common.process.log import log, shortened
from common.process.words import counted


class Repeated:
    """Knows which records were there before, and tells of the rows that gave one again."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._rows = 0
        self._example = ""

    def again(self, record: Record) -> bool:
        """Whether a row before this one gave the same record; such a row is counted."""
        record_id = record["record_id"]
        if record_id not in self._seen:
            self._seen.add(record_id)
            return False
        self._rows, self._example = self._rows + 1, self._example or record_id
        return True

    def tell(self) -> None:
        """One WARN for all of them."""
        if self._rows:
            rows = (
                f"{counted(self._rows, 'row')} of the SELECT {'has' if self._rows == 1 else 'have'}"
            )
            again = f"{rows} a record_id that came before, such as {shortened(self._example, 40)}"
            log.warning("%s: the first row of each is sent", again)


def once(records: Iterable[Record]) -> Iterator[Record]:
    """Each record, as its first row gives it."""
    repeated = Repeated()
    return (record for record in records if not repeated.again(record))
