"""SQL taken apart as PostgreSQL reads it: what stands in a text or a comment is left alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

BLANK, TEXT, WORD, QUOTED, NAMED, MARK, OTHER = range(7)
_TOKENS = re.compile(
    r"""(?P<blank>\s+|--[^\r\n]*)
    |(?P<comment>/\*)
    |(?P<text>e'(?:[^'\\]|''|\\.)*'?|(?:u&|[bxn])?'(?:[^']|'')*'?
        |\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))
    |(?P<quoted>(?:u&)?"(?:[^"]|"")*"?)
    |(?P<word>[^\W\d][\w$]*)
    |(?P<other>::|[0-9][\w.]*)
    |:(?P<named>[^\W\d]\w*)
    |(?P<mark>\?)""",
    re.DOTALL | re.VERBOSE | re.IGNORECASE,
)
_KINDS = {"blank": BLANK, "text": TEXT, "word": WORD, "quoted": QUOTED, "named": NAMED}
_KINDS |= {"mark": MARK, "other": OTHER}
_COMMENT_SIGNS = re.compile(r"/\*|\*/")


class Token(NamedTuple):
    """A part of some SQL. All tokens together are the whole of it."""

    kind: int
    text: str

    def __str__(self) -> str:
        return self.text


def tokens(sql: str) -> Iterator[Token]:
    """The parts of SQL: blanks and comments, texts, names, placeholders, and single other signs.

    `:name` is a placeholder (NAMED), but not within brackets, as in `a[1:n]`.
    """
    at, brackets = 0, 0
    while at < len(sql):
        found = _TOKENS.match(sql, at)
        kind, end = OTHER, at + 1
        if found and found.lastgroup == "comment":
            kind, end = BLANK, _end_of_comment(sql, at)
        elif found:
            kind = next(_KINDS[name] for name in _KINDS if found[name] is not None)
            end = found.end()
            if kind == NAMED and brackets:
                kind = OTHER
        else:
            brackets += (sql[at] == "[") - (sql[at] == "]")
        yield Token(kind, sql[at:end])
        at = end


def _end_of_comment(sql: str, at: int) -> int:
    """Where the comment ends that begins at `at`. One can hold others."""
    depth = 0
    for sign in _COMMENT_SIGNS.finditer(sql, at):
        depth += 1 if sign[0] == "/*" else -1
        if not depth:
            return sign.end()
    return len(sql)
