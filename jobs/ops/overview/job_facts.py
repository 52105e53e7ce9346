"""The facts about a job, in words: decided here once, for the text and for the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from common.process.words import counted, span
from ops.facts.colours import Tone
from ops.ledger.work import Queue
from ops.overview import sentences
from ops.overview.model import Cost, JobStatus, MessageBatch, Run, Status, Written

_NEARLY = 0.8  # of what may be spent


@dataclass(frozen=True)
class Figure:
    """A number that the page shows large, and what it counts."""

    value: str
    name: str
    tone: Tone | None = None


@dataclass(frozen=True)
class Link:
    """A file in the folder of reports, and what is said of it."""

    path: str
    more: str = ""


@dataclass(frozen=True)
class Fact:
    """A label, and what is known under it: figures, rows of a table, lines, links, in this order.

    `done`: the share of a run that is done, for a bar.
    """

    label: str
    lines: tuple[str, ...] = ()
    tone: Tone | None = None
    figures: tuple[Figure, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    links: tuple[Link, ...] = ()
    done: float | None = None


def facts(status: Status, job: JobStatus, *, in_detail: bool = False) -> Iterator[Fact]:
    """What is known of a job, in the order in which a person asks.

    `in_detail`: its dead letters follow, with the way to ask them again.
    """
    now = status.at
    if job.note:
        yield Fact("note", (job.note,), Tone.LOOK)
    yield from _running(job, now)
    if last := job.last_run:
        reason = (last.reason,) if last.reason else ()
        tone = Tone.BAD if job.state in ("failed", "died") else None
        yield Fact("last run", (_when(last, now), sentences.outcome(last), *reason), tone)
    elif not job.lock and not job.holder:
        yield Fact("last run", ("not known" if job.note else "none: it has never run",))
    if job.last_success and job.last_success != job.last_run:
        yield Fact("last success", (_when(job.last_success, now),))
    elif not job.last_success and job.last_run:
        yield Fact("last success", ("none that is known of",))
    if job.warnings:
        yield Fact("looks wrong", job.warnings, Tone.LOOK)
    yield from _records(status, job)
    if job.records and job.records.dead and not in_detail:
        again = f"ask again: {sentences.retry_command(job, demo=status.demo)}"
        hint = sentences.retry_hint(job)
        yield Fact("dead letters", (again, f"({hint})") if hint else (again,), Tone.BAD)
    for message_batch in job.message_batches:
        yield Fact("message batch", _message_batch(message_batch, now))
    for queue in job.queues:
        yield from _queue(queue, status)
    yield from _cost(job)
    yield from _alert(job, now)
    if job.written:
        yield Fact("reports", links=tuple(map(_link, job.written)))


def _running(job: JobStatus, now: str) -> Iterator[Fact]:
    run = next((run for run in job.runs if run.under_way), None)
    if job.lock:
        pid = f", pid {job.lock.pid}" if job.lock.pid else ""
        what = f", {run.measure}" if run and run.measure else ""
        lock = f"holds state/{job.job}.lock"
        lines = [f"{_since(job.lock.since, now)}{what}{pid}, {lock}"]
    elif job.holder:
        since = _since(job.holder.since, now)
        lines = [f"{since}, {job.holder.holder}, holds the lease in LEDGER_DB"]
    else:
        return
    done = None
    if run and (progress := sentences.progress(run, now)):
        done, said = progress
        lines.append(said)
    yield Fact("running", tuple(lines), Tone.BUSY, done=done)


def _since(stamp: str, now: str) -> str:
    if not stamp:
        return "since when is not known"
    return f"since {sentences.moment(stamp, now)}"


def _queue(queue: Queue, status: Status) -> Iterator[Fact]:
    oldest = ""
    if queue.age_seconds is not None:
        since = sentences.plain(queue.oldest_since)
        oldest = f"; the oldest waits since {since}, for {span(queue.age_seconds)}"
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
        yield Fact("workers", (said, remedy), Tone.LOOK)


def _when(run: Run, now: str) -> str:
    took = f", took {sentences.took(run)}" if run.seconds is not None else ""
    return f"{sentences.moment(run.started_at, now)}{took}"


def _records(status: Status, job: JobStatus) -> Iterator[Fact]:
    if not (records := job.records):
        return
    figures = [
        Figure(f"{records.done:,}", "done"),
        Figure(f"{records.failed:,}", "failed", Tone.BUSY if records.failed else None),
        Figure(f"{records.dead:,}", "dead", Tone.BAD if records.dead else None),
        Figure(f"{records.waiting:,}", "waiting"),
    ]
    if records.corrected:
        figures.append(Figure(f"{records.corrected:,}", "corrected by a person"))
    if records.erased:
        figures.append(Figure(f"{records.erased:,}", "erased, never asked again"))
    next_run = sentences.next_run(records)
    yield Fact("records", (next_run,) if next_run else (), figures=tuple(figures))
    if lines := sentences.older(job, demo=status.demo):
        yield Fact("versions", tuple(lines))


def _message_batch(one: MessageBatch, now: str) -> tuple[str, str]:
    requests = counted(one.requests, "request")
    if one.purpose != "run":
        requests += f" for {sentences.purpose(one.purpose)}"
    made = f"made {sentences.moment(one.created_at, now)}"
    return f"{one.message_batch_id}, {requests}, {one.status}", f"{made}; {_expiry(one, now)}"


def _expiry(one: MessageBatch, now: str) -> str:
    ends, today = sentences.at(one.expires_at), sentences.at(now)
    if ends is None or today is None:
        return "expiry unknown"
    verb = "expires" if ends > today else "expired"
    return f"{verb} {sentences.moment(one.expires_at, now)}"


def _cost(job: JobStatus) -> Iterator[Fact]:
    cost = job.cost
    if not cost or not job.records:
        return
    figures = (
        _spent(cost.today, "today", cost.most_today),
        _spent(cost.month, "this month", cost.most_month),
        Figure(sentences.usd(cost.last_month), "last month"),
    )
    rows = tuple(
        (model.model, sentences.usd(model.usd), counted(model.requests, "request"))
        for model in cost.models
    )
    used = tuple(_used(cost))
    more = filter(None, (*used, sentences.beside_runs(cost), sentences.unsettled(cost)))
    yield Fact("cost (UTC)", tuple(more), Tone.LOOK if used else None, figures, rows)


def _spent(usd: float, when: str, most: float | None) -> Figure:
    name = when if most is None else f"{when}, budget {sentences.usd(most)}"
    return Figure(sentences.usd(usd), name)


def _used(cost: Cost) -> Iterator[str]:
    """The caps that are nearly reached: attempts of unknown outcome count as the most they cost."""
    for name, when, spent, most in (
        ("MAX_COST_USD", "today", cost.today + cost.unsettled_today, cost.most_today),
        ("MAX_COST_USD_MONTH", "this month", cost.month + cost.unsettled_month, cost.most_month),
    ):
        if most is not None and spent >= _NEARLY * most:
            yield f"{spent / most:.0%} of {name} is used {when}: a request that could pass it waits"


def _link(written: Written) -> Link:
    of_many = f"the newest of {written.count:,}" if written.count > 1 else ""
    what = {"report": "", "evaluation": "evaluation", "review": "to be filled in: review"}
    return Link(written.path, ", ".join(filter(None, (what[written.kind], of_many))))


def _alert(job: JobStatus, now: str) -> Iterator[Fact]:
    alert, lines = job.alert, []
    if alert.alerted_since:
        lines.append(f"sent; the trouble began {sentences.moment(alert.alerted_since, now)}")
    if waiting := _kept(alert.undelivered, alert.undelivered_since, "NOT DELIVERED", now):
        lines.append(waiting)
    if lines:
        yield Fact("alert", tuple(lines), Tone.LOOK)
    # A run sends them when it ends.
    late = 0 if job.lock else alert.unannounced
    if waiting := _kept(late, alert.unannounced_since, "NOT SENT", now):
        yield Fact("announcement", (waiting,), Tone.LOOK)


def _kept(count: int, since: str, what: str, now: str) -> str:
    """What waits in the outbox; "" for nothing."""
    if not count:
        return ""
    return f"{count} {what} {_since(since, now)}, kept in state/outbox/ for the next run of any job"
