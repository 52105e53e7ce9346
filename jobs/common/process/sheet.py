"""A table for spreadsheets, written so that none of its texts is taken for a formula.

It is CSV with commas, in UTF-8 with a byte order mark: without one Excel takes it for the code page
of its machine. A text that begins as a formula does gets an apostrophe in front, the spreadsheets'
own mark of a text.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

MOST = 32_767  # characters of a cell, in units of UTF-16: Excel cuts longer ones
MARK = "'"
# What a formula begins with.
FORMULA = tuple("=+-@\t\r＝＋－＠'")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?", re.IGNORECASE).fullmatch
# Where a spreadsheet expects another separator, a cell begins after one of these, too. What calls
# nothing, such as a list of "- …", stays as it is.
_INSIDE = re.compile(r"([;,|\n][ \"]*)(?=[=+\-@＝＋－＠][^;,\n]*[(|!])")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_CUT = " … (cut: {:,} characters in all)"


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A CSV file's whole text. The last columns of a row that are not given are empty."""
    text = io.StringIO(newline="")
    text.write("\ufeff")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        cells = [cell(value) for value in row]
        writer.writerow([*cells, *[""] * (len(columns) - len(cells))])
    return text.getvalue()


def cell(value: Any) -> str:
    """A JSON value as it stands in a cell: lists and objects as JSON, null as nothing."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return _short(json.dumps(value, ensure_ascii=False))
    text = _CONTROL.sub("\ufffd", value.replace("\r\n", "\n").replace("\r", "\n"))
    text = _INSIDE.sub(rf"\1{MARK}", text)
    if text.startswith(FORMULA) and not _NUMBER(text):
        text = MARK + text
    return _short(text)


def units(text: str) -> int:
    """The length of a text as Excel counts it, in units of UTF-16."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _short(text: str) -> str:
    if len(text) <= MOST // 2 or units(text) <= MOST:
        return text
    note = _CUT.format(len(text))
    kept = text.encode("utf-16-le", "surrogatepass")[: 2 * (MOST - len(note))]
    return kept.decode("utf-16-le", "ignore") + note
