"""A job's runs: the ledger knows what they did, history.tsv how they ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from common import times
from ops.facts.history import Line, started_at
from ops.overview.model import Run
from ops.overview.sentences import code_in_words

_COUNTS = ("records", "done", "failed", "dead", "requests", "usd")
_UNDER_WAY = "under way"


def merged(
    rows: Iterable[dict[str, Any]],
    lines: Iterable[Line],
    running: str,
    measures: Mapping[str, str] = MappingProxyType({}),
) -> list[Run]:
    """Rows of the ledger and lines of history.tsv as runs, newest first. `running`: the one under
    way, "" for none. `measures` are runs of --try and --eval: what each is.

    Where both know a run, its code and seconds are the wrapper's: that is what cron saw.
    """
    by_id = {line.run_id: line for line in lines}
    runs = [_of_row(row, by_id.pop(row["run_id"], None), running) for row in rows]
    oldest = min((run.started_at for run in runs), default="") if len(runs) >= 40 else ""
    runs += [
        run for line in by_id.values() if (run := _of_line(line, measures)).started_at >= oldest
    ]
    if running and not any(run.run_id == running for run in runs):
        began, measure = started_at(running), measures.get(running, "")
        runs.append(
            Run(running, began, None, None, _UNDER_WAY, "", False, measure=measure, under_way=True)
        )
    return sorted(runs, key=lambda run: (run.started_at, run.run_id), reverse=True)


def ended(run: Run) -> bool:
    """Whether a run said how it ended."""
    return run.code is not None


def seconds_of(row: dict[str, Any]) -> float | None:
    """How long a run took by the ledger, None where it has not ended."""
    try:
        began, end = times.instant(row["started_at"]), times.instant(row["ended_at"])
    except ValueError:
        return None
    return max(0.0, (end - began).total_seconds())


def _of_row(row: dict[str, Any], line: Line | None, running: str) -> Run:
    code = line.code if line else row["exit_code"]
    under_way = code is None and row["run_id"] == running
    if code is not None:
        words = code_in_words(code)
    elif under_way:
        words = _UNDER_WAY
    else:
        words = "died without a word: killed, or the machine went down"
    reason = line.reason if line and line.reason != words else ""
    seconds = line.seconds if line else seconds_of(row)
    counts = {name: row[name] for name in _COUNTS}
    return Run(
        row["run_id"],
        row["started_at"],
        seconds,
        code,
        words,
        reason,
        True,
        **counts,
        under_way=under_way,
    )


def _of_line(line: Line, measures: Mapping[str, str]) -> Run:
    words = code_in_words(line.code)
    reason = line.reason if line.reason != words else ""
    began = started_at(line.run_id) or line.ended_at
    measure = line.measure or measures.get(line.run_id, "")
    return Run(line.run_id, began, line.seconds, line.code, words, reason, False, measure=measure)
