"""Which columns of a table are its id, its texts and its time: by key, name, type and content."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from common import times
from common.process import exits
from common.process.exits import JobExit
from common.process.words import nearest
from ops.making.table_columns import Column, Table

# The words of a name: `customerNote2` has customer and note.
_WORDS = re.compile(r"[a-z]+|[A-Z][a-z]*")
_HEADS = ("subject", "title", "headline", "topic")
_BODIES = (
    "content body text message description comment comments note notes review feedback question"
    " remark remarks complaint transcript summary details request inquiry post reason"
).split()
_PRIVATE = (
    "email mail phone tel mobile fax address street city zip iban card name firstname lastname"
    " username login password hash token secret url link ip uuid guid id key"
).split()
_TIMES = (
    "created inserted received sent opened submitted posted occurred happened reported added"
    " logged time timestamp date datetime ts"
).split()
_NOT_THEN = (
    "updated modified changed deleted closed resolved due birth birthday expires expired read"
    " started ended finished last next"
).split()
_TEXT_TYPES = ("char", "text", "clob", "string")


@dataclass(frozen=True)
class Choice:
    """The columns that a SELECT of the table is made of.

    `ids`: one, or all of a primary key. `time` is "" where there is none, `changed` the column that
    says when a row last changed, and `left` are the others, which are not sent.
    """

    ids: tuple[str, ...]
    id_is_bytes: bool
    texts: tuple[str, ...]
    time: str
    changed: str
    left: tuple[str, ...]


def choose(
    table: Table,
    is_unique: Callable[[str], bool],
    *,
    ids: Iterable[str] = (),
    texts: Iterable[str] = (),
    time: str = "",
) -> Choice:
    """Choose, after what somebody has named. `is_unique` says whether a column's values differ.

    Raises JobExit (2) for a column that is not there, and where nothing can be an id or a text.
    """
    columns = {column.name: column for column in table.columns}
    named = {"--id": tuple(ids), "--text": tuple(texts), "--time": (time,) if time else ()}
    for option, names in named.items():
        for name in names:
            if name not in columns:
                text = f"{option} {name}: {table.name} has no such column: {nearest(name, columns)}"
                raise JobExit(exits.USAGE, text)
    own_ids = named["--id"] or _ids(table, is_unique)
    if not own_ids:
        text = f"no column of {table.name} is a key, and none that is called like one has no value"
        raise JobExit(exits.USAGE, f"{text} twice: name one with --id; it has {', '.join(columns)}")
    own_time = time or _time(table, own_ids)
    others = [one for one in table.columns if one.name not in own_ids and one.name != own_time]
    own_texts = named["--text"] or _texts(others)
    if not own_texts:
        text = f"no column of {table.name} looks like text: name those to send with --text"
        raise JobExit(exits.USAGE, f"{text}; it has {', '.join(columns)}")
    changed = next((one.name for one in others if _says_changed(one)), "")
    chosen = {*own_ids, *own_texts, own_time}
    return Choice(
        own_ids,
        any(_is_bytes(columns[name]) for name in own_ids),
        own_texts,
        own_time,
        changed,
        tuple(name for name in columns if name not in chosen),
    )


def _ids(table: Table, is_unique: Callable[[str], bool]) -> tuple[str, ...]:
    keys = sorted((column for column in table.columns if column.key), key=lambda one: one.key)
    if keys:
        return tuple(column.name for column in keys)
    plain = table.name.rpartition(".")[2].strip('"').lower()
    likely = ("id", f"{plain}_id", f"{plain.removesuffix('s')}_id", "uuid", "guid", "key", "number")
    by_name = {column.name.lower(): column.name for column in table.columns}
    ends = [name for name in by_name if name.endswith(("_id", "_no", "_nr"))]
    for name in (*likely, *(ends[:1] if len(ends) == 1 else ())):
        if name in by_name and is_unique(by_name[name]):
            return (by_name[name],)
    return ()


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name)]


def _is_bytes(column: Column) -> bool:
    if column.values:
        return all(isinstance(value, bytes) for value in column.values)
    return column.declared in ("blob", "bytea")


def _is_text(column: Column) -> bool:
    if column.declared.endswith("[]") or column.declared.startswith(("date", "time")):
        return False
    if column.values:
        texts = sum(isinstance(value, str) for value in column.values)
        declared = any(kind in column.declared for kind in _TEXT_TYPES) or not column.declared
        return declared and texts * 2 > len(column.values)
    return any(kind in column.declared for kind in _TEXT_TYPES)


def _is_prose(column: Column) -> bool:
    """Whether most values are several words long, so that no code or state is taken for a text."""
    texts = [value for value in column.values if isinstance(value, str) and value.strip()]
    if not texts:
        return False
    of_words = sum(len(text.split()) > 2 for text in texts)
    return of_words * 2 > len(texts) and len(set(texts)) * 2 > len(texts)


def _texts(columns: Iterable[Column]) -> tuple[str, ...]:
    """The headings, and the one that is most of a text. All others may hold what nobody needs to
    send.
    """
    texts = [column for column in columns if _is_text(column)]
    open_ones = [one for one in texts if not set(_words(one.name)) & set(_PRIVATE)]
    heads = [one for one in open_ones if set(_words(one.name)) & set(_HEADS)]
    bodies = [one for one in open_ones if one not in heads]

    def weight(column: Column) -> tuple[bool, bool, float]:
        lengths = [len(value) for value in column.values if isinstance(value, str)]
        average = sum(lengths) / len(lengths) if lengths else 0
        return _is_prose(column), bool(set(_words(column.name)) & set(_BODIES)), average

    likely = [one for one in bodies if any(weight(one)[:2])]
    body = max(likely, key=weight, default=None)
    if body is None and not heads:
        body = max(texts, key=weight, default=None)
    chosen = [*heads, *([body] if body else [])]
    return tuple(column.name for column in chosen)


def _time(table: Table, ids: Iterable[str]) -> str:
    """The column that says when: by its name, and since its values are times."""
    best: tuple[int, str] = (len(_TIMES) + 3, "")
    for column in table.columns:
        words = _words(column.name)
        if column.name in ids or set(words) & set(_NOT_THEN) or not _holds_times(column):
            continue
        places = [_TIMES.index(word) for word in words if word in _TIMES]
        by_type = column.declared.startswith(("date", "timestamp"))
        if not places and not by_type and words[-1:] not in (["at"], ["on"]):
            continue
        best = min(best, (min(places, default=len(_TIMES) + 1), column.name))
    return best[1]


def _holds_times(column: Column) -> bool:
    if not column.values:
        return True  # an empty table: its name must do
    read = 0
    for value in column.values:
        try:
            times.instant(value)
            read += 1
        except (ValueError, TypeError, OverflowError):
            pass
    return read * 10 >= len(column.values) * 9


def _says_changed(column: Column) -> bool:
    return bool(set(_words(column.name)) & {"updated", "modified", "changed"}) and _holds_times(
        column
    )
