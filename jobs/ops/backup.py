"""Write one file that holds what a fresh clone lacks: settings, ledgers, reports, your own jobs.

Usage   ./run_job.sh --backup FILE
        FILE is a tar (compressed where its name ends with .gz or .tgz), yours alone (0600), and
        there only when it is whole. Jobs may run meanwhile. Unpacked in the folder of a fresh
        clone (tar -xpf FILE), the jobs go on where they were.
Exit    0; 2 where FILE is in a folder that goes in; 69 where a ledger is locked; 73 where FILE is
        there already or cannot be made; 74 disk full; 78 where a ledger is damaged
"""

from __future__ import annotations

import sys
from pathlib import Path

# `python -P` starts this script, so that no job is imported in the place of a module that it is
# called like: Python's own and the installed ones are found first, ours last.
sys.path.append(str(Path(__file__).resolve().parents[1]))

import argparse
import os
import shlex
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from common import settings, times
from common.process import exits
from common.process.command_line import Parser, say
from common.process.exits import JobExit
from common.process.files import disk_fault
from common.process.words import counted
from common.settings import ROOT, Settings
from ops.facts import history
from ops.facts.known_jobs import known_jobs
from ops.keeping.archive import archive
from ops.keeping.elsewhere import Elsewhere, elsewhere, not_in_it, put_back
from ops.keeping.own_files import OwnFiles, own_files
from ops.keeping.state_files import NOTE, Kept, keep_reports, keep_state
from ops.prune import in_bytes

_SHOWN = 8  # of one's own files, at a terminal
_GOES_IN = ("state", "reports", "logs", "jobs")


def main(
    arguments: Sequence[str], root: Path = ROOT, environ: Mapping[str, str] | None = None
) -> int:
    """Make the backup, say what is in it and what is not, and return the exit code."""
    os.umask(0o077)
    try:
        path = _target(_parse(arguments).file, root)
        base = settings.load("", demo=False, root=root, environ=environ)
        told = history.read(base.state / "history.tsv")
        jobs = known_jobs(base, {line.job for line in told.lines})
        made = _make(path, base, elsewhere(base, jobs))
        for line in _in_words(path, made):
            say(line)
    except JobExit as end:
        sys.stderr.write(f"backup: {end.message}\n")
        return end.code
    except OSError as error:
        fault = disk_fault(error) or JobExit(exits.CANNOT_WRITE, str(error))
        sys.stderr.write(f"backup: {fault.message}\n")
        return fault.code
    return exits.DONE


@dataclass
class _Made:
    """What a backup holds."""

    has_settings: bool
    state: Kept
    reports: Kept
    own: OwnFiles
    elsewhere: Elsewhere


def _make(path: Path, base: Settings, apart: Elsewhere) -> _Made:
    root, now = base.root, time.time()
    with archive(path) as tar:
        # A link to a file elsewhere, as some keep their keys, becomes a file.
        has_settings = tar.add_file(".env", root / ".env")
        state = keep_state(tar, base.state, apart.ledgers, apart.files_of_records)
        reports = keep_reports(tar, root / "reports")
        own = own_files(root)
        own.names = [name for name in own.names if tar.add_file(name, root / name)]
        made = _Made(has_settings, state, reports, own, apart)
        note = "\n".join(_note(root, made)) + "\n"
        tar.add_bytes(f"state/{NOTE}", note.encode("utf-8", "replace"), now)
    return made


def _note(root: Path, made: _Made) -> list[str]:
    commit = made.own.commit or "git does not say"
    return [
        f"A backup of {root} on {socket.gethostname()}, made at {times.stamp()}.",
        f"Version (commit): {commit}",
        *_contents(made, len(made.own.names)),
    ]


def _in_words(path: Path, made: _Made) -> list[str]:
    size = in_bytes(path.stat().st_size)
    return [
        f"{path}: {size}, for you alone (0600): keys and customers' text are in it",
        *_contents(made, _SHOWN),
        f"To go on from it, in the folder of a fresh clone: tar -xpf {shlex.quote(str(path))}",
    ]


def _contents(made: _Made, most: int) -> list[str]:
    """What is in it and what is not, a line for each; of one's own files, so many at most."""
    own, apart = made.own, made.elsewhere
    ledgers = ", ".join(name.removeprefix("state/") for name in made.state.ledgers)
    settings_in_words = ".env" if made.has_settings else "no .env: there is none"
    in_state = counted(len(made.state.ledgers), "ledger") + (f" ({ledgers})" if ledgers else "")
    lines = [
        f"  settings     {settings_in_words}",
        f"  state/       {in_state}, {counted(made.state.others, 'other file')}",
        f"  reports/     {counted(made.reports.others, 'file')}",
        f"  your own     {_some(own.names, most) or 'nothing: git knows all jobs as they are'}",
    ]
    if own.note:
        lines.append(f"               {own.note}: all jobs are in it")
    lines += [f"  to put back  {line}" for line in put_back(apart)]
    lines += [f"  NOT IN IT    {line}" for line in not_in_it(apart)]
    lines += [
        f"  NOT IN IT    {name}: it is no file, but a link, a socket or the like"
        for name in (*made.state.skipped, *made.reports.skipped)
    ]
    if own.removed:
        gone = ", ".join(own.removed)
        lines.append(f"  NOT IN IT    {gone}: you removed that, and a fresh clone has it again")
    lines.append("  NOT IN IT    logs/, state/demo/, and venv/, which the first run makes")
    return lines


def _some(names: Sequence[str], most: int) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(name if name.isprintable() else ascii(name) for name in names[:most]) + more


def _target(text: str, root: Path) -> Path:
    """The file to be made. Raises JobExit (2) where it is in a folder that goes in."""
    if text == "-":
        only = "a backup is a file, which is there only when it is whole"
        raise JobExit(exits.USAGE, f"{only}: name one in the place of -")
    given = Path(text).expanduser()
    path = given.parent.resolve() / given.name
    for name in _GOES_IN:
        if path.is_relative_to((root / name).resolve()):
            inside = f"{path} is in {name}/"
            remedy = "name a file outside this installation, best on another disk"
            raise JobExit(exits.USAGE, f"{inside}, a folder of this installation: {remedy}")
    return path


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        prog="./run_job.sh --backup",
        description="Writes settings, ledgers, reports and your own jobs into one tar.",
    )
    parser.add_argument("file", metavar="FILE", help="the tar to be made (NAME.tar.gz: compressed)")
    return parser.parse_args(arguments)


def _stop(number: int, _: object) -> NoReturn:
    # So that what is unfinished is removed.
    raise SystemExit(128 + number)


if __name__ == "__main__":
    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, _stop)
    raise SystemExit(main(sys.argv[1:]))
