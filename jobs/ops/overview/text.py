"""The state of an installation as text for a terminal, 60 to 100 columns, to be read at 3 am."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from common.process.progress import bar
from ops.facts.colours import BOLD, FAINT, Tone, painted
from ops.overview import job_tables, sentences
from ops.overview.job_facts import Fact, facts
from ops.overview.job_tables import RUNS_HEAD, RunRow
from ops.overview.model import JobStatus, Status

_LABEL = 15
_WIDTHS = (19, 8, 4, 7, 6, 5, 9)  # of RUNS_HEAD
_BARS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Look:
    """How wide, and whether in colours."""

    width: int
    colours: bool

    def painted(self, text: str, tone: Tone | str | None) -> str:
        """The text in a colour, BOLD or FAINT, at a terminal."""
        return painted(text, tone) if self.colours else text


def overview(status: Status, look: Look) -> str:
    """Every job at a glance."""
    lines = [*_top(status, look), ""]
    for job in status.worst_first:
        lines += [*_glance(status, job, look), ""]
    if not status.jobs:
        lines += ["There is no job here.", ""]
    if status.workers:
        lines += [*_workers(status, look), ""]
    lines += _legend(look)
    lines.append(
        look.painted("./run_job.sh status JOB shows one job's runs and dead letters", FAINT)
    )
    return "\n".join(lines)


def job_text(status: Status, look: Look) -> str:
    """One job in detail."""
    job = status.jobs[0]
    lines = [*_notes(status, look), *_glance(status, job, look, in_detail=True), ""]
    lines += [*_charts(job, look), *_runs(job, look), ""]
    lines += [*_letters(status, job, look), "", *_legend(look)]
    return "\n".join(lines).rstrip()


def in_short(status: Status, look: Look) -> str:
    """Every job in a few lines: its state, what runs, and what needs a look."""
    lines = [*_top(status, look), ""]
    for job in status.worst_first:
        lines.append(_name(job, look))
        for fact in facts(status, job):
            if fact.tone or fact.label == "records":
                lines += _fact(status, fact, look)
    return "\n".join(lines)


def _top(status: Status, look: Look) -> Iterator[str]:
    demo = " (demo)" if status.demo else ""
    yield look.painted(f"{status.root}{demo}", FAINT)
    yield look.painted(sentences.worth(status), FAINT)
    said, tone = sentences.headline(status)
    line = "; ".join(said)
    yield from (look.painted(line, tone or BOLD) for line in _wrap(line, look.width))
    yield sentences.spent(status)
    if status.index:
        yield f"all reports: {status.reports}/{status.index}"
    if status.demo:
        yield sentences.DEMO
    yield from _notes(status, look)


def _notes(status: Status, look: Look) -> Iterator[str]:
    for note in status.notes:
        yield from (look.painted(line, Tone.LOOK) for line in _wrap(f"note: {note}", look.width))


def _legend(look: Look) -> Iterator[str]:
    """What the colours mean, where there are any."""
    if not look.colours:
        return
    rows: list[list[str]] = [[]]
    length = 0
    for tone, text in sentences.legend():
        if length + len(text) > look.width:
            rows.append([])
            length = 0
        rows[-1].append(look.painted(text, tone))
        length += len(text) + 2
    yield from ("  ".join(row) for row in rows)


def _name(job: JobStatus, look: Look) -> str:
    state, tone = sentences.STATES[job.state]
    name = sentences.job_name(job)
    gap = " " * max(2, look.width - len(name) - len(state))
    return look.painted(name, BOLD) + gap + look.painted(state, tone)


def _glance(
    status: Status, job: JobStatus, look: Look, *, in_detail: bool = False
) -> Iterator[str]:
    yield _name(job, look)
    for fact in facts(status, job, in_detail=in_detail):
        yield from _fact(status, fact, look)


def _fact(status: Status, fact: Fact, look: Look) -> Iterator[str]:
    width = look.width - _LABEL - 2
    lines = [(line, fact.tone) for line in _figures(fact, look, width)]
    lines += [(line, None) for line in _rows(fact.rows)]
    lines += [(line, fact.tone) for text in fact.lines for line in _wrap(text, width)]
    if fact.done is not None:
        lines.append((f"{bar(fact.done)} {fact.done:.0%}", fact.tone))
    lines += [
        (f"{status.reports}/{link.path}{f' ({link.more})' if link.more else ''}", None)
        for link in fact.links
    ]
    for number, (line, tone) in enumerate(lines):
        margin = "" if number else fact.label
        yield f"  {margin:<{_LABEL}}{look.painted(line, None if fact.figures else tone)}"


def _figures(fact: Fact, look: Look, width: int) -> Iterator[str]:
    """The figures in as many lines as they need; none is broken in two."""
    row, length = "", 0
    for figure in fact.figures:
        text = f"{figure.value} {figure.name}"
        if row and length + 3 + len(text) > width:
            yield row
            row, length = "", 0
        gap = "   " if row else ""
        row, length = row + gap + look.painted(text, figure.tone), length + len(gap + text)
    if row:
        yield row


def _rows(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    for name, usd, requests in rows:
        width = max(len(row[0]) for row in rows)
        yield f"{name:<{width}}  {usd:>10}  {requests:>15}"


def _workers(status: Status, look: Look) -> Iterator[str]:
    yield look.painted("Workers, the last one heard of first", BOLD)
    for one in status.workers:
        state, tone = sentences.WORKERS[one.alive]
        name = f"  {one.host} pid {one.pid}"
        gap = " " * max(2, look.width - len(name) - len(state))
        yield name + gap + look.painted(state, tone)
        yield from (
            f"    {line}" for line in _wrap(sentences.worker(one, status.at), look.width - 4)
        )


def _charts(job: JobStatus, look: Look) -> Iterator[str]:
    """A line for each chart, one sign for a day."""
    charts = job_tables.charts(job.days)
    if not charts:
        return
    yield look.painted(job_tables.days_in_words(job.days), BOLD)
    for chart in charts:
        signs = "".join(
            look.painted(_BARS[max(1, round(one.height * 8)) if one.height else 0], one.tone)
            for one in chart.columns
        )
        yield f"  {chart.name:<{_LABEL}}{signs}  {chart.said}"
    yield ""


def _runs(job: JobStatus, look: Look) -> Iterator[str]:
    if not job.runs:
        return
    yield look.painted("Runs, newest first (UTC)", BOLD)
    yield look.painted(_aligned(RUNS_HEAD).rstrip(), FAINT)
    for run in job_tables.runs(job):
        yield from _run(run, look)


def _run(run: RunRow, look: Look) -> Iterator[str]:
    code = look.painted(f"{run.cells[2]:>{_WIDTHS[2]}}", run.tone)
    yield _aligned((*run.cells[:2], code, *run.cells[3:])).rstrip()
    quiet = FAINT if run.tone is not Tone.BAD else None
    for text in _wrap(run.remark, look.width - 23):
        yield f"{'':<23}{look.painted(text, quiet)}"


def _aligned(cells: tuple[str, ...]) -> str:
    began, *others = (f"{cell:>{width}}" for cell, width in zip(cells, _WIDTHS, strict=True))
    return f"  {began.strip():<{_WIDTHS[0]}}  {'  '.join(others)}"


def _letters(status: Status, job: JobStatus, look: Look) -> Iterator[str]:
    if not (letters := job_tables.letters(status, job)):
        return
    yield look.painted(letters.title, BOLD)
    width = min(24, max((len(row[1]) for row in letters.rows), default=0))
    for at, record_id, reason in letters.rows:
        text = _wrap(reason, look.width - 23 - width)
        yield f"  {at:<19}  {record_id:<{width}}  {text[0] if text else ''}"
        yield from (f"{'':<{25 + width}}{line}" for line in text[1:])
    if letters.more:
        yield f"  {letters.more}"
    yield ""
    yield "Ask them again:  " + look.painted(letters.again, BOLD)
    if letters.hint:
        yield f"                 ({letters.hint})"


def _wrap(text: str, width: int) -> list[str]:
    lines: Iterable[str] = textwrap.wrap(
        text, max(20, width), break_on_hyphens=False, drop_whitespace=True, replace_whitespace=False
    )
    # Wide gaps are ours: a line that fits stays as it is.
    return [text] if len(text) <= width and text else list(lines)
