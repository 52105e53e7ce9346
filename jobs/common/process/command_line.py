"""Questions and their answers: the command line of every script, and what it prints to stdout."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, TextIO

from common.process import exits
from common.process.exits import JobExit
from common.process.words import close_to


def say(text: str, file: TextIO | None = None) -> None:
    """Write the text and a line break to `file` (default: stdout), in the letters it can carry.

    A reader that has gone away (`… | head -1`) is no error. Raises JobExit (74) where it cannot be
    written for any other reason.
    """
    file = sys.stdout if file is None else file
    if file is None:  # closed, as by `>&-`
        return
    letters = file.encoding or "utf-8"
    try:
        file.write(text.encode(letters, "replace").decode(letters) + "\n")
        file.flush()
    except OSError as error:
        # What could not be written is still in the buffer: at its end Python would try again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())
        if not isinstance(error, BrokenPipeError):
            reason = f"cannot write to stdout: {error.strerror}"
            raise JobExit(exits.CANNOT_WRITE, reason) from error


def quoted(text: str) -> str:
    """What somebody typed, for a message: escaped, and never longer than a part of a line."""
    return repr(text if len(text) <= 40 else f"{text[:40]}…")


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean …?)` with the known word that is most like this one; "" where none is."""
    by_letters = {one.strip("-").replace("-", "_"): one for one in known}
    plain = word[:80].strip("-").replace("-", "_").lower()
    begin_so = (one for one in by_letters if len(plain) > 2 and one.startswith(plain))
    found = close_to(plain, by_letters, 0.7) or next(begin_so, "")
    return f" (did you mean {by_letters[found]}?)" if found else ""


class Parser(argparse.ArgumentParser):
    """Says what is wrong on one line, with the nearest option. Raises JobExit (2)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """The options and arguments of a command line."""
        given, unknown = self.parse_known_args(args, namespace)
        if unknown:
            hint = nearest(unknown[0].partition("=")[0], self._option_string_actions)
            words = ", ".join(quoted(word) for word in unknown[:3])
            self.error(f"unrecognized arguments: {words}{hint}")
        return given

    def error(self, message: str) -> NoReturn:
        raise JobExit(exits.USAGE, f"{message} (see {self.prog} --help)")

    def _print_message(self, message: str, file: Any = None) -> None:
        if message:  # --help
            say(message.rstrip("\n"), file)
