"""What --new asks at a terminal. Enter takes what stands in brackets; Ctrl-C makes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from common.process.command_line import say
from common.process.exits import JobExit
from common.process.words import nearest
from ops.making.column_choice import Choice
from ops.making.table_columns import Table

Chosen = Callable[[Sequence[str], Sequence[str], str], Choice]


def which_job(root: Path, jobs: Sequence[str], default: str) -> str:
    """The job that the new one is to be made from."""
    say("Which job is nearest to what you want?")
    for name in jobs:
        say(f"  {name:<20} {_first_line(root / 'jobs' / f'{name}.py')}")
    return _one_of("nearest job", jobs, default)


def which_table(tables: Sequence[str], job: str) -> str:
    """The table of RECORDS_DB that it is to read; "" to leave the SELECT as it is."""
    if not tables:
        return ""
    say(f"Which table does it read? There are {', '.join(tables[:40])}.")
    return _one_of(f"table (Enter: as {job} reads)", tables, "")


def which_columns(table: Table, choice: Choice, chosen: Chosen) -> Choice:
    """The columns, after somebody has agreed to them or named others."""
    say(f"{table.name} has {', '.join(column.name for column in table.columns)}.")
    while True:
        ids = _several("id", choice.ids)
        texts = _several("sent to Claude", choice.texts)
        time = _answer(f"when [{choice.time or 'no column'}]: ") or choice.time
        try:
            return chosen(ids, texts, time)
        except JobExit as error:
            say(error.message)


def _one_of(what: str, known: Sequence[str], default: str) -> str:
    shown = f" [{default}]" if default else ""
    while (text := _answer(f"{what}{shown}: ") or default) not in ("", *known):
        say(f"no such one: {nearest(text, known)}")
    return text


def _several(what: str, default: Sequence[str]) -> list[str]:
    text = _answer(f"{what} [{', '.join(default)}]: ")
    return [part.strip() for part in text.split(",") if part.strip()] or [*default]


def _answer(prompt: str) -> str:
    return input(prompt).strip()


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0].strip('"')
    except (OSError, UnicodeDecodeError):
        return ""
