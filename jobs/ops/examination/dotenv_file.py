""".env: who may read it, whether its lines can be read, and whether their names are settings."""

from __future__ import annotations

import difflib
import io
import os
import pwd
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from common.settings import KNOWN, general_name, written_by_others
from ops.examination.lines import Line, fail, ok, warn

_SUBJECT = ".env"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}").fullmatch
_WRAPPERS_OWN = ("PYTHON",)  # run_job.sh reads it from the environment alone


def read(path: Path) -> tuple[dict[str, str], list[Line]]:
    """What .env holds, and what is wrong with its lines. Shows no line: it may well be the key."""
    from dotenv.parser import parse_stream

    try:
        if path.exists() and not path.is_file():
            return {}, [fail(_SUBJECT, "is no regular file", f"mend {path}")]
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}, [
            warn(
                _SUBJECT, "there is none", "cp .env.example .env && chmod 600 .env, and fill it in"
            )
        ]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        return {}, [fail(_SUBJECT, f"cannot be read: {reason}", f"mend or chown {path}")]
    values: dict[str, str] = {}
    lines: list[Line] = []
    seen: dict[str, int] = {}
    for binding in parse_stream(io.StringIO(text)):
        number = binding.original.line + _blank_lines_before(binding.original.string)
        if binding.error:
            lines.append(fail(_SUBJECT, f"line {number} is not NAME=value", f"mend {path}"))
            continue
        if not binding.key:
            continue
        if binding.value is None or not _NAME(binding.key):
            text = f"line {number} is not NAME=value, and has no effect"
            lines.append(warn(_SUBJECT, text, f"mend {path}"))
            continue
        if binding.key in seen:
            where = f"lines {seen[binding.key]} and {number}"
            lines.append(
                warn(
                    _SUBJECT,
                    f"{binding.key} is set twice, {where}: the last one counts",
                    "keep one",
                )
            )
        seen[binding.key] = number
        values[binding.key] = binding.value or ""
    return {name: value for name, value in values.items() if value}, lines


def _blank_lines_before(text: str) -> int:
    # The parser counts the blank lines before a binding to it.
    return text[: len(text) - len(text.lstrip())].count("\n")


def check(path: Path, values: Mapping[str, str], jobs: Sequence[str]) -> Iterator[Line]:
    """Its mode, its owner, and its names."""
    try:
        status = path.stat()
    except OSError:
        return
    mode = stat.S_IMODE(status.st_mode)
    if written_by_others(status):
        yield fail(_SUBJECT, f"mode {mode:04o}: others can write it", f"chmod 600 {path}")
    elif status.st_mode & 0o077:
        yield warn(_SUBJECT, f"mode {mode:04o}: others can read the key", f"chmod 600 {path}")
    if status.st_uid != os.geteuid():
        yield warn(
            _SUBJECT,
            f"belongs to {user(status.st_uid)}, and this is {user(os.geteuid())}",
            "check as the user whose crontab runs the jobs",
        )
    unknown = [name for name in values if not general_name(name, jobs)]
    for name in unknown:
        text, remedy = unknown_name(name, jobs)
        yield warn(_SUBJECT, text, remedy)
    yield ok(_SUBJECT, f"{path}, {len(values) - len(unknown)} settings")


def unknown_name(name: str, jobs: Sequence[str]) -> tuple[str, str]:
    """What to say about a name that is no setting, and what may have been meant."""
    if name in _WRAPPERS_OWN:
        return f"{name} has no effect in .env", f"put it before the command: {name}=… ./run_job.sh"
    known = [*KNOWN, *(f"{setting}_{job.upper()}" for job in jobs for setting in KNOWN)]
    close = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.8)
    general = next((setting for setting in KNOWN if name.startswith(f"{setting}_")), "")
    if close:
        return f"{name} is no setting, and has no effect", f"did you mean {close[0]}?"
    if general:
        job = name.removeprefix(f"{general}_").lower()
        return f"{name} has no effect: no job is called {job}", f"there are: {', '.join(jobs)}"
    return f"{name} is no setting, and has no effect", "remove it; .env.example names all there are"


def elsewhere(values: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[Line]:
    """Settings that only this shell has: cron starts jobs without them."""
    names = [
        name
        for name in KNOWN
        if environ.get(name, "").strip() and environ[name].strip() != values.get(name, "").strip()
    ]
    if names:
        yield warn(
            "settings",
            f"{', '.join(names)}: set in this shell, which cron does not know",
            "put them into .env; ./run_job.sh doctor --as-cron sees what cron sees",
        )


def user(uid: int) -> str:
    """A user's name, or its number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
