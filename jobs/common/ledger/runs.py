"""The runs of a job, what they spent, and the days they have reported."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from common import times
from common.ledger.apart import job_of, name_of, names
from common.ledger.ledger_database import LedgerDatabase
from common.ledger.lookup import marks
from common.ledger.states import NOT_SENT

_THIS_RUN = "where job = ? and run_id = ?"
# USD of requests, and the most of those whose outcome is unknown.
SPENT = "coalesce(sum(usd), 0) + coalesce(sum(unsettled_usd), 0)"


class Runs:
    """The tables `runs` and `windows`, and sums over `requests`."""

    def __init__(self, file: LedgerDatabase, job: str, run_id: str) -> None:
        self._file = file
        self.job = job
        self.run_id = run_id

    def start(self, delivery: str, model: str) -> None:
        """Note that this run began."""
        with self._file.transaction():
            self._file.db.execute(f"delete from runs {_THIS_RUN}", (self.job, self.run_id))
            self._file.db.execute(
                "insert into runs (run_id, job, started_at, delivery, model)"
                " values (?, ?, ?, ?, ?)",
                (self.run_id, self.job, times.stamp(), delivery, model),
            )

    def so_far(self, counts: Mapping[str, int | float | str | None]) -> None:
        """Note how far this run is, in the caller's transaction; `counts` are columns of `runs`."""
        values = (*counts.values(), self.job, self.run_id)
        assignments = ", ".join(f"{name} = ?" for name in counts)
        self._file.db.execute(f"update runs set {assignments} {_THIS_RUN}", values)

    def end(self, exit_code: int, counts: Mapping[str, int | float | str | None]) -> None:
        """Note how this run ended; `counts` are columns of `runs`."""
        with self._file.transaction():
            self.so_far({**counts, "ended_at": times.stamp(), "exit_code": exit_code})

    def outputs_before(self, limit: int) -> list[str]:
        """What the outputs of the last runs looked like, the newest first, without this one's."""
        rows = self._file.db.execute(
            "select outputs from runs where job = ? and run_id <> ? and outputs is not null"
            " order by started_at desc, run_id desc limit ?",
            (self.job, self.run_id, limit),
        ).fetchall()
        return [row[0] for row in rows]

    def is_proven(self, version: str) -> bool:
        """Whether an answer to a version of the job was of use in any run, --try and --eval too."""
        job = job_of(self.job)
        row = self._file.db.execute(
            "select 1 from runs where job in (?, ?) and version = ? limit 1",
            (job, name_of(job, version), version),
        ).fetchone()
        return row is not None

    def prove(self, version: str) -> None:
        """Note that an answer to a version of the job was of use, in the caller's transaction."""
        self._file.db.execute(
            f"update runs set version = ? {_THIS_RUN}", (version, self.job, self.run_id)
        )

    def spent_in(self, when: str) -> float:
        """USD of the requests made in a UTC day (2026-11-21) or month (2026-11), and the most of
        those whose outcome is unknown.

        All of the job's: what is asked apart counts, too.
        """
        jobs = names(self._file.db, job_of(self.job))
        row = self._file.db.execute(
            f"select {SPENT} from requests"
            f" where job in {marks(jobs)} and created_at >= ? and created_at < ? || 'U'",
            (*jobs, when, when),
        ).fetchone()
        return float(row[0])

    def answers(self, model: str, limit: int) -> list[tuple[str, int, int]]:
        """The last answers of a model to this job: (version, records, output tokens) of each.

        All of the job's: what was asked apart counts, too.
        """
        jobs = names(self._file.db, job_of(self.job))
        rows = self._file.db.execute(
            "select coalesce(version, ''), record_ids, output_tokens from requests"
            f" where job in {marks(jobs)} and model = ? and output_tokens > 0"
            " order by created_at desc limit ?",
            (*jobs, model, limit),
        ).fetchall()
        return [(row[0], len(json.loads(row[1])), row[2]) for row in rows]

    def spent_by(self, delivery: str) -> float:
        """USD of this run's requests by one delivery, and the most of those without an outcome."""
        row = self._file.db.execute(
            f"select {SPENT} from requests where job = ? and run_id = ? and delivery = ?",
            (self.job, self.run_id, delivery),
        ).fetchone()
        return float(row[0])

    def asked_before(self, model: str, day: str) -> bool:
        """Whether a run before this one has asked a model anything on a UTC day."""
        row = self._file.db.execute(
            "select 1 from requests where job = ? and created_at >= ? and created_at < ? || 'U'"
            " and model = ? and run_id <> ? limit 1",
            (self.job, day, day, model, self.run_id),
        ).fetchone()
        return row is not None

    def last_success(self, when: str = "started_at") -> str:
        """When the last run that ended with 0 began, or (`ended_at`) ended; "" for never."""
        row = self._file.db.execute(
            f"select max({when}) from runs where job = ? and exit_code = 0", (self.job,)
        ).fetchone()
        return row[0] or ""

    def reported_days(self) -> dict[str, str]:
        """The days that were looked at, each with a hash of what its report was made from.

        The hash is "" where a day has no report, or one that lacks records.
        """
        sql = 'select "window", made_from from windows where job = ?'
        rows = self._file.db.execute(sql, (self.job,))
        return {row["window"]: row["made_from"] for row in rows}

    def reported_records(self) -> dict[str, int]:
        """How many records each day has, of those days that have a report with all of them."""
        rows = self._file.db.execute(
            'select "window", records from windows where job = ? and made_from <> ?',
            (self.job, ""),
        )
        return {row["window"]: row["records"] for row in rows}

    def set_reported(self, day: str, records: int, made_from: str) -> None:
        """Note a day that was looked at, inside a transaction of the caller's."""
        self._file.db.execute(
            'insert into windows (job, "window", records, made_from, updated_at)'
            ' values (?, ?, ?, ?, ?) on conflict (job, "window") do update set'
            " records = excluded.records, made_from = excluded.made_from,"
            " updated_at = excluded.updated_at",
            (self.job, day, records, made_from, times.stamp()),
        )

    def ever_sent(self) -> bool:
        """Whether any run of the job has sent a record, --try and --eval too."""
        jobs = names(self._file.db, job_of(self.job))
        row = self._file.db.execute(
            f"select 1 from requests where job in {marks(jobs)} and delivery <> ? limit 1",
            (*jobs, NOT_SENT),
        ).fetchone()
        return row is not None

    def left_out(self, why: str) -> int:
        """How many rows the last run that ended in order left out for that reason."""
        row = self._file.db.execute(
            "select records from left_out where job = ? and why = ?", (self.job, why)
        ).fetchone()
        return int(row[0]) if row else 0

    def set_left_out(self, why: str, records: int) -> None:
        """Note how many rows this run left out for that reason."""
        with self._file.transaction():
            self._file.db.execute(
                "insert into left_out (job, why, records) values (?, ?, ?)"
                " on conflict (job, why) do update set records = excluded.records",
                (self.job, why, records),
            )

    def totals(self, request_ids: Iterable[str]) -> dict[str, int | float | None]:
        """Sums over these requests: requests, input_tokens, output_tokens, usd.

        usd is None where one of them has no known price.
        """
        requests = input_tokens = output_tokens = 0
        usd: float | None = 0.0
        for request_id in request_ids:
            row = self._file.db.execute(
                "select input_tokens + cache_write_tokens + cache_read_tokens, output_tokens, usd,"
                " delivery <> ? from requests where request_id = ?",
                (NOT_SENT, request_id),
            ).fetchone()
            requests += row[3]
            input_tokens += row[0]
            output_tokens += row[1]
            usd = None if usd is None or row[2] is None else usd + row[2]
        return {
            "requests": requests,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "usd": usd,
        }
