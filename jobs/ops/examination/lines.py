"""The findings of checks: one line each, with a remedy where there is something to mend."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from common.process.log import one_line
from common.process.redaction import redacted
from ops.facts.colours import Tone, painted

OK, WARN, FAIL = "ok", "warn", "FAIL"
_TONES = {OK: Tone.GOOD, WARN: Tone.LOOK, FAIL: Tone.BAD}


@dataclass(frozen=True)
class Line:
    """One finding: ok, warn (it will run, but look at it) or FAIL (it will not)."""

    level: str
    subject: str
    text: str
    remedy: str = ""
    idle: bool = False  # because of this, nothing is started tonight


def ok(subject: str, text: str) -> Line:
    """All is well."""
    return Line(OK, subject, text)


def warn(subject: str, text: str, remedy: str = "") -> Line:
    """It will run, but perhaps not as its user thinks."""
    return Line(WARN, subject, text, remedy)


def idle(subject: str, text: str, remedy: str = "") -> Line:
    """It would run, but nothing starts it."""
    return Line(WARN, subject, text, remedy, idle=True)


def fail(subject: str, text: str, remedy: str = "") -> Line:
    """It will not run. The remedy is empty where the text, such as a JobExit's, names it."""
    return Line(FAIL, subject, text, remedy)


def new_complaints(lines: Sequence[Line], before: Path) -> list[Line]:
    """The FAIL lines of subjects that have more of them than in `before`, a file that
    `doctor --json` has written.

    Versions word what they find differently, so that a subject with as many as before has none that
    is new. Where it has more, those that it had word for word are left out.
    """
    known = [(one["subject"], one["text"]) for one in _failed_checks(before)]
    counts = Counter(subject for subject, _ in known)
    now = [line for line in lines if line.level == FAIL]
    grown = Counter(line.subject for line in now) - counts
    return [
        line for line in now if line.subject in grown and (line.subject, line.text) not in known
    ]


def _failed_checks(file: Path) -> list[dict[str, str]]:
    checks = json.loads(file.read_text(encoding="utf-8"))["checks"]
    return [one for one in checks if one["level"] == FAIL]


def ending(secret: str) -> str:
    """The part of a secret that may be shown: its last four characters, none of a short one."""
    return f"…{secret[-4:]}" if len(secret) >= 16 else "…"


def clean(line: Line) -> Line:
    """The line without control characters and without secrets, wherever they came from."""

    def cleaned(text: str) -> str:
        return redacted(one_line(text)).strip()

    return replace(line, text=cleaned(line.text), remedy=cleaned(line.remedy))


def shown(lines: Sequence[Line], *, colour: bool, width: int = 0) -> str:
    """The lines, aligned; with a width, longer texts continue below their own beginning."""
    subjects = max((len(line.subject) for line in lines), default=0)
    indent = 4 + 2 + subjects + 2
    text = ""
    for line in lines:
        words = f"{line.text} -> {line.remedy}" if line.remedy else line.text
        if width > indent + 30:
            # A path or a command that is broken in two cannot be copied.
            parts = textwrap.wrap(
                words, width - indent, break_long_words=False, break_on_hyphens=False
            )
            words = ("\n" + " " * indent).join(parts)
        level = f"{line.level:<4}"
        if colour:
            level = painted(level, _TONES[line.level])
        text += f"{level}  {line.subject:<{subjects}}  {words}\n"
    return text


def closing(lines: Sequence[Line]) -> str:
    """The last line: how many of each, and what that means for tonight."""
    counts = {level: sum(line.level == level for line in lines) for level in (FAIL, WARN, OK)}
    said = ", ".join(f"{count} {level}" for level, count in counts.items() if count)
    if counts[FAIL]:
        return f"{said}: it would not work tonight; begin with the first FAIL\n"
    if any(line.idle for line in lines):
        return f"{said}: it would work, but nothing on this machine starts it tonight\n"
    return f"{said}: ready for tonight\n"
