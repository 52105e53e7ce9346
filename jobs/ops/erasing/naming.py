"""Whether a text names a record: by its id as a whole word.

An id of digits stands in a log for many things: it counts where a line calls it a record.
"""

from __future__ import annotations

import json
import re
from html import escape

from common.process.log import brief

_SURE = 6  # characters of an id that stands for nothing else, if it is no number
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ")
_HEAD = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ +\w+ +(?:\[[^\]]*\] )?")
_GONE = "(this line named a record that was erased)"


class Naming:
    """Finds the places that name one record."""

    def __init__(self, record_id: str) -> None:
        self.record_id = record_id
        forms = {record_id, brief(record_id), escape(record_id), json.dumps(record_id)[1:-1]}
        self._forms = sorted(forms - {""}, key=len, reverse=True)
        word = f"(?:{'|'.join(map(re.escape, self._forms))})"
        token = rf"(?<![\w@/+.-]){word}(?![\w@/+-])(?![.,]\d)"
        if len(record_id) >= _SURE and not record_id.isdecimal():
            self._in_text = re.compile(token)
        else:
            self._in_text = re.compile(rf"(?i:\brecords? ){token}|[:;,] {token}(?=[:;,]|\s*$)")
        # An element of its own, or after the word.
        self._in_page = re.compile(rf">\s*{token}\s*<|\brecord (?:<\w+>)?{token}")
        self._erased = re.compile(token)

    def in_text(self, text: str) -> bool:
        """Whether a line, or a message, names it."""
        return any(form in text for form in self._forms) and bool(self._in_text.search(text))

    def in_page(self, text: str) -> bool:
        """Whether a page, as HTML or Markdown, names it."""
        return any(form in text for form in self._forms) and bool(self._in_page.search(text))

    def without(self, text: str) -> str:
        """A message with another word in the place of the id."""
        return self._erased.sub("(erased)", text)

    def cleaned(self, lines: list[str]) -> tuple[list[str], int]:
        """Lines of a log, and how many of them named it: these keep their time and their run.

        What follows a line without a time of its own, such as a traceback, belongs to it.
        """
        kept: list[str] = []
        count, inside = 0, False
        for line in lines:
            begins = _STAMP.match(line) is not None
            if inside and not begins:
                continue
            inside = self.in_text(line)
            if inside:
                count += 1
                head = _HEAD.match(line)
                kept.append(f"{head[0] if head else ''}{_GONE}\n")
                inside = begins
            else:
                kept.append(line)
        return kept, count
