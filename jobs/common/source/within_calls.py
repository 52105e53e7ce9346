"""The calls of within() in a SELECT for PostgreSQL, which has no such function.

Nothing is created in the user's database: each call becomes an expression before the SELECT is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from common.process import exits
from common.process.exits import JobExit
from common.process.sql_text import BLANK, NAMED, WORD, Token, tokens

_MEND = "mend the SELECT at the top of the job"


class Call(NamedTuple):
    """within(value, start, end): its arguments as SQL, and its first and last token."""

    value: str
    start: str
    end: str
    first: int
    last: int


# What stands for a call, given its number.
Standing = Callable[[int, Call], str]


class Statement:
    """A SELECT, taken apart."""

    def __init__(self, select: str) -> None:
        """Raises JobExit (78) where it is more than one statement."""
        self._tokens = [*_of_one_statement(select)]
        self.calls = [*_calls(self._tokens)]

    @property
    def gives_others(self) -> bool:
        """Whether it may give other rows each time, or none that a condition added to it finds."""
        return bool(self._words() & {"random", "limit", "fetch", "offset", "tablesample"})

    def _words(self) -> set[str]:
        return {token.text.lower() for token in self._tokens if token.kind == WORD}

    @property
    def says_not(self) -> bool:
        """Whether it turns any condition around; `is not null` and the like do not."""
        words = [token.text.lower() for token in self._tokens if token.kind != BLANK]
        return any(
            word == "not" and before != "is"
            for before, word in zip(["", *words], words, strict=False)
        )

    def sql(self, parameters: Mapping[str, object], call: Standing | None = None) -> str:
        """It as PostgreSQL takes it: the values of `parameters` in place of their names.

        `call` gives what stands in place of each call. Raises JobExit (78) for a name without a
        value.
        """
        parts = [
            literal(token.text[1:], parameters) if token.kind == NAMED else token.text
            for token in self._tokens
        ]
        if call:
            for number, found in enumerate(self.calls):
                value = Statement(found.value).sql(parameters)
                parts[found.first] = call(number, found._replace(value=value))
                parts[found.first + 1 : found.last + 1] = [""] * (found.last - found.first)
        return "".join(parts)


def literal(name: str, parameters: Mapping[str, object]) -> str:
    """The value of a parameter as SQL. Raises JobExit (78) where there is none."""
    if name not in parameters:
        there = " and ".join(f":{one}" for one in parameters) or "a job without a window has none"
        names = f"the SELECT names :{name}, and no value is given for it ({there})"
        raise JobExit(exits.SETTINGS, f"{names}: {_MEND}")
    value = parameters[name]
    if isinstance(value, int | float):
        return f" {value} "
    text = str(value)
    if "\\" in text or "\0" in text:
        raise ValueError(f"{name}: {text!r} is no value for a SELECT")
    return "'" + text.replace("'", "''") + "'"


def _of_one_statement(select: str) -> Iterator[Token]:
    """The tokens before the semicolon that ends it."""
    ended = False
    for token in tokens(select):
        if ended and token.kind != BLANK and token.text != ";":
            raise JobExit(exits.SETTINGS, f"the SELECT is more than one statement: {_MEND}")
        ended = ended or token.text == ";"
        if not ended:
            yield token


def _calls(parts: list[Token]) -> Iterator[Call]:
    """Each call with three arguments; `within group (…)` and `theirs.within(…)` are none."""
    at = 0
    before = ""
    while at < len(parts):
        token = parts[at]
        if token.kind == WORD and token.text.lower() == "within" and before != ".":
            opening = _next(parts, at + 1)
            if opening < len(parts) and parts[opening].text == "(":
                arguments, last = _arguments(parts, opening)
                if len(arguments) == 3:
                    value, start, end = arguments
                    yield Call(value, start, end, at, last)
                    at, before = last + 1, ")"
                    continue
        if token.kind != BLANK:
            before = token.text
        at += 1


def _next(parts: list[Token], at: int) -> int:
    """The place of the next token that is no blank."""
    while at < len(parts) and parts[at].kind == BLANK:
        at += 1
    return at


def _arguments(parts: list[Token], opening: int) -> tuple[list[str], int]:
    """What stands between a parenthesis and the one that closes it, and where that is."""
    depth = 0
    arguments = [""]
    for at in range(opening, len(parts)):
        text = parts[at].text
        if parts[at].kind == BLANK:
            arguments[-1] += " " if text.startswith("-") else text  # a comment would go on
            continue
        depth += (text in ("(", "[")) - (text in (")", "]"))
        if not depth:
            return [argument.strip() for argument in arguments], at
        if text == "," and depth == 1:
            arguments.append("")
        elif at > opening:
            arguments[-1] += text
    return [], len(parts) - 1
