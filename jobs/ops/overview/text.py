"""The state of an installation as text for a terminal, 60 to 100 columns, to be read at 3 am."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from common.process.words import counted
from ops.overview import sentences
from ops.overview.model import JobStatus, Run, Status

_COLOURS = {
    "FAILED": "1;31",
    "DIED": "1;31",
    "ok": "32",
    "running": "1;36",
    "not now": "33",
    "never ran": "2",
    "unknown": "33",
}
_LABEL = 15


@dataclass(frozen=True)
class Look:
    """How wide, and whether in colours."""

    width: int
    colours: bool

    def painted(self, text: str, code: str) -> str:
        """The text in a colour, at a terminal."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colours and code else text


def overview(status: Status, look: Look) -> str:
    """Every job at a glance."""
    lines = [*_top(status, look), ""]
    for job in status.jobs:
        lines += [*_glance(status, job, look), ""]
    if not status.jobs:
        lines += ["There is no job here.", ""]
    lines.append(look.painted("./run_job.sh status JOB shows one job's runs and dead letters", "2"))
    return "\n".join(lines)


def job_text(status: Status, look: Look) -> str:
    """One job in detail."""
    job = status.jobs[0]
    lines = [*_notes(status, look), *_glance(status, job, look), ""]
    lines += [*_runs(job, look), ""]
    lines += _letters(status, job, look)
    return "\n".join(lines).rstrip()


def _top(status: Status, look: Look) -> Iterator[str]:
    demo = " (demo)" if status.demo else ""
    yield look.painted(f"{status.root}{demo}, {sentences.plain(status.at)} UTC", "2")
    bad = bool(sentences.troubles(status))
    yield from (
        look.painted(line, "1;31" if bad else "1")
        for line in _wrap(sentences.headline(status), look.width)
    )
    yield sentences.spent_today(status)
    yield from _notes(status, look)


def _notes(status: Status, look: Look) -> Iterator[str]:
    for note in status.notes:
        yield from (look.painted(line, "33") for line in _wrap(f"note: {note}", look.width))


def _glance(status: Status, job: JobStatus, look: Look) -> Iterator[str]:
    state = sentences.STATES[job.state]
    name = job.job if job.has_script else f"{job.job} (there is no jobs/{job.job}.py)"
    gap = " " * max(2, look.width - len(name) - len(state))
    yield look.painted(name, "1") + gap + look.painted(state, _COLOURS.get(state, ""))
    for label, texts in _facts(status, job):
        colour = "33" if label in ("note", "alert", "dead letters") else ""
        lines = [line for text in texts for line in _wrap(text, look.width - _LABEL - 2)]
        for number, line in enumerate(lines):
            margin = "" if number else label
            yield f"  {margin:<{_LABEL}}{look.painted(line, colour)}"


def _facts(status: Status, job: JobStatus) -> Iterator[tuple[str, list[str]]]:
    """What is known of a job, label by label."""
    now = status.at
    if job.note:
        yield "note", [job.note]
    if job.lock:
        since = (
            f"since {sentences.plain(job.lock.since)} ({sentences.age(job.lock.since, now)})"
            if job.lock.since
            else "since when is not known"
        )
        pid = f", pid {job.lock.pid}" if job.lock.pid else ""
        yield "running", [f"{since}{pid}, holds state/{job.job}.lock"]
    if job.last_run:
        yield (
            "last run",
            [_when(job.last_run, now), sentences.outcome(job.last_run), *_said(job.last_run)],
        )
    elif not job.lock:
        yield "last run", ["not known" if job.note else "none: it has never run"]
    if job.last_success and job.last_success != job.last_run:
        yield "last success", [_when(job.last_success, now)]
    elif not job.last_success and job.last_run:
        yield "last success", ["none that is known of"]
    if found := job.records:
        counts = (
            ("done", found.done),
            ("failed", found.failed),
            ("dead", found.dead),
            ("waiting", found.waiting),
        )
        yield "records", ["   ".join(f"{count:,} {name}" for name, count in counts)]
        if found.dead:
            yield "dead letters", [f"ask again: {sentences.retry_command(job, demo=status.demo)}"]
    for one in job.message_batches:
        requests = f"{counted(one.requests, 'request')}, {one.status}"
        ages = f"{sentences.age(one.created_at, now)} old, {_expiry(one.expires_at, now)}"
        yield "message batch", [f"{one.message_batch_id}, {requests}, {ages}"]
    yield from _cost(job)
    yield from _alert(job, now)


def _cost(job: JobStatus) -> Iterator[tuple[str, list[str]]]:
    if not job.cost or not job.records:
        return
    lines = [f"{sentences.usd(job.cost.today)} today   {sentences.usd(job.cost.month)} this month"]
    if job.cost.models:
        width = max(len(model.model) for model in job.cost.models)
        lines += [
            f"{model.model:<{width}}  {sentences.usd(model.usd):>10}  "
            f"{counted(model.requests, 'request'):>15}"
            for model in job.cost.models
        ]
    if more := sentences.unsettled(job.cost):
        lines.append(more)
    yield "cost (UTC)", lines


def _alert(job: JobStatus, now: str) -> Iterator[tuple[str, list[str]]]:
    alert = job.alert
    lines = []
    if alert.alerted_since:
        lines.append(
            f"sent; the trouble began {sentences.plain(alert.alerted_since)}, "
            f"{sentences.age(alert.alerted_since, now)} ago"
        )
    if alert.undelivered:
        lines.append(
            f"{alert.undelivered} NOT DELIVERED since {sentences.plain(alert.undelivered_since)}, "
            "kept in state/outbox/"
            " for the next run of any job"
        )
    if lines:
        yield "alert", lines


def _when(run: Run, now: str) -> str:
    took = f", took {sentences.took(run)}" if run.seconds is not None else ""
    return f"{sentences.plain(run.started_at)}, {sentences.age(run.started_at, now)} ago{took}"


def _said(run: Run) -> list[str]:
    return [run.reason] if run.reason else []


def _expiry(expires_at: str, now: str) -> str:
    left, at = sentences.age(now, expires_at), sentences.at(expires_at)
    today = sentences.at(now)
    if at is None or today is None:
        return "expiry unknown"
    return f"expires in {left}" if at > today else f"expired {sentences.age(expires_at, now)} ago"


def _runs(job: JobStatus, look: Look) -> Iterator[str]:
    if not job.runs:
        return
    yield look.painted("Runs, newest first (UTC)", "1")
    head = (
        f"  {'began':<19}  {'took':>8}  {'code':>4}  {'done':>7}  {'failed':>6}  {'dead':>5}  "
        f"{'cost':>9}  "
    )
    yield look.painted(head.rstrip(), "2")
    for run in job.runs:
        yield from _run(run, look, len(head))


def _run(run: Run, look: Look, margin: int) -> Iterator[str]:
    code = "" if run.code is None else str(run.code)
    figures = (
        f"{run.done:>7,}  {run.failed:>6,}  {run.dead:>5,}  {sentences.usd(run.usd):>9}"
        if run.in_ledger
        else f"{'–':>7}  {'–':>6}  {'–':>5}  {'–':>9}"
    )
    if run.in_ledger and run.code is None:
        figures = " " * len(figures)
    colour = {"0": "32", "75": "33", "": "36" if run.words == "under way" else "1;31"}.get(
        code, "1;31"
    )
    line = (
        f"  {sentences.plain(run.started_at):<19}  {sentences.took(run):>8}  "
        f"{look.painted(f'{code:>4}', colour)}  {figures}"
    )
    yield line.rstrip()
    if run.code == 0 and not run.in_ledger:
        remark = "changed nothing (--dry-run, --help)"
    else:
        remark = "" if run.code == 0 else run.reason or run.words
    for text in _wrap(remark, look.width - 23):
        yield look.painted(f"{'':<23}{text}", "2" if run.code in (0, 75) else "")


def _letters(status: Status, job: JobStatus, look: Look) -> Iterator[str]:
    dead = job.records.dead if job.records else 0
    if dead:
        yield look.painted(f"Dead letters, newest first ({dead:,})", "1")
        width = min(24, max(len(letter.record_id) for letter in job.dead_letters))
        for letter in job.dead_letters:
            shown = letter.record_id if len(letter.record_id) <= 40 else letter.record_id[:39] + "…"
            text = _wrap(letter.reason, look.width - 23 - width)
            yield f"  {sentences.plain(letter.at):<19}  {shown:<{width}}  {text[0] if text else ''}"
            yield from (f"{'':<{25 + width}}{line}" for line in text[1:])
        if dead > len(job.dead_letters):
            yield f"  and {dead - len(job.dead_letters):,} more"
        yield ""
        hint = sentences.retry_hint(job)
        yield "Ask them again:  " + look.painted(
            sentences.retry_command(job, demo=status.demo), "1"
        )
        if hint:
            yield f"                 ({hint})"
    if job.records and (next_run := sentences.next_run(job.records)):
        yield ""
        yield from _wrap(next_run, look.width)


def _wrap(text: str, width: int) -> list[str]:
    lines: Iterable[str] = textwrap.wrap(
        text, max(20, width), break_on_hyphens=False, drop_whitespace=True, replace_whitespace=False
    )
    # Wide gaps are ours: a line that fits stays as it is.
    return [text] if len(text) <= width and text else list(lines)
