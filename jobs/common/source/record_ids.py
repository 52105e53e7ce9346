"""A row's record_id as the text that stands for it everywhere: two ids never become one."""

from __future__ import annotations

from typing import Any

from common.process import exits
from common.process.exits import JobExit
from common.process.log import shortened


class BrokenText(str):
    """A text that was not UTF-8, with U+FFFD in place of what was wrong: two can look the same."""

    __slots__ = ()


def decoded(text: bytes) -> str:
    """A text of the database. One broken one among a million must not stop the night."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return BrokenText(text.decode("utf-8", "replace"))


def record_id(value: Any) -> str:
    """The id as text, "" where a row has none.

    A text stays as it is, to the last blank. Raises JobExit (78) for a value of which two could
    become the same text.
    """
    if type(value) is str:
        return value
    if value is None or value == b"":
        return ""
    if isinstance(value, bytes | BrokenText):
        raise binary(value, "hex(id)")
    return str(value)


def binary(value: bytes | BrokenText, remedy: str) -> JobExit:
    """The end of a run whose SELECT gives an id that is no text: `remedy` makes one of it."""
    kind = "binary" if isinstance(value, bytes) else "text that is not UTF-8"
    gives = f"the SELECT gives a record_id that is {kind}, such as {shortened(repr(value), 60)}"
    return JobExit(exits.SETTINGS, f"{gives}: write `{remedy} as record_id` into it")


def lacking_id() -> JobExit:
    """The end of a run whose SELECT gives no record_id."""
    without = "the SELECT gives no record_id"
    return JobExit(exits.SETTINGS, f"{without}: write `id as record_id` into it")


# Finds ids that are a number in one row and the same text in another. id_text() is record_id():
# SQLite writes a number with fewer digits.
TWINS = (
    "select record_id from ({select}\n) where typeof(record_id) in ('integer', 'real', 'text')"
    " group by id_text(record_id) having min(typeof(record_id)) <> max(typeof(record_id))"
    " limit 1"
)


def twins(example: str) -> JobExit:
    """The end of a run whose SELECT gives the same id as a number and as text."""
    gives = f"the SELECT gives the record_id {shortened(example, 60)} as a number and as text"
    remedy = "these are two records: write `typeof(id) || ':' || id as record_id` into it"
    return JobExit(exits.SETTINGS, f"{gives}: {remedy}")
