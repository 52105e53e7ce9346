"""A rig that kills runs: an installation, and a stand-in that keeps a bill.

Each run is a process, `python jobs/NAME.py`, that dies of SIGKILL. `crash_oracle.py` compares the
installation with the bill afterwards.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rigs.connections import connected
from rigs.harness import REPOSITORY
from rigs.prepared import Prepared

FIRST_DAY = date(2026, 11, 18)
SUBJECTS = ("parcel", "refund", "invoice", "password", "colour", "garden", "battery", "lamp")
IN_FLIGHT = 8  # requests, by --concurrency

# A per-record job. Its table counts how often a row was saved: the contract allows more than once.
PER_RECORD = """
import sqlite3
from pathlib import Path
from typing import Literal
from pydantic import BaseModel
from common import Job, run

class Label(BaseModel):
    label: Literal["parcel", "refund", "invoice", "password"]

def show(record):
    {show}
    return record["content"]

def save(db, record, output):
    {save}
    db.execute("insert into labels values (?, ?, 1) on conflict (record_id)"
        " do update set label = excluded.label, saves = labels.saves + 1",
        (record["record_id"], output.label))

JOB = Job(name=Path(__file__).stem,
    select="select id as record_id, content from events order by id",
    instructions="Label each record.", output=Label, save=save, show=show, chunk_size={chunk_size},
    tables="create table if not exists labels"
    " (record_id text primary key, label text, saves integer)")
if __name__ == "__main__":
    raise SystemExit(run(JOB))
"""


@dataclass
class Ended:
    """The end of a process: its exit code, its stderr and the seconds that it took."""

    code: int
    log: str
    seconds: float


@dataclass
class Bill:
    """A stand-in process and its billing log, from line `begin` on."""

    url: str
    path: Path
    begin: int = 0

    def lines(self) -> list[dict[str, Any]]:
        """The complete lines of the billing log, oldest first."""
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        return [json.loads(line) for line in whole.splitlines()[self.begin :]]


@contextmanager
def standin_process(
    folder: Path,
    latency: float = 0.02,
    faults: Sequence[dict[str, Any]] = (),
    message_batch_seconds: float = 0.5,
) -> Iterator[Bill]:
    """Run the stand-in as a process of its own. Its files are in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "faults.json").write_text(json.dumps(list(faults)))
    command = [sys.executable, "-m", "standin.standin", "--port", "0"]
    command += ["--latency", str(latency), "--billed", str(folder / "billed.jsonl")]
    command += ["--faults", str(folder / "faults.json")]
    command += ["--message-batch-seconds", str(message_batch_seconds)]
    with subprocess.Popen(
        command, cwd=REPOSITORY / "jobs", stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield Bill(process.stdout.readline().strip(), folder / "billed.jsonl")
        finally:
            process.kill()


@dataclass
class Rig:
    """One installation: a copy of jobs/ with its own state and reports."""

    root: Path
    bill: Bill
    job: str = "daily_report"
    days: int = 2
    environ: dict[str, str] = field(default_factory=dict)
    in_flight: int = 0  # requests under way at all kills so far
    in_flight_live: int = 0  # those of them that were sent live
    tracebacks: list[str] = field(default_factory=list)  # of runs that died before their kill

    def __post_init__(self) -> None:
        ignored = shutil.ignore_patterns("demo")
        shutil.copytree(REPOSITORY / "jobs", self.root / "jobs", ignore=ignored)
        self.bill.begin = len(self.bill.lines())

    def events(self, per_day: int) -> None:
        """Fill the source with `per_day` records on each of `days` days."""
        dice = random.Random(1)
        rows = []
        for number in range(self.days * per_day):
            at = FIRST_DAY + timedelta(days=number // per_day)
            words = dice.sample(SUBJECTS, 2)
            text = f"Message {number}: what about the {words[0]} and the {words[1]}?"
            rows.append((number, text, f"{at} {dice.randrange(24):02}:{number % 60:02}:00"))
        with closing(sqlite3.connect(self.root / "records.db")) as db, db:
            db.execute("create table events (id integer primary key, content, created_at)")
            db.executemany("insert into events values (?, ?, ?)", rows)

    def per_record(self, chunk_size: int = 1, show: str = "pass", save: str = "pass") -> None:
        """Make `labels` the job. `show` and `save` are code for its functions of that name."""
        self.job = "labels"
        code = PER_RECORD.format(chunk_size=chunk_size, show=show, save=save)
        (self.root / "jobs/labels.py").write_text(code)

    def outdate(self) -> None:
        """Do all records with `labels`, and edit its instructions then."""
        assert self.run().code == 0
        script = self.root / "jobs/labels.py"
        code = script.read_text()
        assert "Label each record." in code
        script.write_text(code.replace("Label each record.", "Label each record well."))

    @property
    def ledger_path(self) -> Path:
        """The ledger's path."""
        return Path(
            self.environ.get("LEDGER_DB", str(self.root / "state/{job}.db")).format(job=self.job)
        )

    @property
    def reports(self) -> Path:
        """The reports' folder."""
        return self.root / "reports" / self.job

    def start(
        self, *arguments: str, before: str = "", under: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        """Start a run. Its process runs the code `before` first; `under` is a command around it."""
        window = ["--since", str(FIRST_DAY), "--until", str(self.day(self.days - 1))]
        window = [] if self.job == "labels" else window
        if "--concurrency" not in arguments:
            window += ["--concurrency", str(IN_FLIGHT)]
        path = self.root / f"jobs/{self.job}.py"
        runner = [str(path)]
        if before:
            runs_it = (
                f"import runpy, sys; sys.path.insert(0, {str(path.parent)!r}); sys.argv[0] "
                "= "
                f"{str(path)!r}\n"
            )
            runner = [
                "-c",
                f"{runs_it}{before}\nrunpy.run_path({str(path)!r}, run_name='__main__')",
            ]
        given = {
            "PATH": "/usr/bin:/bin",
            "NO_PROXY": "127.0.0.1",
            "ANTHROPIC_API_KEY": "sk-ant-test-key-000000",
            "ANTHROPIC_BASE_URL": self.bill.url,
            "RECORDS_DB": str(self.root / "records.db"),
            "REPORT_TZ": "UTC",
            **self.environ,
        }
        options: dict[str, Any] = {"stderr": subprocess.PIPE, "text": True}
        if not under:
            return Prepared([*runner, *window, *arguments], env=given, **options)
        command = [*under, sys.executable, *runner, *window, *arguments]
        return subprocess.Popen(command, env=given, **options)

    @contextmanager
    def running(self, *arguments: str, before: str = "") -> Iterator[subprocess.Popen[str]]:
        """Start a run, and kill it at the end of the block."""
        with self.start(*arguments, before=before) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, *arguments: str, before: str = "") -> Ended:
        """Run to the end, 60 seconds at most."""
        began = time.monotonic()
        with self.start(*arguments, before=before) as process:
            log = process.communicate(timeout=60)[1]
        return Ended(process.returncode, log, time.monotonic() - began)

    def killed(self, moment: Callable[[], bool], *arguments: str, before: str = "") -> bool:
        """Start a run and kill it once `moment()` is true. False if it ended before that."""
        with self.start(*arguments, before=before) as process:
            until(lambda: moment() or process.poll() is not None)
            process.send_signal(signal.SIGKILL)
            log = process.communicate()[1]
        if "Traceback" in log:
            self.tracebacks.append(log[-600:])
        self.count_in_flight()
        return process.returncode == -signal.SIGKILL

    def count_in_flight(self) -> None:
        """Count the requests that a kill left under way."""
        if self.tables():
            sql = "select delivery from requests where status = 'submitted'"
            in_flight = [delivery for (delivery,) in self.ledger(sql)]
            self.in_flight += len(in_flight)
            self.in_flight_live += in_flight.count("live")

    def day(self, number: int) -> date:
        """The date of the day with that number, from 0."""
        return FIRST_DAY + timedelta(days=number)

    @property
    def ledger_url(self) -> str:
        """The address of a ledger in PostgreSQL, "" where it is a file."""
        place = self.environ.get("LEDGER_DB", "")
        return place if "://" in place else ""

    def ledger(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query on the ledger."""
        if url := self.ledger_url:
            with connected(url) as server:
                return server.execute(sql.encode()).fetchall()
        with closing(sqlite3.connect(self.ledger_path)) as db:
            return db.execute(sql).fetchall()

    def tables(self) -> int:
        """The number of tables in the ledger; 0 if the run died before it made them."""
        if self.ledger_url:
            own = "select count(*) from pg_tables where schemaname = 'public'"
            return int(self.ledger(own)[0][0])
        if not self.ledger_path.exists():
            return 0
        return int(self.ledger("select count(*) from sqlite_master")[0][0])

    def source(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query on the source database."""
        with closing(sqlite3.connect(self.root / "records.db")) as db:
            return db.execute(sql).fetchall()

    def report(self, number: int) -> str:
        """A day's report without its last line, which names the run."""
        text = (self.reports / f"{self.day(number)}.md").read_text(encoding="utf-8")
        return text[: text.rindex("\n---\n")]


def new_database(server: str, name: str) -> str:
    """The address of a new database on that server."""
    with connected(server) as db:
        db.execute(f"create database {name} template template0".encode())
    return urlsplit(server)._replace(path=f"/{name}").geturl()


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until `condition()` is true. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.0005)  # less long than a commit takes, and the processor is the other's
