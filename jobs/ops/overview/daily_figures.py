"""A job's last thirty days, and what they and this month cost.

Days and months are UTC, as the cap on a day's cost is.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from common import times
from ops.facts.history import Line, started_at
from ops.ledger.figures import Figures, Spent
from ops.overview.model import Cost, Day, Model, PaidFor
from ops.overview.run_list import merged

DAYS = 30


def since(at: str) -> str:
    """The first day that days() and costs() want to know of: both last month and thirty days."""
    month = times.instant(f"{at[:8]}01") - timedelta(days=1)
    return min(times.stamp(month)[:8] + "01", times.stamp(_days_ago(at, DAYS - 1))[:10])


def costs(spent: list[Spent], at: str, most: tuple[float | None, float | None]) -> Cost:
    """What a job cost today, this month, this month by model, and last month.

    `most`: MAX_COST_USD and MAX_COST_USD_MONTH.
    """
    last_month = times.stamp(times.instant(f"{at[:8]}01") - timedelta(days=1))[:7]
    today = [one for one in spent if one.day == at[:10]]
    month = [one for one in spent if one.day[:7] == at[:7]]
    models: dict[str, list[Spent]] = defaultdict(list)
    for one in month:
        models[one.model].append(one)
    found = [Model(name, _known(rows), _requests(rows)) for name, rows in models.items()]
    purposes: dict[str, list[Spent]] = defaultdict(list)
    for one in month:
        if one.purpose != "run":
            purposes[one.purpose].append(one)
    return Cost(
        _usd(today),
        _usd(month),
        _usd([one for one in spent if one.day[:7] == last_month]),
        *most,
        sum(one.unsettled for one in today),
        sum(one.unsettled for one in month),
        tuple(sorted(found, key=lambda model: (-(model.usd or 0), model.model))),
        tuple(PaidFor(name, _known(rows), _requests(rows)) for name, rows in purposes.items()),
    )


def days(figures: Figures | None, lines: list[Line], at: str) -> tuple[Day, ...]:
    """The last thirty days, oldest first; none where nothing is known of them."""
    names = [times.stamp(_days_ago(at, n))[:10] for n in reversed(range(DAYS))]
    recent = [line for line in lines if (started_at(line.run_id) or line.ended_at) >= names[0]]
    runs = defaultdict(list)
    for run in merged(figures.month_of_runs if figures else [], recent, ""):
        runs[run.started_at[:10]].append(run)
    usd: dict[str, float] = defaultdict(float)
    for one in figures.spent if figures else []:
        usd[one.day] += one.usd or 0.0
    if not any(name in runs or name in usd for name in names):
        return ()
    return tuple(
        Day(
            name,
            len(runs[name]),
            sum(run.code not in (0, 75, None) for run in runs[name]),
            sum(run.done for run in runs[name]),
            sum(run.seconds or 0.0 for run in runs[name]),
            usd[name],
        )
        for name in names
    )


def _days_ago(at: str, days: int) -> datetime:
    return times.instant(at) - timedelta(days=days)


def _known(spent: list[Spent]) -> float | None:
    """What they cost so far; None where no price is known. What is under way has one, at most."""
    if any(one.usd is not None or one.unsettled for one in spent):
        return _usd(spent)
    return None


def _requests(spent: list[Spent]) -> int:
    return sum(one.requests for one in spent)


def _usd(spent: list[Spent]) -> float:
    return sum(one.usd or 0.0 for one in spent)
