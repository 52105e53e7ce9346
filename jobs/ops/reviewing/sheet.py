"""A table for spreadsheets: written so that none of its texts is taken for a formula, and read back
so that a text is known again after a spreadsheet has saved it.

It is CSV with commas, in UTF-8 with a byte order mark: without one Excel takes it for the code page
of its machine. A text that begins as a formula does gets an apostrophe in front, the spreadsheets'
own mark of a text.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any

MOST = 32_767  # characters of a cell, in units of UTF-16: Excel cuts longer ones
_MARK = "'"
_FORMULA = tuple("=+-@\t\r＝＋－＠'")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?", re.IGNORECASE).fullmatch
# Where a spreadsheet expects another separator, a cell begins after one of these, too. What calls
# nothing, such as a list of "- …", stays as it is.
_INSIDE = re.compile(r"([;,|\n][ \"]*)(?=[=+\-@＝＋－＠][^;,\n]*[(|!])")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_CUT = " … (cut: {:,} characters in all)"
_UNSEEN = re.compile("[\\s'\x00-\x1f\x7f-\x9f\ufeff\ufffd\u200b-\u200f\u2028-\u202e\u2060]+")


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
    text = _INSIDE.sub(rf"\1{_MARK}", text)
    if text.startswith(_FORMULA) and not _NUMBER(text):
        text = _MARK + text
    return _short(text)


def unmarked(text: str) -> str:
    """What a cell says without the apostrophe that `cell` has put in front."""
    return text[1:] if text.startswith(_MARK) and text[1:].startswith(_FORMULA) else text


def is_same(given: str, text: str) -> bool:
    """Whether a cell that a spreadsheet has saved still says a text.

    White space, control characters and apostrophes do not count, nor do letters that the code page
    of a machine lacks: for each a question mark is written, or a letter that looks alike.
    """
    seen = _seen(given)
    for written in (cell(text), text):
        if seen == _seen(written):
            return True
    if _units(given) >= MOST - 1 and _seen(text).startswith(seen):
        return True
    return any(
        _is_most_of(given, plain) and plain(given) in (plain(text), plain(cell(text)))
        for plain in _PLAIN
    )


def _seen(text: str) -> str:
    return _UNSEEN.sub("", text)


def _unaccented(text: str) -> str:
    letters = unicodedata.normalize("NFKD", _seen(text)).encode("ascii", "ignore")
    return letters.decode().replace("?", "")


def _western(text: str) -> str:
    return _seen(text).encode("cp1252", "ignore").decode("cp1252").replace("?", "")


_PLAIN = (_unaccented, _western)  # what is left of a text in any code page


def _is_most_of(text: str, plain: Callable[[str], str]) -> bool:
    """Whether enough of a text is left to know it by."""
    return 2 * len(plain(text)) >= max(1, len(_seen(text)))


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _short(text: str) -> str:
    if len(text) <= MOST // 2 or _units(text) <= MOST:
        return text
    note = _CUT.format(len(text))
    kept = text.encode("utf-16-le", "surrogatepass")[: 2 * (MOST - len(note))]
    return kept.decode("utf-16-le", "ignore") + note
