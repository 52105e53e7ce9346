"""Reads a table that people edited in a spreadsheet: a CSV file of any make, or a refusal by line.

Spreadsheets save what they call CSV in many forms: with a byte order mark or without, in UTF-8,
UTF-16 or Windows-1252, with commas, semicolons or tabs, with any line end, and with empty rows and
columns after the last filled one. All of these are read. What could be read in two ways is refused.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common.process import exits
from common.process.command_line import quoted
from common.process.exits import JobExit
from common.process.words import counted

KEY = "record_id"

_SEPARATORS = ",;\t"
_AS_CSV = 'save it as "CSV UTF-8"'
_NO_TEXT = {
    b"PK\x03\x04": "is a workbook (.xlsx or .ods) or another zip file",
    b"\xd0\xcf\x11\xe0": "is a workbook (.xls)",
    b"\x1f\x8b": "is compressed",
    b"%PDF": "is a PDF",
    b"SQLite format 3": "is a database",
}
_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
# The line that tells Excel the separator.
_SEP = re.compile('"?sep=(.)"?(?:\r\n|\r|\n|$)', re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """One row: the line of the file that it begins in, and its cells by the name of the column."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    """A table with a header; its rows have a cell for each column, "" where none was filled in."""

    path: Path
    columns: tuple[str, ...]
    rows: list[Row]

    def wrong(self, line: int, reason: str) -> JobExit:
        """The end of a run for what a line says; `reason` names the value and the remedy."""
        return JobExit(exits.SETTINGS, f"{self.path}, line {line}: {reason}")


def read(path: Path) -> Table:
    """The table in a file. Its header has the column `record_id`, in any case.

    Rows without any value are left out, and so are columns without a name and a value. Cells keep
    their spaces; a line break in one is a plain newline. Raises JobExit: 2 where there is no such
    file, 78 for what cannot be read, with the line and the remedy.
    """
    text = _text(path)
    first_line = 1
    if marked := _SEP.match(text):
        text, first_line = text[marked.end() :], 2
        separators = marked[1]
    else:
        separators = _SEPARATORS
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    separator = _separator(text, separators)
    lines = _lines(path, text, separator, first_line)
    at, header = next(lines, (first_line, []))
    names = [name.strip() for name in header]
    names = [KEY if name.casefold() == KEY else name for name in names]
    if KEY not in names:
        columns = ", ".join(quoted(name) for name in names[:12] if name)
        there = f"its first line has {columns}" if columns else "it is empty"
        reason = f"no column {KEY}: {there}: the first row must name the columns"
        raise JobExit(exits.SETTINGS, f"{path}: {reason}")
    for name, times in Counter(filter(None, names)).items():
        if times > 1:
            reason = f"{counted(times, 'column')} called {quoted(name)}: keep one"
            raise JobExit(exits.SETTINGS, f"{path}, line {at}: {reason}")
    rows = [Row(line, _cells(path, line, names, cells)) for line, cells in lines]
    return Table(path, tuple(filter(None, names)), rows)


def _text(path: Path) -> str:
    """What the file says, whatever its encoding."""
    try:
        if path.is_dir() or (path.exists() and not path.is_file()):
            what = "a folder" if path.is_dir() else "no regular file"
            raise JobExit(exits.USAGE, f"{path} is {what}: give the path of a CSV file")
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise JobExit(exits.USAGE, f"{path} cannot be read: {reason}") from error
    for beginning, what in _NO_TEXT.items():
        if data.startswith(beginning):
            raise JobExit(exits.SETTINGS, f"{path} {what}, and no CSV file: {_AS_CSV}")
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return _decoded(path, data[len(mark) :], encoding)
    if b"\0" in data[:2]:  # every other byte of plain letters in UTF-16
        return _decoded(path, data, "utf-16-be" if data[0] == 0 else "utf-16-le")
    try:
        return _decoded(path, data, "utf-8")
    except JobExit:
        # A text in Windows-1252 has hardly ever two letters in a row that are one in UTF-8.
        if any(ord(letter) > 127 for letter in data.decode("utf-8", "ignore")):
            raise
        return _decoded(path, data, "cp1252")


def _decoded(path: Path, data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, "ignore")
        reason = f"a byte (0x{data[error.start]:02x}) that is not {encoding.upper()}: {_AS_CSV}"
        raise JobExit(exits.SETTINGS, f"{path}, line {_line_of(before)}: {reason}") from None
    if "\0" in text:
        line = _line_of(text.partition("\0")[0])
        reason = f"a NUL, which no text has: {_AS_CSV}"
        raise JobExit(exits.SETTINGS, f"{path}, line {line}: {reason}")
    return text


def _line_of(before: str) -> int:
    """The number of the line that comes after a text."""
    return 1 + len(re.findall("\r\n|\r|\n", before))


def _separator(text: str, separators: str) -> str:
    """The separator of the header: by it there is a column `record_id`, and most columns."""

    def columns(separator: str) -> tuple[bool, int]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        try:
            names = next(filter(_any_value, reader), [])
        except csv.Error:
            return (False, 0)
        return (KEY in (name.strip().casefold() for name in names), len(names))

    return max(separators, key=columns)


def _any_value(cells: list[str]) -> bool:
    return any(cell.strip() for cell in cells)


def _lines(
    path: Path, text: str, separator: str, first_line: int
) -> Iterator[tuple[int, list[str]]]:
    """Each row that has a value, with the line of the file at which it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        line = first_line + reader.line_num
        try:
            cells = next(reader, None)
        except csv.Error as error:
            what = f"its quotes do not fit together ({error})"
            remedy = 'a quote within a cell is written twice (""), and a quoted cell ends with one'
            raise JobExit(exits.SETTINGS, f"{path}, line {line}: {what}: {remedy}") from None
        if cells is None:
            return
        if _any_value(cells):
            yield line, [cell.replace("\r\n", "\n").replace("\r", "\n") for cell in cells]


def _cells(path: Path, line: int, columns: list[str], cells: list[str]) -> dict[str, str]:
    """The cells of a row by column.

    Cells that are missing at its end are empty: Excel leaves them out where the last columns of
    sixteen rows are all empty.
    """
    for number, cell in enumerate(cells, 1):
        if cell.strip() and (number > len(columns) or not columns[number - 1]):
            reason = (
                f"{len(cells)} cells, and the header names {len([*filter(None, columns)])} columns:"
                f" cell {number} ({quoted(cell.strip())}) has no column: name it, or put quotes"
                " around a text that holds the separator"
            )
            raise JobExit(exits.SETTINGS, f"{path}, line {line}: {reason}")
    filled = dict(zip(columns, cells, strict=False))
    return {name: filled.get(name, "") for name in columns if name}
