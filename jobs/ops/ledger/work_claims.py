"""The queue of requests for Celery's workers: a worker's side of it.

A claim is a lease on one row, by the database's clock: it is renewed as long as its worker lives.
Its fence is the number of the claim, so that nobody who lost it can give the row back. An answer
was paid for: it is stored whoever has the row by then, as long as there is none.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from common import times
from common.claude.pricing import Tokens
from common.ledger.ledger_database import Statements


@dataclass(frozen=True)
class Claim:
    """A request that one worker is about to send once."""

    request_id: str
    fence: int
    job: str
    label: str
    model: str  # that is asked
    body: str
    attempts: int  # this one included
    wasted: int
    most_usd: float
    unsettled_usd: float  # what the attempts before can have cost
    capped: bool
    seconds: float  # since the first attempt began
    run_model: str  # what the run calls the model
    ids: str  # of its records, JSON
    paces: str  # seconds that its model is not asked, by account, JSON

    @property
    def record_ids(self) -> list[str]:
        """The ids of its records."""
        found: list[str] = json.loads(self.ids)
        return found

    def wait(self, account: str) -> float:
        """Seconds for which nobody asks its model with that account."""
        return float(json.loads(self.paces).get(account, 0.0))


def claim(db: Statements, worker: str, request_id: str, lease: float) -> Claim | None:
    """Claim a request, for `lease` seconds; None where that is not possible now."""
    row = db.execute(
        "update queue q set worker = ?, fence = fence + 1, attempts = q.attempts + 1,"
        " lease_until = clock_timestamp() + ? * interval '1 second',"
        # What waited long for a worker begins anew: that was no fault of Claude's.
        " sent_at = case when not_before > clock_timestamp() - interval '5 minutes'"
        "  then coalesce(sent_at, clock_timestamp()) else clock_timestamp() end"
        " from requests r where q.request_id = ? and r.request_id = q.request_id"
        " and q.ended is null and q.worker is null and q.not_before <= clock_timestamp()"
        " returning q.request_id, q.fence, q.job, q.label, q.model, q.body, q.attempts, q.wasted,"
        " q.most_usd, q.unsettled_usd, q.capped,"
        " extract(epoch from clock_timestamp() - q.sent_at)::float8, r.model, r.record_ids,"
        " coalesce((select json_object_agg(account,"
        "   extract(epoch from p.not_before - clock_timestamp()))::text from pace p"
        "   where p.model = q.model and p.not_before > clock_timestamp()), '{}')",
        (worker, lease, request_id),
    ).fetchone()
    if row is None:
        return None
    return Claim(*row)


def renew(db: Statements, worker: str, request_ids: Collection[str], lease: float) -> None:
    """Keep what a worker has in flight."""
    db.execute(
        "update queue set lease_until = clock_timestamp() + ? * interval '1 second'"
        " where request_id in (select request_id from queue where request_id = any(?)"
        "  and worker = ? order by request_id for update)",
        (lease, [*request_ids], worker),
    )


def unclaim(db: Statements, claimed: Claim, wait: float) -> None:
    """Give back a request that was not sent; nobody claims it for `wait` seconds."""
    db.execute(
        "update queue set worker = null, lease_until = null, published_at = null,"
        " attempts = attempts - 1, sent_at = case when attempts > 1 then sent_at end,"
        " not_before = clock_timestamp() + ? * interval '1 second'"
        " where request_id = ? and fence = ? and ended is null",
        (wait, claimed.request_id, claimed.fence),
    )


def again(db: Statements, claimed: Claim, wait: float, *, billed: bool, wasted: int) -> None:
    """An attempt brought nothing, and there is to be another one after `wait` seconds.

    Where it may have been `billed` and there is a cap, the run has to reserve another one first.
    """
    asks = billed and claimed.capped
    kept = db.execute(
        "update queue set worker = null, lease_until = null, published_at = null,"
        " wasted = wasted + ?, unsettled_usd = unsettled_usd + ?, ended = ?,"
        " not_before = clock_timestamp() + ? * interval '1 second'"
        " where request_id = ? and fence = ? and ended is null",
        (
            wasted,
            claimed.most_usd if billed else 0.0,
            "asks" if asks else None,
            wait,
            claimed.request_id,
            claimed.fence,
        ),
    ).rowcount
    if kept and billed:
        may_cost = claimed.unsettled_usd + claimed.most_usd * (1 if asks else 2)
        db.execute(
            "update requests set attempts = ?, unsettled_usd = ? where request_id = ?",
            (claimed.attempts + (not asks), may_cost, claimed.request_id),
        )


def end(
    db: Statements, claimed: Claim, how: str, reason: str, code: int | None, *, billed: bool
) -> None:
    """No answer will come: `how` is failed, or lost. With a code, the run is to end with it."""
    db.execute(
        "update queue set worker = null, lease_until = null, body = null, ended = ?, reason = ?,"
        " code = ?, unsettled_usd = unsettled_usd + ?"
        " where request_id = ? and fence = ? and ended is null",
        (how, reason, code, claimed.most_usd if billed else 0.0, claimed.request_id, claimed.fence),
    )


def slow_down(db: Statements, account: str, model: str, seconds: float) -> None:
    """Nobody asks a model with that account for so long."""
    db.execute(
        "insert into pace (account, model, not_before)"
        " values (?, ?, clock_timestamp() + ? * interval '1 second')"
        " on conflict (account, model) do update set"
        " not_before = greatest(pace.not_before, excluded.not_before)",
        (account, model, seconds),
    )


@dataclass(frozen=True)
class Answer:
    """An answer as it came, and what it cost."""

    request_id: str
    fence: int
    job: str
    record_ids: list[str]
    attempts: int
    text: str
    api_request_id: str
    tokens: Tokens
    usd: float | None
    unsettled_usd: float  # what attempts without an answer can have cost
    most_usd: float


def store(db: Statements, answer: Answer) -> bool:
    """Keep an answer, whoever has its request by now; False where it is the second one.

    Of a second one the ledger keeps the cost. The same one may be stored twice.
    """
    row = db.execute(
        "select fence, unsettled_usd from queue"
        " where request_id = ? and ended is distinct from 'answered' for update",
        (answer.request_id,),
    ).fetchone()
    if row is None:
        cost = answer.most_usd if answer.usd is None else answer.usd
        db.execute(
            "update requests set unsettled_usd = unsettled_usd + ?"
            " where request_id = ? and answer is distinct from ?",
            (cost, answer.request_id, answer.text),
        )
        return False
    # Who has lost the row may not be the only one who has sent it.
    unsettled = answer.unsettled_usd if row[0] == answer.fence else row[1]
    db.execute(
        "update queue set ended = 'answered', worker = null, lease_until = null, body = null,"
        " reason = null, code = null where request_id = ?",
        (answer.request_id,),
    )
    now = times.stamp()
    db.execute(
        "update requests set status = 'answered', answer = ?, api_request_id = ?,"
        " input_tokens = ?, output_tokens = ?, cache_write_tokens = ?, cache_read_tokens = ?,"
        " usd = ?, unsettled_usd = ?, attempts = ?, ended_at = ? where request_id = ?",
        (
            answer.text,
            answer.api_request_id,
            answer.tokens.input,
            answer.tokens.output,
            answer.tokens.cache_write_5m + answer.tokens.cache_write_1h,
            answer.tokens.cache_read,
            answer.usd,
            max(unsettled, answer.unsettled_usd),
            answer.attempts,
            now,
            answer.request_id,
        ),
    )
    db.execute(
        "update records set status = 'answered', crashes = 0, updated_at = ? where job = ?"
        " and record_id = any(?) and request_id = ?",
        (now, answer.job, answer.record_ids, answer.request_id),
    )
    return True


# Workers.


def check_in(db: Statements, worker: str, host: str, pid: int, queue: str, room: int) -> None:
    """A worker begins."""
    db.execute(
        "insert into workers (worker, host, pid, queue_name, concurrency) values (?, ?, ?, ?, ?)",
        (worker, host, pid, queue, room),
    )


def heartbeat(
    db: Statements, worker: str, claimed: int, answered: int, *, since: float | None
) -> None:
    """A worker lives; `since`: seconds since it last claimed something, None for never."""
    db.execute(
        "update workers set heartbeat_at = clock_timestamp(), claimed = ?, answered = ?,"
        " claimed_at = coalesce(clock_timestamp() - ?::float8 * interval '1 second', claimed_at)"
        " where worker = ?",
        (claimed, answered, since, worker),
    )


def check_out(db: Statements, worker: str) -> None:
    """A worker ends."""
    db.execute("delete from workers where worker = ?", (worker,))
