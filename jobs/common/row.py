"""A row of a SELECT, as jobs see it: its columns by name."""

from __future__ import annotations

from typing import Any

SEPARATOR = "\x1f"  # stands between record_ids that travel as one text


class Row(dict[str, Any]):
    """A row's columns. A name is found whatever its case, as SQL finds it.

    SQLite names a column as its table does, however the SELECT spells it. A name that is there as
    it was asked for wins over one that differs in case.
    """

    def __missing__(self, name: object) -> Any:
        if (spelt := self._spelt(name)) is None:
            raise KeyError(name)
        return self[spelt]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or self._spelt(name) is not None

    def __copy__(self) -> Row:
        return Row(self)

    def get(self, name: str, default: Any = None) -> Any:
        """The column's value, `default` without such a column."""
        try:
            return self[name]
        except KeyError:
            return default

    def _spelt(self, name: object) -> str | None:
        asked = str(name).lower()
        return next((column for column in self if column.lower() == asked), None)
