"""Forget old answers, outputs, runs and logs, and give the disk space back. What is done stays
done. Or erase everything that is kept about one record.

Usage   ./run_job.sh prune [JOB] --older-than 90d [--dry-run] [--demo]
        ./run_job.sh prune --record ID [--record ID2 …] [--dry-run] [--demo]
        Without either it says what 90d would remove, and removes nothing.
Exit    0; 75 where every job was running; otherwise the first code of what could not be pruned.
        With --record: 2 where no ledger knows the record, 75 where a job was running or not all of
        it could be erased yet: run it again
"""

from __future__ import annotations

import sys
from pathlib import Path

# `python -P` starts this script, so that no job is imported in the place of a module that it is
# called like: Python's own and the installed ones are found first, ours last.
sys.path.append(str(Path(__file__).resolve().parents[1]))

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta

from common import settings, times
from common.ledger.opening import open_ledger
from common.ledger.sqlite_ledger import LedgerFile
from common.process import exits
from common.process.command_line import Parser, say
from common.process.exits import JobExit
from common.process.lock import hold, sign
from common.process.log import brief
from common.process.words import counted
from common.settings import ROOT
from ops.facts import history
from ops.facts.known_jobs import known_jobs, meant
from ops.ledger.retention import Forgotten, forget, forget_work, would_forget
from ops.ledger.sqlite_space import compact, free_pages, size_of


def main(
    arguments: Sequence[str], root: Path = ROOT, environ: Mapping[str, str] | None = None
) -> int:
    """Prune, say what it freed, and return the exit code."""
    os.umask(0o077)
    codes = []
    try:
        given = _parse(arguments)
        if given.record:
            return _erase(given, root, environ)
        asks_only = given.older_than is None
        if asks_only:
            given.older_than, given.dry_run = timedelta(days=90), True
        base = settings.load("", demo=given.demo, root=root, environ=environ)
        told = history.read(base.state / "history.tsv")
        jobs = known_jobs(base, {line.job for line in told.lines}, given.job)
        job = meant(given.job, jobs) if given.job else ""
        before = times.stamp(times.now() - given.older_than)
        logs = (base.state if given.demo else root) / "logs"
        for name in [job] if job else jobs:
            code, line = _prune(replace(base, job=name), logs, before, dry_run=given.dry_run)
            codes.append(code)
            say(line)
        _forget_history(base.state / "history.tsv", before, job, dry_run=given.dry_run)
        if asks_only:
            say("Nothing was removed: add --older-than 90d, or another number of days.")
    except JobExit as end:
        sys.stderr.write(f"prune: {end.message}\n")
        return end.code
    except OSError as error:
        sys.stderr.write(f"prune: {error}\n")
        return exits.CANNOT_WRITE
    broken = [code for code in codes if code not in (exits.DONE, exits.NOT_NOW)]
    if broken:
        return broken[0]
    return exits.NOT_NOW if codes and set(codes) == {exits.NOT_NOW} else exits.DONE


def _erase(given: argparse.Namespace, root: Path, environ: Mapping[str, str] | None) -> int:
    """Erase records, say what went, and return the exit code. Raises JobExit, OSError."""
    from ops.erasing.erase import erase_everywhere, in_lines, reword_history

    base = settings.load("", demo=given.demo, root=root, environ=environ)
    told = history.read(base.state / "history.tsv")
    jobs = known_jobs(base, {line.job for line in told.lines})
    logs = (base.state if given.demo else root) / "logs"
    codes: list[int] = []
    for record_id in dict.fromkeys(given.record):
        shown = brief(record_id)
        erased = []
        for one in erase_everywhere(base, logs, jobs, record_id, dry_run=given.dry_run):
            erased.append(one)
            for line in in_lines(one, dry_run=given.dry_run):
                say(f"{shown}: {line}")
        if lines := reword_history(base, record_id, dry_run=given.dry_run):
            say(f"{shown}: history.tsv: {counted(lines, 'line')} {_would(given.dry_run)}reworded")
        codes += [one.code for one in erased]
        if not any(one.known for one in erased) and not any(codes):
            sys.stderr.write(f"prune: no ledger of these jobs knows a record {shown}\n")
            codes.append(exits.USAGE)
    first = next((code for code in codes if code not in (exits.DONE, exits.NOT_NOW)), exits.DONE)
    return first or (exits.NOT_NOW if exits.NOT_NOW in codes else exits.DONE)


def _prune(found: settings.Settings, logs: Path, before: str, *, dry_run: bool) -> tuple[int, str]:
    try:
        return (
            exits.DONE,
            f"{found.job}: {_in_words(prune(found, logs, before, dry_run=dry_run), dry_run)}",
        )
    except JobExit as end:
        skipped = "skipped, " if end.code == exits.NOT_NOW else ""
        return end.code, f"{found.job}: {skipped}{end.message}"


@dataclass
class Pruned:
    """What went, or would go, of a job."""

    forgotten: Forgotten
    logs: int
    log_bytes: int

    @property
    def anything(self) -> bool:
        """Whether there was anything to forget."""
        gone = self.forgotten
        return bool(
            gone.answers
            or gone.outputs
            or gone.reports
            or gone.runs
            or gone.tries
            or gone.bytes
            or self.logs
        )


def prune(found: settings.Settings, logs: Path, before: str, *, dry_run: bool) -> Pruned:
    """Forget what a job left before that time.

    Raises JobExit: 75 where the job is running, others as the ledger does.
    """
    place, job = found.ledger(), found.job
    old_logs = _old_logs(logs, job, before)
    size = sum(log.stat().st_size for log in old_logs)
    if dry_run:
        return Pruned(_of_ledger(found, before, dry_run=True), len(old_logs), size)
    if isinstance(place, Path) and not place.exists() and not old_logs:
        return Pruned(Forgotten(), 0, 0)
    lock = hold(found.state / f"{job}.lock")
    try:
        now = times.stamp()
        run_id = f"{now.replace('-', '').replace(':', '')}-{os.getpid()}"
        sign(lock, os.getpid(), now, run_id)
        forgotten = _of_ledger(found, before, dry_run=False)
        for log in old_logs:
            log.unlink()
        return Pruned(forgotten, len(old_logs), size)
    finally:
        os.close(lock)


def _of_ledger(found: settings.Settings, before: str, *, dry_run: bool) -> Forgotten:
    place, job = found.ledger(), found.job
    if isinstance(place, Path) and not place.exists():
        return Forgotten()
    size = size_of(place) if isinstance(place, Path) else 0
    with closing(open_ledger(found, read_only=dry_run, has_witness=False)) as file:
        if dry_run:
            return would_forget(file, job, before)
        gone = forget(file, job, before)
        if not isinstance(file, LedgerFile):
            forget_work(file, job, before)
            gone.by_server = gone.length > 0
            return gone
        gone.note = compact(file, file.path, gone.length)
        gone.reusable = free_pages(file)
    gone.bytes = max(0, size - size_of(file.path))
    return gone


def _old_logs(folder: Path, job: str, before: str) -> list[Path]:
    """The logs that rotation has set aside and nobody has written since."""
    limit = times.instant(before).timestamp()
    return [path for path in folder.glob(f"{job}.log.*.gz") if path.stat().st_mtime < limit]


def _forget_history(path: Path, before: str, job: str, *, dry_run: bool) -> None:
    def is_old(line: history.Line) -> bool:
        return line.ended_at < before and job in ("", line.job)

    lines, freed = history.forget(path, is_old, dry_run=dry_run)
    if lines:
        say(f"history.tsv: {counted(lines, 'line')} {_would(dry_run)}removed, {in_bytes(freed)}")


def _in_words(pruned: Pruned, dry_run: bool) -> str:
    if not pruned.anything:
        return "nothing that old"
    gone = pruned.forgotten
    counts = {
        "answer": gone.answers,
        "output": gone.outputs,
        "stored report": gone.reports,
        "run": gone.runs,
        "sample": gone.tries,
        "log": pruned.logs,
    }
    what = ", ".join(counted(count, name) for name, count in counts.items() if count)
    on_disk = gone.bytes + pruned.log_bytes
    freed = f"{in_bytes(on_disk)} freed"
    if gone.by_server:
        space = f"{in_bytes(gone.length)} for what comes next, once the server has vacuumed"
        freed = f"{space}, {freed}" if on_disk else space
    if dry_run:
        freed = f"{in_bytes(on_disk + gone.reusable)} would be freed or used again"
    elif gone.reusable >= 1 << 20:
        freed += f", {in_bytes(gone.reusable)} inside the ledger free for what comes next"
    note = f"; {gone.note}" if gone.note else ""
    return f"{what or 'nothing'} {_would(dry_run)}removed; {freed}{note}"


def _would(dry_run: bool) -> str:
    return "would be " if dry_run else ""


def in_bytes(count: int) -> str:
    """Bytes for a person."""
    for unit, limit in (("B", 1e3), ("kB", 1e6), ("MB", 1e9)):
        if count < limit:
            return f"{count / (limit / 1e3):.0f} {unit}"
    return f"{count / 1e9:.1f} GB"


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        prog="./run_job.sh prune",
        description="Forget old answers, outputs, runs and logs: what is done stays done. Or erase"
        " everything about one record.",
    )
    add = parser.add_argument
    add("job", nargs="?", default="", metavar="JOB", help="of this job alone")
    add("--older-than", type=_days, metavar="90d", help="what is older goes; without: see 90d")
    add(
        "--record",
        action="append",
        metavar="ID",
        help="erase all that any job keeps about this record; its id and its cost stay",
    )
    add("--dry-run", action="store_true", help="say what would go; change nothing")
    add("--demo", action="store_true", help="in state/demo/")
    given = parser.parse_args(arguments)
    if given.record and (given.job or given.older_than):
        parser.error("--record is about all jobs, and any age: leave out JOB and --older-than")
    return given


def _days(text: str) -> timedelta:
    # In days, so that nobody forgets 90 minutes and more by a slip of the finger.
    if (found := re.fullmatch(r"(\d{1,4})d", text)) and int(found[1]) > 0:
        return timedelta(days=int(found[1]))
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of days such as 90d")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
