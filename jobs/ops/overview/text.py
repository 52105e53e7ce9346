"""The state of an installation as text for a terminal, 60 to 100 columns, to be read at 3 am."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ops.overview import sentences
from ops.overview.job_facts import facts
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
    if status.workers:
        lines += [*_workers(status, look), ""]
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
    for fact in facts(status, job):
        colour = "33" if fact.needs_a_look else ""
        lines = [line for text in fact.lines for line in _wrap(text, look.width - _LABEL - 2)]
        for number, line in enumerate(lines):
            margin = "" if number else fact.label
            yield f"  {margin:<{_LABEL}}{look.painted(line, colour)}"


def _workers(status: Status, look: Look) -> Iterator[str]:
    yield look.painted("Workers, the last one heard of first", "1")
    for one in status.workers:
        state = "alive" if one.alive else "silent"
        name = f"  {one.host} pid {one.pid}"
        gap = " " * max(2, look.width - len(name) - len(state))
        yield name + gap + look.painted(state, "32" if one.alive else "33")
        yield from (
            f"    {line}" for line in _wrap(sentences.worker(one, status.at), look.width - 4)
        )


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
        code, "2" if run.measure else "1;31"
    )
    line = (
        f"  {sentences.plain(run.started_at):<19}  {sentences.took(run):>8}  "
        f"{look.painted(f'{code:>4}', colour)}  {figures}"
    )
    yield line.rstrip()
    for text in _wrap(sentences.remark(run), look.width - 23):
        yield look.painted(f"{'':<23}{text}", "2" if run.code in (0, 75) or run.measure else "")


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
