"""RECORDS_DB and the jobs: does each script import, does its database open, does its SELECT fit?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from common.definition.check import lacking_columns
from common.job import Job
from common.process.exits import JobExit
from common.process.postgres import in_words, is_postgres
from common.process.sqlite_errors import plain_errors
from common.process.sqlite_files import unshared
from common.source.source_database import open_source
from ops.examination import first_records
from ops.examination.installation import Installation
from ops.examination.lines import FAIL, Line, fail, ok, warn
from ops.examination.scripts import Unusable, job_of

# Older ones can corrupt a WAL file that two connections write at once.
_SAFE_WAL = (3, 51, 3)


def check(installation: Installation) -> Iterator[Line]:
    """Every job that is examined."""
    if not installation.jobs:
        yield warn("job", "there is none in jobs/", "make one: ./run_job.sh --new NAME")
    for name in installation.jobs:
        subject = f"job {name}"
        try:
            job = job_of(installation.root / "jobs" / f"{name}.py")
        except Unusable as unusable:
            yield fail(subject, unusable.text, unusable.remedy)
            continue
        try:
            yield from check_job(subject, job, installation.settings(name).records_db())
        except JobExit as error:
            yield fail(subject, error.message)


def check_job(subject: str, job: Job, url: str) -> Iterator[Line]:
    """Whether a job fits the database at `url`. Raises JobExit where that cannot be used."""
    database = open_source(url, writable=False)
    try:
        columns = database.columns(job.select)
        lacking = database.lacking(job.tables)
        refused = "" if job.per_day else database.unwritable(job.tables)
        with plain_errors(f"RECORDS_DB {url}", "read"):
            mode = "" if is_postgres(url) else _journal_mode(database.connection)
        reason = lacking_columns(job, columns) or lacking or refused
        wrong = [] if reason else [*first_records.check(subject, job, database)]
    finally:
        database.close()
    if reason:
        yield fail(subject, reason)
        return
    yield from wrong
    if any(line.level == FAIL for line in wrong):
        return
    if database.hidden:
        yield warn(subject, database.hidden, "a policy for it, or `alter role … bypassrls`")
    writes = not job.per_day
    if writes and "://" not in url:
        path = Path(url).expanduser()
        if alone := unshared(path):
            yield warn(
                subject, f"RECORDS_DB={path}: where a run is killed while it writes, {alone}"
            )
        if mode == "wal" and sqlite3.sqlite_version_info < _SAFE_WAL:
            yield warn(
                subject,
                f"SQLite {sqlite3.sqlite_version} can corrupt a WAL database that two programs "
                "write"
                f" at once, and {path} is one",
                "a Python with SQLite 3.51.3 or later, or run it when your application rests",
            )
    yield ok(subject, f"imports, and its SELECT fits {in_words(url)}: {', '.join(columns)}")


def _journal_mode(connection: sqlite3.Connection) -> str:
    return str(connection.execute("pragma journal_mode").fetchone()[0]).lower()
