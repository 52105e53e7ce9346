"""The lines of a crontab that start jobs: which script they call, from where, for which job."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = ("run_job.sh", "notify_on_failure.sh")
_ENTRY = re.compile(r"[ \t]*(@[a-z]+|(?:\S+[ \t]+){4}\S+)[ \t]+(.*)", re.DOTALL).fullmatch
_VARIABLE = re.compile(r"""[ \t]*["']?([A-Za-z_]\w*)["']?[ \t]*=[ \t]*(.*)""", re.DOTALL).fullmatch
_PERCENT = re.compile(r"(?<!\\)%")
_BETWEEN = re.compile(r"[;&|()<>]+").fullmatch


@dataclass(frozen=True)
class Entry:
    """A line that calls one of the scripts, by any path."""

    number: int
    time: str  # `17 6 * * *`, or `@daily`
    command: str  # as it stands there
    script: str = ""  # the path as written; "" where the line cannot be taken apart
    job: str = ""
    folder: str = ""  # of a `cd FOLDER` before it
    by_shell: bool = False  # `bash run_job.sh`: needs no permission to execute
    user_field: str = ""  # a user's name where the command should begin

    @property
    def has_percent(self) -> bool:
        """Whether cron cuts the command short."""
        return _PERCENT.search(self.command) is not None


def entries(text: str) -> Iterator[Entry]:
    """Every line that names one of the scripts. Lines of other programs are nobody's business."""
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.rstrip("\r")
        if bare.lstrip().startswith("#") or not any(script in bare for script in SCRIPTS):
            continue
        if _VARIABLE(bare):
            continue
        if found := _ENTRY(line):
            yield _entry(number, found[1], found[2])
        else:
            yield Entry(number, "", bare)


def variables(text: str) -> dict[str, str]:
    """The NAME=value lines."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {found[1]: found[2] for line in lines if (found := _VARIABLE(line))}


def _entry(number: int, time: str, command: str) -> Entry:
    run = _PERCENT.split(command)[0].replace("\\%", "%")
    try:
        words = _words(run)
    except ValueError:
        return Entry(number, time, command)
    folder = ""
    for at, word in enumerate(words):
        if word == "cd" and at + 1 < len(words):
            folder = words[at + 1]
        if Path(word).name in SCRIPTS:
            after = words[at + 1] if at + 1 < len(words) else ""
            # A job may be named by its script, as run_job.sh takes it.
            job = "" if _BETWEEN(after) else after.rpartition("/")[2].removesuffix(".py")
            shell = at > 0 and Path(words[at - 1]).name in ("bash", "sh")
            lone = at == 1 and re.fullmatch(r"[a-z_][a-z0-9_-]*", words[0]) and not shell
            return Entry(number, time, command, word, job, folder, shell, words[0] if lone else "")
    return Entry(number, time, command)


def _words(command: str) -> list[str]:
    """The words of a command, those inside `sh -c "…"` included.

    Raises ValueError for quotes left open.
    """
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words = []
    for word in lexer:
        nested = " " in word and any(script in word for script in SCRIPTS)
        # A quoted path with a blank in it ends in the script's name; a nested command goes on after
        # it.
        words += _words(word) if nested and not word.endswith(SCRIPTS) else [word]
    return words
