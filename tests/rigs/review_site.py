"""A site whose answers a person reviews: the table that is written, filled in, and taken back."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from common import Job, Origin, Record
from ops import review
from rigs.harness import Site

COLUMNS = (
    "record_id text primary key, label text, runner_up text, score real, tags text, model text"
)


class Opinion(BaseModel):
    """An output with fields of several kinds."""

    label: Literal["delivery", "refund", "Praise"]
    runner_up: Literal["delivery", "refund", "Praise", ""] = ""
    score: float = Field(ge=0, le=1)
    urgent: bool = False
    tags: list[str] = []
    note: str | None = None


def save(db: Any, record: Record, output: Opinion, origin: Origin) -> None:
    """Replace the record's row."""
    db.execute("delete from opinions where record_id = ?", (record["record_id"],))
    db.execute(
        "insert into opinions values (?, ?, ?, ?, ?, ?)",
        (
            record["record_id"],
            output.label,
            output.runner_up,
            output.score,
            json.dumps(output.tags),
            origin.model,
        ),
    )


def opinions(save: Callable[..., object] = save, **changes: Any) -> Job:
    """A job that has an opinion of each event."""
    given = {
        "name": "opinions",
        "select": "select id as record_id, content from events order by id",
        "instructions": "Say what each is about.",
        "output": Opinion,
        "tables": f"create table if not exists opinions ({COLUMNS})",
    }
    return Job(save=save, **{**given, **changes})


@dataclass
class Said:
    """What a command said."""

    code: int
    out: str
    err: str


@dataclass
class ReviewSite:
    """A site, and one job of it."""

    site: Site
    job: Job

    @property
    def file(self) -> Path:
        """The table that `review` writes."""
        return self.site.root / f"reports/review/{self.job.name}.csv"

    def review(self, *arguments: str, **environ: str) -> Said:
        """Call `review` about the job."""
        out, err = io.StringIO(), io.StringIO()
        given = {**self.site.databases.settings(), "REPORT_TZ": "UTC", **environ}
        with redirect_stdout(out), redirect_stderr(err):
            code = review.main([self.job.name, *arguments], self.site.root, given, self.job)
        return Said(code, out.getvalue(), err.getvalue())

    def rows(self) -> list[dict[str, str]]:
        """The rows of the table."""
        text = self.file.read_bytes().decode("utf-8-sig")
        return [*csv.DictReader(io.StringIO(text, newline=""), strict=True)]

    def written(self, rows: Iterable[Mapping[str, str]], name: str = "filled.csv") -> Path:
        """A plain table of these rows."""
        rows = [*rows]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, [*dict.fromkeys(key for row in rows for key in row)])
        writer.writeheader()
        writer.writerows(rows)
        path = self.site.root / name
        path.write_bytes(text.getvalue().encode())
        return path

    def correct(self, corrections: Mapping[str, Mapping[str, str]], **environ: str) -> Said:
        """Import these cells (`{"7": {"label": "refund"}}`) in a plain table."""
        rows = [
            {"record_id": key, **{f"correct_{name}": cell for name, cell in cells.items()}}
            for key, cells in corrections.items()
        ]
        return self.review("--import", str(self.written(rows)), **environ)

    def run(self, *arguments: str) -> Any:
        """Run the job live."""
        return self.site.run(self.job, "--live", *arguments)

    def ledger(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query on the job's ledger."""
        return [tuple(row) for row in self.site.ledger(sql, self.job.name)]

    def statuses(self) -> dict[str, str]:
        """The status of each record."""
        return dict(self.ledger("select record_id, status from records"))

    def outputs(self) -> dict[str, dict[str, Any]]:
        """The output of each record that has one."""
        rows = self.ledger("select record_id, output from records where output is not null")
        return {key: json.loads(text) for key, text in rows}

    def put(self, outputs: Mapping[str, Mapping[str, Any]]) -> None:
        """Change what was answered about records, as if it had been so from the beginning."""
        for key, fields in outputs.items():
            output = json.dumps({**self.outputs()[key], **fields})
            self.site.change_ledger(
                self.job.name,
                "update records set output = ? where record_id = ?",
                output,
                key,
            )

    def saved(self) -> dict[str, tuple[Any, ...]]:
        """What save() has written, by record: label, runner-up, score, tags, model."""
        rows = self.site.saved(
            "select record_id, label, runner_up, score, tags, model from opinions"
        )
        return {row[0]: tuple(row[1:]) for row in rows}

    def in_a_child(self, arm: Callable[[], object], *arguments: str) -> int:
        """Call `review` in a process of its own, in which `arm` was called: its wait status."""
        sys.stderr.flush()
        if (child := os.fork()) == 0:
            try:
                arm()
                os._exit(self.review(*arguments).code)
            finally:
                os._exit(99)
        return os.waitpid(child, 0)[1]
