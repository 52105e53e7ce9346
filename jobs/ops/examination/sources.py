"""RECORDS_DB and the jobs: does each script import, does its database open, does its SELECT fit?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from common import times
from common.job import Job
from common.process.exits import JobExit
from common.process.sqlite_errors import plain_errors
from common.process.sqlite_files import unwritable
from common.source.sqlite_source import open_source
from ops.examination.installation import Installation
from ops.examination.lines import Line, fail, ok, warn
from ops.examination.scripts import Unusable, job_of

# Older ones can corrupt a WAL file that two connections write at once.
_SAFE_WAL = (3, 51, 3)


def check(installation: Installation) -> Iterator[Line]:
    """Every job that is examined."""
    if not installation.jobs:
        yield warn("job", "there is none in jobs/", "copy one from the README")
    for name in installation.jobs:
        subject = f"job {name}"
        try:
            job = job_of(installation.root / "jobs" / f"{name}.py")
        except Unusable as unusable:
            yield fail(subject, unusable.text, unusable.remedy)
            continue
        try:
            yield from _source(subject, job, installation.settings(name).records_db())
        except JobExit as error:
            yield fail(subject, error.message)


def _source(subject: str, job: Job, url: str) -> Iterator[Line]:
    database = open_source(url, writable=False)
    try:
        with plain_errors(f"RECORDS_DB {url}", "read"):
            columns = _columns(database.connection, job)
            mode = _journal_mode(database.connection)
            lacking = database.lacking(job.tables)
    finally:
        database.close()
    there = {name.lower() for name in columns}
    missing = [name for name in _needed(job) if name.lower() not in there]
    if missing:
        has = f"the SELECT gives {', '.join(columns)}"
        yield fail(
            subject, f"{has}, but not {', '.join(missing)}", f"add it at the top of {job.name}"
        )
        return
    if lacking:
        yield fail(subject, lacking)
        return
    writes = not job.per_day
    if writes and "://" not in url:
        path = Path(url).expanduser()
        if refused := unwritable(path):
            yield fail(subject, f"RECORDS_DB={path}: {refused}")
            return
        if mode == "wal" and sqlite3.sqlite_version_info < _SAFE_WAL:
            yield warn(
                subject,
                f"SQLite {sqlite3.sqlite_version} can corrupt a WAL database that two programs "
                "write"
                f" at once, and {path} is one",
                "a Python with SQLite 3.51.3 or later, or run it when your application rests",
            )
    yield ok(subject, f"imports, and its SELECT fits {url}: {', '.join(columns)}")


def _columns(connection: sqlite3.Connection, job: Job) -> list[str]:
    """The names of the SELECT's columns; nothing is read."""
    end = times.now()
    window = {"start": times.sql_time(end - timedelta(days=1)), "end": times.sql_time(end)}
    connection.execute(f"explain {job.select}", window)
    select = job.select.strip().rstrip(";")
    # The line break ends a comment on the SELECT's last line.
    found = connection.execute(f"select * from ({select}\n) limit 0", window)
    return [str(column[0]) for column in found.description]


def _journal_mode(connection: sqlite3.Connection) -> str:
    return str(connection.execute("pragma journal_mode").fetchone()[0]).lower()


def _needed(job: Job) -> list[str]:
    needed = ["record_id", *job.attributes]
    if job.show is Job.__dataclass_fields__["show"].default:
        needed.append("content")
    if job.per_day:
        needed.append(job.time)
    return list(dict.fromkeys(needed))
