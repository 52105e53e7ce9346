"""RECORDS_DB and the jobs: does each script import, does its database open, does its SELECT fit?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from common.definition.check import lacking_columns
from common.job import Job
from common.ledger.opening import open_ledger
from common.ledger.reported.stored_reports import stored_reports
from common.process.exits import JobExit
from common.process.postgres import in_words, is_postgres
from common.process.sqlite_errors import plain_errors
from common.process.sqlite_files import unshared
from common.process.words import counted
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
            if job.reports_of:
                yield check_reports(subject, job, installation)
            else:
                yield from check_job(subject, job, installation.settings(name).records_db())
        except JobExit as error:
            yield fail(subject, error.message)


def check_reports(subject: str, job: Job, installation: Installation) -> Line:
    """Whether the job that it is made from writes a report per day, and has stored one.

    Raises JobExit where that job's ledger cannot be read.
    """
    other = job.reports_of
    try:
        theirs = job_of(installation.root / "jobs" / f"{other}.py")
    except Unusable as unusable:
        return fail(subject, f"is made from {other}, which {unusable.text}", unusable.remedy)
    if theirs.reports_of or not theirs.per_day:
        remedy = f"name one that does in reports_of=… of jobs/{job.name}.py"
        return fail(subject, f"is made from {other}, which writes no report per day", remedy)
    settings = installation.settings(other)
    with closing(open_ledger(settings, read_only=True, has_witness=False)) as file:
        days = stored_reports(file.db, other, "", "9999")
    if not days:
        remedy = f"./run_job.sh {other}"
        return warn(subject, f"imports, and {other} has stored no report of a day yet", remedy)
    since = f"{counted(len(days), 'day')} since {days[0].window}"
    return ok(subject, f"imports, and {other} has stored reports of {since}")


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
