"""Erases a record from the files of an installation: logs, pages, review tables, history, alerts.

Each file is written anew, whole or not at all. `dry_run` says what would change.
"""

from __future__ import annotations

import csv
import fcntl
import gzip
import io
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path

from common.process.files import check_ours, open_ours
from common.publish.outbox import number
from ops.erasing.naming import Naming

_PAGES = (".html", ".md", ".csv")
_WINDOW = re.compile(r"\d{4}-(?:\d\d-\d\d|W\d\d)(?=[-.])")


def logs(folder: Path, job: str, naming: Naming, *, dry_run: bool) -> int:
    """Erase it from a job's logs, those that rotation has set aside, too: how many lines.

    The caller holds the job's lock, so that nobody writes them.
    """
    return sum(_log(path, naming, dry_run) for path in sorted(folder.glob(f"{job}.log*")))


def _log(path: Path, naming: Naming, dry_run: bool) -> int:
    check_ours(path)
    raw = path.read_bytes()
    is_packed = raw.startswith(b"\x1f\x8b")
    text = (gzip.decompress(raw) if is_packed else raw).decode("utf-8", "surrogateescape")
    lines, count = naming.cleaned(text.splitlines(keepends=True))
    if count and not dry_run:
        cleaned = "".join(lines).encode("utf-8", "surrogateescape")
        times = path.stat().st_atime_ns, path.stat().st_mtime_ns
        _write_bytes(path, gzip.compress(cleaned) if is_packed else cleaned)
        os.utime(path, ns=times)  # by which prune --older-than and LOG_KEEP know its age
    return count


def days_named(folder: Path, naming: Naming) -> set[str]:
    """The days or weeks whose report names the record: 2026-11-21.html, 2026-W47.html."""
    return {_window(path) for path in _pages(folder) if _names(path, naming)} - {""}


def days_there(folder: Path, days: Collection[str]) -> list[Path]:
    """The files of the reports of these days."""
    return [path for path in _pages(folder) if _window(path) in days]


def _window(path: Path) -> str:
    """The day or week that a report's file is about, "" for any other file."""
    found = _WINDOW.match(path.name)
    return found[0] if found else ""


def evaluations(folder: Path, job: str, naming: Naming) -> list[Path]:
    """The pages of a job's evaluations that name the record."""
    pages = (path for path in _pages(folder) if path.name.startswith(f"{job}-"))
    return [path for path in pages if _names(path, naming)]


def _pages(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if path.suffix in _PAGES)


def _names(path: Path, naming: Naming) -> bool:
    check_ours(path)
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    if path.suffix != ".csv":
        return naming.in_page(text)
    return any(_is_about(row, naming) for row in csv.reader(io.StringIO(text)))


def _is_about(row: list[str], naming: Naming) -> bool:
    return any(cell.removeprefix("'") == naming.record_id for cell in row)


def remove(paths: Collection[Path], *, dry_run: bool) -> int:
    """Remove these files: how many."""
    for path in paths:
        if not dry_run:
            path.unlink(missing_ok=True)
    return len(paths)


def review_table(path: Path, naming: Naming, *, dry_run: bool) -> int:
    """Take the record's rows out of a review table: how many. The other rows stay as they are."""
    check_ours(path)
    if not path.exists():
        return 0
    text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    kept, count = [], 0
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    separator = max(",;\t", key=text.partition("\n")[0].count)
    for place, row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=separator)):
        if place and _is_about(row, naming):
            count += 1
        else:
            kept.append(row)
    if count and not dry_run:
        written = io.StringIO(newline="")
        csv.writer(
            written, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="\r\n"
        ).writerows(kept)
        _write_bytes(path, f"\ufeff{written.getvalue()}".encode("utf-8", "surrogateescape"))
    return count


def waiting(
    outbox: Path, job: str, naming: Naming, days: Collection[str], *, dry_run: bool
) -> Counter[str]:
    """Erase it from a job's alerts and announcements that wait to be sent: how many of each.

    What announces a report of these days goes altogether, since it quotes the report.
    """
    count: Counter[str] = Counter()
    if not outbox.is_dir():
        return count
    reports = tuple(f"-{number(day)}.report_" for day in days)
    with ExitStack() as unlocking:
        if not dry_run:  # who sends from it takes the same lock
            lock = open_ours(outbox / "_lock", os.O_RDWR | os.O_CREAT)
            unlocking.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
            for unfinished in outbox.glob(f".*.{job}.*part"):  # of a run that was killed
                unfinished.unlink(missing_ok=True)
        for path in sorted(outbox.glob(f"*[0-9]-[0-9]*.{job}")):
            text = path.read_bytes().decode("utf-8", "surrogateescape")
            announces = any(one in path.name for one in reports)
            if not announces and not naming.in_text(text):
                continue
            of_report = ".report_" in path.name
            count["waiting announcement" if of_report else "waiting alert"] += 1
            if dry_run:
                continue
            if announces:
                path.unlink()
            else:
                _write_bytes(path, naming.without(text).encode("utf-8", "surrogateescape"))
    return count


def old_ledgers(ledger: Path) -> list[str]:
    """Copies of a ledger that no job opens: one that was broken, one that was moved."""
    if not ledger.parent.is_dir():
        return []
    marks = (".broken-", ".moved")
    return [
        str(path)
        for path in sorted(ledger.parent.iterdir())
        if any(path.name.startswith(f"{ledger.name}{mark}") for mark in marks)
    ]


def _write_bytes(path: Path, content: bytes) -> None:
    """Replace a file by another one (0600) that is whole on the disk first."""
    part = path.with_name(f".{path.name}.erasing.part")
    part.unlink(missing_ok=True)
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
