"""The facts about a job, in words: decided here once, for the text and for the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from common.process.words import counted, span
from ops.ledger.work import Queue
from ops.overview import sentences
from ops.overview.model import JobStatus, MessageBatch, Run, Status

# The page shows these as figures and tables of its own.
FIGURES = ("records", "dead letters", "cost (UTC)")


@dataclass(frozen=True)
class Fact:
    """A label, and what is known under it, line by line."""

    label: str
    lines: tuple[str, ...]
    needs_a_look: bool = False


def facts(status: Status, job: JobStatus) -> Iterator[Fact]:
    """What is known of a job, in the order in which a person asks."""
    now = status.at
    if job.note:
        yield Fact("note", (job.note,), needs_a_look=True)
    if job.lock:
        yield Fact("running", (_running(job, now),))
    elif job.holder:
        since = _since(job.holder.since, now)
        yield Fact("running", (f"{since}, {job.holder.holder}, holds the lease in LEDGER_DB",))
    if last := job.last_run:
        reason = (last.reason,) if last.reason else ()
        yield Fact("last run", (_when(last, now), sentences.outcome(last), *reason))
    elif not job.lock and not job.holder:
        yield Fact("last run", ("not known" if job.note else "none: it has never run",))
    if job.last_success and job.last_success != job.last_run:
        yield Fact("last success", (_when(job.last_success, now),))
    elif not job.last_success and job.last_run:
        yield Fact("last success", ("none that is known of",))
    if job.warnings:
        yield Fact("looks wrong", job.warnings, needs_a_look=True)
    yield from _records(status, job)
    for message_batch in job.message_batches:
        yield Fact("message batch", (_message_batch(message_batch, now),))
    for queue in job.queues:
        yield from _queue(queue, status)
    yield from _cost(job)
    if alert := _alert(job, now):
        yield Fact("alert", alert, needs_a_look=True)


def _running(job: JobStatus, now: str) -> str:
    assert job.lock is not None
    pid = f", pid {job.lock.pid}" if job.lock.pid else ""
    measure = next((run.measure for run in job.runs if run.run_id == job.lock.run_id), "")
    what = f", {measure}" if measure else ""
    return f"{_since(job.lock.since, now)}{what}{pid}, holds state/{job.job}.lock"


def _since(stamp: str, now: str) -> str:
    if not stamp:
        return "since when is not known"
    return f"since {sentences.plain(stamp)} ({sentences.age(stamp, now)})"


def _queue(queue: Queue, status: Status) -> Iterator[Fact]:
    oldest = ""
    if queue.age_seconds is not None:
        oldest = f"; the oldest has waited {span(queue.age_seconds)}"
    counts = f"{queue.waiting:,} waiting, {queue.claimed:,} with workers"
    yield Fact("queue", (f"{counts}{oldest} (queue {queue.queue})",))
    if queue.unclaimed_since:
        said = f"no worker has claimed anything {_since(queue.unclaimed_since, status.at)}"
        alive = sum(one.alive and one.queue == queue.queue for one in status.workers)
        remedy = f"start one: ./run_job.sh worker --queue {queue.queue}"
        if alive:
            remedy = (
                f"{counted(alive, 'worker')} alive: is Redis? ./run_job.sh doctor; restart them"
            )
        yield Fact("workers", (said, remedy), needs_a_look=True)


def _when(run: Run, now: str) -> str:
    took = f", took {sentences.took(run)}" if run.seconds is not None else ""
    return f"{sentences.plain(run.started_at)}, {sentences.age(run.started_at, now)} ago{took}"


def _records(status: Status, job: JobStatus) -> Iterator[Fact]:
    if not (records := job.records):
        return
    counts = (
        (records.done, "done"),
        (records.failed, "failed"),
        (records.dead, "dead"),
        (records.waiting, "waiting"),
    )
    counted_by_status = "   ".join(f"{count:,} {name}" for count, name in counts)
    if records.corrected:
        counted_by_status += f"   {records.corrected:,} corrected by a person"
    yield Fact("records", (counted_by_status,))
    if lines := sentences.older(job, demo=status.demo):
        yield Fact("versions", tuple(lines))
    if records.dead:
        again = f"ask again: {sentences.retry_command(job, demo=status.demo)}"
        yield Fact("dead letters", (again,), needs_a_look=True)


def _message_batch(one: MessageBatch, now: str) -> str:
    requests = counted(one.requests, "request")
    if one.purpose != "run":
        requests += f" for {sentences.purpose(one.purpose)}"
    age = f"{sentences.age(one.created_at, now)} old"
    expiry = _expiry(one.expires_at, now)
    return f"{one.message_batch_id}, {requests}, {one.status}, {age}, {expiry}"


def _expiry(expires_at: str, now: str) -> str:
    left, at = sentences.age(now, expires_at), sentences.at(expires_at)
    today = sentences.at(now)
    if at is None or today is None:
        return "expiry unknown"
    return f"expires in {left}" if at > today else f"expired {sentences.age(expires_at, now)} ago"


def _cost(job: JobStatus) -> Iterator[Fact]:
    if not job.cost or not job.records:
        return
    lines = [f"{sentences.usd(job.cost.today)} today   {sentences.usd(job.cost.month)} this month"]
    if job.cost.models:
        width = max(len(model.model) for model in job.cost.models)
        lines += [
            f"{model.model:<{width}}  {sentences.usd(model.usd):>10}"
            f"  {counted(model.requests, 'request'):>15}"
            for model in job.cost.models
        ]
    lines += filter(None, (sentences.beside_runs(job.cost), sentences.unsettled(job.cost)))
    yield Fact("cost (UTC)", tuple(lines))


def _alert(job: JobStatus, now: str) -> tuple[str, ...]:
    alert, lines = job.alert, []
    if alert.alerted_since:
        began, age = sentences.plain(alert.alerted_since), sentences.age(alert.alerted_since, now)
        lines.append(f"sent; the trouble began {began}, {age} ago")
    if alert.undelivered:
        lines.append(
            f"{alert.undelivered} NOT DELIVERED since {sentences.plain(alert.undelivered_since)},"
            " kept in state/outbox/ for the next run of any job"
        )
    return tuple(lines)
