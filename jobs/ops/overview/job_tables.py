"""A job's runs, dead letters and days as tables: made here once, for the text and for the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from common.process.words import counted, duration
from ops.facts.colours import Tone
from ops.overview import sentences
from ops.overview.model import Day, JobStatus, Run, Status

RUNS_HEAD = ("began", "took", "code", "done", "failed", "dead", "cost")


@dataclass(frozen=True)
class RunRow:
    """A run: the cells under RUNS_HEAD, the colour of its code, and a remark; "" for none."""

    cells: tuple[str, ...]
    tone: Tone
    remark: str


def runs(job: JobStatus) -> list[RunRow]:
    """The newest runs, newest first."""
    return [_run(run) for run in job.runs]


def _run(run: Run) -> RunRow:
    figures: tuple[str, ...] = ("–", "–", "–", "–")
    if run.in_ledger:
        counts = (run.done, run.failed, run.dead)
        figures = (*(f"{count:,}" for count in counts), sentences.usd(run.usd))
    code = "–" if run.code is None else str(run.code)
    cells = (sentences.plain(run.started_at), sentences.took(run), code, *figures)
    return RunRow(cells, _tone(run), sentences.remark(run))


def _tone(run: Run) -> Tone:
    if run.under_way or run.code == 75:
        return Tone.BUSY
    if run.code == 0:
        return Tone.GOOD
    return Tone.NOTHING if run.measure else Tone.BAD


@dataclass(frozen=True)
class Letters:
    """The newest dead letters, each with its time, its record and the reason."""

    title: str
    rows: tuple[tuple[str, str, str], ...]
    more: str  # how many there are beside these; "" for none
    again: str  # how they are asked again
    hint: str


def letters(status: Status, job: JobStatus) -> Letters | None:
    """The dead letters of a job, None where it has none."""
    dead = job.records.dead if job.records else 0
    if not dead:
        return None
    more = dead - len(job.dead_letters)
    return Letters(
        f"Dead letters, newest first ({dead:,})",
        tuple(
            (sentences.plain(one.at), _shortened(one.record_id), one.reason)
            for one in job.dead_letters
        ),
        f"and {more:,} more" if more > 0 else "",
        sentences.retry_command(job, demo=status.demo),
        sentences.retry_hint(job),
    )


def _shortened(record_id: str) -> str:
    return record_id if len(record_id) <= 40 else record_id[:39] + "…"


@dataclass(frozen=True)
class Column:
    """A day of a chart: its height in shares of the highest, its colour, and all of it in words."""

    height: float
    tone: Tone
    said: str


@dataclass(frozen=True)
class Chart:
    """One figure of a job on each of its last thirty days, oldest first."""

    name: str
    said: str
    dates: tuple[str, str, str]  # the first day, the middle one, the last one
    columns: tuple[Column, ...]


def charts(days: Sequence[Day]) -> list[Chart]:
    """Records, cost and time, of the same days; none where nothing is known of them."""
    if not days:
        return []
    return [
        _chart("Records done", days, lambda day: day.records, lambda value: f"{value:,.0f}"),
        _chart("Cost", days, lambda day: day.usd, sentences.usd),
        _chart("Time running", days, lambda day: day.seconds, _seconds),
    ]


def days_in_words(days: Sequence[Day]) -> str:
    """Which days all charts are of."""
    return f"Thirty days, from {_date(days[0].day)} to {_date(days[-1].day)}"


def _chart(
    name: str, days: Sequence[Day], value: Callable[[Day], float], shown: Callable[[float], str]
) -> Chart:
    most = max(days, key=value)
    largest = value(most)
    said = f"at most {shown(largest)}, on {_date(most.day)}" if largest else "none in thirty days"
    dates = (_date(days[0].day), _date(days[len(days) // 2].day), _date(days[-1].day))
    columns = tuple(
        Column(
            value(day) / largest if largest else 0.0,
            Tone.BAD if day.bad_runs else Tone.GOOD if day.runs or value(day) else Tone.NOTHING,
            _in_words(day, shown(value(day))),
        )
        for day in days
    )
    return Chart(name, said, dates, columns)


def _in_words(day: Day, value: str) -> str:
    said = f"{day.day}: {value}"
    if day.runs:
        said += f", {counted(day.runs, 'run')}"
    return f"{said}, {day.bad_runs} failed" if day.bad_runs else said


def _seconds(value: float) -> str:
    return duration(round(value)).replace(".0s", "s")


def _date(day: str) -> str:
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    return f"{int(day[8:])} {months[int(day[5:7]) - 1]}"
