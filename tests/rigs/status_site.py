"""An installation as `status` and `prune` find it, made of real ledgers and of what the wrappers
leave.
"""

from __future__ import annotations

import io
import json
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

from common import times
from common.claude.pricing import Tokens
from common.ledger.apart import job_of
from common.ledger.ledger import Ledger
from common.ledger.set_aside import Answer
from common.ledger.sqlite_ledger import LedgerFile
from common.ledger.states import Purpose, RequestStatus
from rigs.databases import Databases, SqliteFiles
from rigs.ledgers import ended, intent

VERSION = "0123456789ab"  # of a job, where a test does not care


def ago(**span: float) -> str:
    """A time in the past, as the ledger writes it: ago(days=3, hours=1)."""
    return times.stamp(times.now() - timedelta(**span))


def run_id(at: str, pid: int = 4711) -> str:
    """The id of a run that began then."""
    return f"{at.replace('-', '').replace(':', '')}-{pid}"


@dataclass
class Said:
    """What a command said."""

    code: int
    out: str
    err: str


@dataclass
class StatusSite:
    """An installation in a temporary folder."""

    root: Path
    databases: Databases = None  # type: ignore[assignment]  # SQLite files, where nothing is said

    def __post_init__(self) -> None:
        self.databases = self.databases or SqliteFiles(self.root)
        for folder in ("jobs", "state", "logs"):
            (self.root / folder).mkdir(exist_ok=True)

    def job(self, name: str) -> None:
        """A job with a script."""
        (self.root / f"jobs/{name}.py").write_text('"""A job."""\n')

    def remove(self, name: str) -> None:
        """Take a job's script away; what it has left stays."""
        (self.root / f"jobs/{name}.py").unlink()

    def ask(self, module: ModuleType, *arguments: str, **environ: str) -> Said:
        """Run an operator's script in this process."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            try:
                code = module.main(arguments, self.root, self.databases.settings() | environ)
            except SystemExit as end:
                code = int(str(end.code))
        return Said(code, out.getvalue(), err.getvalue())

    def json(self, module: ModuleType, *arguments: str, **environ: str) -> dict[str, Any]:
        """What --json says."""
        found: dict[str, Any] = json.loads(self.ask(module, *arguments, "--json", **environ).out)
        return found

    def records(
        self,
        job: str,
        status: str,
        *record_ids: str,
        at: str = "",
        usd: float = 0.5,
        path: str = "",
        version: str = VERSION,
        purpose: str = "run",
    ) -> None:
        """One request about these records, which end in that status.

        `job` may be a name under which answers stand apart.
        """
        at = at or times.stamp()
        self.job(job_of(job))
        made = LedgerFile(self.root / path) if path else self.databases.open_ledger(job_of(job))
        with closing(made) as file:
            ledger = Ledger(file, job, "r", version, Purpose(purpose))
            request_id = f"{job}-{at}-{record_ids[0]}"
            with file.transaction():
                ledger.intend([intent(request_id, *record_ids, most_usd=usd)])
                if status not in ("submitted", "waiting"):
                    answer = json.dumps({"about": "a" * 200})
                    spent = Tokens(100, 10)
                    ledger.answered([Answer(request_id, record_ids, answer, "req", spent, usd)])
                if status in ("done", "corrected"):
                    outputs = dict.fromkeys(record_ids, '{"label": "x"}')
                    is_corrected = status == "corrected"
                    ledger.apply([ended(request_id, done=outputs, corrected=is_corrected)])
                if status in ("failed", "dead"):
                    reasons = dict.fromkeys(record_ids, f"refused ({status})")
                    ledger.apply([ended(request_id, RequestStatus.DONE, **{status: reasons})])
                if status == "waiting":
                    ledger.apply([ended(request_id, RequestStatus.LOST, waiting=record_ids)])
                file.db.execute(
                    "update requests set created_at = ? where request_id = ?", (at, request_id)
                )
                file.db.executemany(
                    "update records set updated_at = ? where job = ? and record_id = ?",
                    [(at, job, record_id) for record_id in record_ids],
                )

    def ran(self, job: str, at: str, code: int | None, seconds: int = 60, done: int = 0) -> str:
        """A run in the ledger; its id. `job` may be a name under which answers stand apart."""
        self.job(job_of(job))
        end = times.stamp(times.instant(at) + timedelta(seconds=seconds))
        with closing(self.databases.open_ledger(job_of(job))) as file:
            file.db.execute(
                "insert into runs"
                " (run_id, job, started_at, ended_at, exit_code, delivery, model, done)"
                " values (?, ?, ?, ?, ?, 'live', 'claude-haiku-5-5', ?)",
                (run_id(at), job, at, None if code is None else end, code, done),
            )
        return run_id(at)

    def told(self, job: str, at: str, code: int, reason: str = "", seconds: int = 60) -> str:
        """A line of history.tsv about a run that began then; its id."""
        self.job(job)
        end = times.stamp(times.instant(at) + timedelta(seconds=seconds))
        with (self.root / "state/history.tsv").open("a", encoding="utf-8") as file:
            file.write(f"{end}\t{run_id(at)}\t{job}\t{code}\t{seconds}\t{reason}\n")
        return run_id(at)

    def rows(self, job: str, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query on a job's ledger."""
        with self.databases.ledger(job) as db:
            return list(db.execute(sql))

    def change(self, job: str, sql: str, *values: Any) -> None:
        """Change something in a job's ledger."""
        with self.databases.ledger(job) as db:
            db.execute(sql, values)

    def files(self) -> dict[str, tuple[int, int]]:
        """Every file with its size and time."""
        return {
            str(path.relative_to(self.root)): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in self.root.rglob("*")
            if path.is_file()
        }
