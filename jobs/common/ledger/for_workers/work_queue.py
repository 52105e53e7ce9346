"""The queue of a run's requests for Celery's workers, which PostgreSQL holds: the run's side of it.

A row is added with its request's intent, claimed by a worker (work_claims.py), and taken over by
the run once it has ended. A message through Redis only says that there is one: what is lost of
Redis is published again. All functions stand inside a transaction of the caller's.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from common.ledger.ledger_database import Statements

DEATHS = 3  # workers lost with a request in flight, before the run asks it itself
_LOST_AFTER = 5.0  # seconds after which a message is lost that Redis does not have any more
_OVERTAKEN = 60.0  # seconds: what was published so much earlier than what is worked on is lost
_ENOUGH = 20  # messages on their way for each request that the workers have room for …
_LEAST, _MOST = 100, 2_000  # … within these bounds


@dataclass(frozen=True)
class Work:
    """A request for the workers."""

    request_id: str
    label: str
    model: str
    body: str
    most_usd: float
    capped: bool


@dataclass(frozen=True)
class Ended:
    """A row that a worker, or the sweep, has brought to an end."""

    request_id: str
    how: str  # answered, failed, lost; asks: it may go on where once more can be paid
    reason: str
    code: int | None
    attempts: int
    unsettled_usd: float  # that attempts without an answer can have cost
    most_usd: float
    ids: str  # of its records, JSON
    prompt_tokens: int
    output_tokens: int
    usd: float

    @property
    def record_ids(self) -> list[str]:
        """The ids of its records."""
        found: list[str] = json.loads(self.ids)
        return found


@dataclass(frozen=True)
class Standing:
    """How a job's requests stand."""

    left: int  # all that are not taken over
    in_flight: int
    waited: float  # seconds for which some could have been claimed, and none of the queue was
    workers: int  # with a heartbeat in the last minute
    last_claim: str  # "" for never


def mark_of(db: Statements, queue: str) -> str:
    """What the names of a queue's keys in Redis begin with, made by whoever asks first."""
    db.execute("insert into queues (queue_name) values (?) on conflict do nothing", (queue,))
    row = db.execute("select mark from queues where queue_name = ?", (queue,)).fetchone()
    return str(row[0])


def add(db: Statements, job: str, queue: str, work: Iterable[Work]) -> None:
    """Add requests whose intents are noted in the same transaction."""
    db.executemany(
        "insert into queue (request_id, job, queue_name, label, model, body, most_usd, capped)"
        " values (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (one.request_id, job, queue, one.label, one.model, one.body, one.most_usd, one.capped)
            for one in work
        ],
    )


def left(db: Statements, job: str) -> int:
    """How many requests of a job are in the queue, ended ones included."""
    row = db.execute("select count(*) from queue where job = ?", (job,)).fetchone()
    return int(row[0])


def standing(db: Statements, job: str, queue: str) -> Standing:
    """How a job's requests stand, and whether anybody works on that queue."""
    in_flight = db.execute(
        "select count(*) filter (where job = ?), count(*) from queue"
        " where worker is not null and queue_name = ? and lease_until > clock_timestamp()",
        (job, queue),
    ).fetchone()
    workers = db.execute(
        "select count(*) filter (where heartbeat_at > clock_timestamp() - interval '1 minute'),"
        " extract(epoch from clock_timestamp() - max(claimed_at))::float8,"
        " to_char(max(claimed_at) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
        " from workers where queue_name = ?",
        (queue,),
    ).fetchone()
    waited = 0.0 if in_flight[1] else _waited(db, job, queue)
    if workers[1] is not None:
        waited = min(waited, float(workers[1]))
    return Standing(left(db, job), in_flight[0], waited, workers[0], workers[2] or "")


def _waited(db: Statements, job: str, queue: str) -> float:
    """Seconds for which the request that is next could have been claimed; 0 where none could."""
    # Two that an index finds: the next one to be published, and the one published first.
    rows = [
        db.execute(
            "select extract(epoch from clock_timestamp()"
            "  - greatest(not_before, created_at))::float8 from queue"
            " where queue_name = ? and job = ? and ended is null and worker is null"
            f" and published_at {of_these} and not_before <= clock_timestamp()"
            " and not exists (select 1 from pace where pace.model = queue.model"
            "  and pace.not_before > clock_timestamp() - interval '1 minute')"
            f" order by {order} limit 1",
            (queue, job),
        ).fetchone()
        for of_these, order in (("is null", "sent_at, created_at"), ("is not null", "published_at"))
    ]
    return max((float(row[0]) for row in rows if row), default=0.0)


def ended(db: Statements, job: str, most: int) -> list[Ended]:
    """Requests that have ended, locked until the caller's transaction ends."""
    rows = db.execute(
        "select q.request_id, q.ended, coalesce(q.reason, ''), q.code, q.attempts, q.unsettled_usd,"
        " q.most_usd, r.record_ids, r.input_tokens + r.cache_write_tokens + r.cache_read_tokens,"
        " r.output_tokens, coalesce(r.usd, 0) from queue q join requests r using (request_id)"
        " where q.job = ? and q.ended is not null order by q.request_id limit ?"
        " for update of q skip locked",
        (job, most),
    ).fetchall()
    return [Ended(*row) for row in rows]


def remove(db: Statements, request_ids: Collection[str]) -> None:
    """Take these out of the queue: the run has taken them over."""
    db.execute("delete from queue where request_id = any(?)", ([*request_ids],))


def go_on(db: Statements, request_id: str) -> None:
    """One that asked may be sent once more: that is reserved."""
    db.execute(
        "update queue set ended = null, reason = null, published_at = null"
        " where request_id = ? and ended = 'asks'",
        (request_id,),
    )


def withdraw(db: Statements, job: str, reason: str = "") -> int:
    """End, unsent, what no worker has claimed: how many."""
    return db.execute(
        "update queue set ended = 'lost', reason = ?, body = null where request_id in"
        " (select request_id from queue where job = ? and ended is null and worker is null"
        "  order by request_id for update skip locked)",
        (reason or None, job),
    ).rowcount


# The sweep: whoever comes first does it, once a second.


def is_due(db: Statements, queue: str) -> bool:
    """Whether a queue is to be swept now, by the caller."""
    row = db.execute(
        "insert into queues (queue_name, swept_at) values (?, clock_timestamp())"
        " on conflict (queue_name) do update set swept_at = excluded.swept_at"
        " where queues.swept_at < excluded.swept_at - interval '0.9 seconds' returning 1",
        (queue,),
    ).fetchone()
    return row is not None


def expire(db: Statements) -> list[tuple[str, str]]:
    """Free what dead workers had in flight: (request, worker). It may have been billed."""
    db.execute("delete from workers where heartbeat_at < clock_timestamp() - interval '1 day'")
    dead = db.execute(
        "select request_id, worker from queue"
        " where worker is not null and lease_until < clock_timestamp()"
        " order by request_id limit 500 for update skip locked"
    ).fetchall()
    if not dead:
        return []
    db.execute(
        "with freed as (update queue set worker = null, lease_until = null, published_at = null,"
        "  deaths = deaths + 1, unsettled_usd = unsettled_usd + most_usd,"
        f"  ended = case when deaths + 1 >= {DEATHS} then 'failed' when capped then 'asks' end,"
        f"  body = case when deaths + 1 >= {DEATHS} then null else body end,"
        f"  reason = case when deaths + 1 >= {DEATHS}"
        f"   then 'in flight in {DEATHS} workers that died' end"
        "  where request_id = any(?) returning request_id, ended, unsettled_usd, most_usd)"
        " update requests r set unsettled_usd = freed.unsettled_usd"
        "  + case when freed.ended is null then freed.most_usd else 0 end"
        " from freed where r.request_id = freed.request_id",
        ([row[0] for row in dead],),
    )
    return [(row[0], row[1]) for row in dead]


def doubtful(db: Statements, queue: str) -> bool:
    """Whether there are requests whose message should have been claimed by now."""
    row = db.execute(
        "select 1 from queue where queue_name = ? and ended is null and worker is null"
        " and published_at < clock_timestamp() - ? * interval '1 second' limit 1",
        (queue, _LOST_AFTER),
    ).fetchone()
    return row is not None


def forget_messages(db: Statements, queue: str, *, none_left: bool) -> None:
    """Requests whose message is lost are to be published again.

    With `none_left`, Redis has no message at all. Otherwise those are lost that others, published
    long after them, have overtaken: messages are taken in their order.
    """
    if none_left:
        before = "clock_timestamp() - ? * interval '1 second'"
    else:
        before = (
            "(select max(published_at) from queue where queue_name = ? and worker is not null)"
            " - ? * interval '1 second'"
        )
    db.execute(
        "update queue set published_at = null where request_id in (select request_id from queue"
        " where queue_name = ? and ended is null and worker is null"
        f" and published_at < {before} order by request_id for update skip locked)",
        (queue, _LOST_AFTER) if none_left else (queue, queue, _OVERTAKEN),
    )


def take_due(db: Statements, queue: str) -> list[str]:
    """Requests that are to be published now, and are noted as published.

    What was sent before comes first. Few are on their way at a time: one that has to be sent again
    does not wait for all others.
    """
    room = db.execute(
        "select least(?, greatest(?, ? * (select coalesce(sum(concurrency), 0) from workers"
        "  where queue_name = ? and heartbeat_at > clock_timestamp() - interval '1 minute')))"
        " - (select count(*) from queue where queue_name = ? and ended is null and worker is null"
        "  and published_at is not null)",
        (_MOST, _LEAST, _ENOUGH, queue, queue),
    ).fetchone()[0]
    if room <= 0:
        return []
    rows = db.execute(
        "with due as (select request_id from queue where queue_name = ? and ended is null"
        "  and worker is null and published_at is null and not_before <= clock_timestamp()"
        "  and not exists (select 1 from pace where pace.model = queue.model"
        "   and pace.not_before > clock_timestamp())"
        "  order by sent_at, created_at limit ? for update skip locked)"
        " update queue q set published_at = clock_timestamp() from due"
        " where q.request_id = due.request_id returning q.request_id",
        (queue, int(room)),
    ).fetchall()
    return [row[0] for row in rows]


def unpublish(db: Statements, request_ids: Sequence[str]) -> None:
    """These were not published after all."""
    db.execute("update queue set published_at = null where request_id = any(?)", ([*request_ids],))
