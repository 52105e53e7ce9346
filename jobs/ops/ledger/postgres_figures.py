"""Reads the ledgers of all jobs in a PostgreSQL database, and what Celery's workers work on."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from typing import Any

from common import times
from common.ledger.older import upgrade
from ops.facts.postgres_reader import Reader
from ops.ledger.figures import Figures, figures
from ops.ledger.work import Holder, Queue, Worker

# Seconds after which nobody's claim is a fault, and a worker's silence its end.
PATIENCE = 300
_SILENT = 60
_SHOWN = "7 days"  # after its last heartbeat


class PostgresLook:
    """A database, looked at over one connection."""

    def __init__(self, address: str, closing: ExitStack) -> None:
        """Connect; `closing` lets go of it. Raises JobExit."""
        self._reader = reader = Reader(address, "LEDGER_DB", "status")
        closing.callback(reader.close)
        self.has_ledger, self.has_queue = reader.row(
            "select to_regclass('ledger_version') is not null, to_regclass('queue') is not null"
            " and to_regclass('workers') is not null and to_regclass('pace') is not null"
        )
        self.is_older = False
        if self.has_ledger:
            row = reader.row("select max(version) from ledger_version")
            self.is_older = (row[0] or 0) < upgrade.VERSION

    def figures(self, job: str, since: str, model: str) -> Figures | None:
        """As figures(); None where no run of the job has begun a ledger yet. Raises JobExit."""
        if not self.has_ledger or not self._lease(job):
            return None
        return figures(self._reader, job, since, model, "json_array_length(record_ids::json)")

    def jobs(self) -> list[str]:
        """The jobs that have ever run. Raises JobExit."""
        if not self.has_ledger:
            return []
        return [row[0] for row in self._reader.execute("select job from leases order by job")]

    def holder(self, job: str) -> Holder | None:
        """Who runs a job right now. Raises JobExit."""
        row = self._lease(job) if self.has_ledger else None
        return Holder(row["holder"], "", _stamp(row["locked_until"])) if row and row[2] else None

    def _lease(self, job: str) -> Any:
        return self._reader.row(
            "select holder, locked_until, locked_until > clock_timestamp() from leases"
            " where job = ?",
            (job,),
        )

    def queues(self, job: str) -> tuple[Queue, ...]:
        """What of a job waits for workers, queue by queue. Raises JobExit."""
        if not self.has_queue:
            return ()
        return tuple(_queue(row) for row in self._reader.execute(_QUEUES, (job,)))

    def workers(self) -> tuple[Worker, ...]:
        """Who has worked lately, the last one heard of first. Raises JobExit."""
        if not self.has_queue:
            return ()
        return tuple(
            Worker(
                row["worker"],
                row["host"],
                row["pid"],
                row["queue_name"],
                row["concurrency"],
                _stamp(row["started_at"]),
                _stamp(row["heartbeat_at"]),
                _stamp(row["claimed_at"]),
                row["answered"],
                row["alive"],
            )
            for row in self._reader.execute(_WORKERS)
        )


# Nobody is to blame where Claude has told all to wait: `pace`.
_QUEUES = f"""
    select found.*, extract(epoch from clock_timestamp() - since)::double precision as age,
        claims.last_claim, since < clock_timestamp() - interval '{PATIENCE} seconds'
        and claimed = 0 and coalesce(last_claim, '-infinity')
            < clock_timestamp() - interval '{PATIENCE} seconds' as is_silent
    from (
        select queue_name, count(*) filter (where not is_claimed) as waiting,
            count(*) filter (where is_claimed) as claimed,
            min(greatest(created_at, not_before)) filter (where not is_claimed
                and not_before <= clock_timestamp() and not told_to_wait) as since
        from (
            select queue_name, created_at, not_before,
                worker is not null and lease_until > clock_timestamp() as is_claimed,
                exists (select 1 from pace where pace.model = queue.model
                    and pace.not_before > clock_timestamp() - interval '1 minute') as told_to_wait
            from queue where job = ? and ended is null
        ) as open
        group by queue_name
    ) as found
    left join (select queue_name, max(claimed_at) as last_claim from workers group by 1) as claims
        using (queue_name)
    order by queue_name
"""
_WORKERS = f"""
    select *, heartbeat_at > clock_timestamp() - interval '{_SILENT} seconds' as alive
    from workers where heartbeat_at > clock_timestamp() - interval '{_SHOWN}'
    order by heartbeat_at desc, worker limit 100
"""


def _queue(row: Any) -> Queue:
    since, last = _stamp(row["since"]), _stamp(row["last_claim"])
    return Queue(
        row["queue_name"],
        row["waiting"],
        row["claimed"],
        since,
        row["age"],
        last,
        (last or since) if row["is_silent"] else "",
    )


def _stamp(at: datetime | None) -> str:
    return times.stamp(at) if at else ""
