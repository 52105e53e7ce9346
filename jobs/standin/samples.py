"""The sample records that `--demo` reads: four days of messages to an invented shop.

Fernhill Tea & Pottery, its customers and its courier do not exist; every text in samples.csv was
written for this project. Some texts are hostile on purpose, as some customers are.
"""

import csv
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path

SAMPLES = Path(__file__).with_name("samples.csv")
DAYS = 4  # the last of them is yesterday

# The one table of a demo's database, besides those that the jobs save into.
CONTENTS = "events (id, created_at, content)"
TABLE = """
    CREATE TABLE events (id INTEGER PRIMARY KEY, created_at TEXT NOT NULL, content TEXT NOT NULL)
"""


def create(path: Path, today: date, timezone: tzinfo) -> int:
    """Write the samples into a new SQLite file, on the four days before `today`.

    Returns the number of records. A file that exists stays as it is. A new one appears whole or
    not at all, even if the process is killed.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
        try:
            with os.fdopen(descriptor) as written:
                _fill(part, today, timezone)
                os.fsync(written.fileno())
            Path(part).replace(path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM events").fetchone()[0])


def _fill(part: str, today: date, timezone: tzinfo) -> None:
    with closing(sqlite3.connect(part)) as db, db:
        db.execute("PRAGMA journal_mode = MEMORY")  # a kill leaves no journal beside the file
        db.execute(TABLE)
        rows = _samples(today, timezone)
        db.executemany("INSERT INTO events (created_at, content) VALUES (?, ?)", rows)


def _samples(today: date, timezone: tzinfo) -> Iterator[tuple[str, str]]:
    with SAMPLES.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            day = today - timedelta(days=DAYS + 1 - int(row["day"]))
            yield _utc(day, time.fromisoformat(row["time"]), timezone), row["content"]


def _utc(day: date, clock: time, timezone: tzinfo) -> str:
    """The moment when clocks in `timezone` showed `clock` on `day`: UTC, as SQLite writes it.

    A time that DST skips moves behind the gap, or in front of it if behind is the next day.
    """
    moment = datetime.combine(day, clock, timezone).astimezone(UTC)
    if moment.astimezone(timezone).date() != day:
        moment = datetime.combine(day, clock.replace(fold=1), timezone).astimezone(UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}"
