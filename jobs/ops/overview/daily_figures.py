"""A job's last thirty days, and what they and this month cost.

Days and months are UTC, as the cap on a day's cost is.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

from common import times
from ops.facts.history import Line, started_at
from ops.ledger.figures import Figures, Spent
from ops.overview.model import Cost, Day, Model, PaidFor
from ops.overview.run_list import merged

DAYS = 30


def costs(spent: list[Spent], at: str) -> Cost:
    """What a job cost today, this month, and this month by model."""
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
        sum(one.unsettled for one in today),
        sum(one.unsettled for one in month),
        tuple(sorted(found, key=lambda model: (-(model.usd or 0), model.model))),
        tuple(PaidFor(name, _known(rows), _requests(rows)) for name, rows in purposes.items()),
    )


def days(figures: Figures | None, lines: list[Line], at: str) -> tuple[Day, ...]:
    """The last thirty days, oldest first; none where nothing is known of them."""
    end = times.instant(at)
    names = [times.stamp(end - timedelta(days=n))[:10] for n in reversed(range(DAYS))]
    recent = [line for line in lines if (started_at(line.run_id) or line.ended_at) >= names[0]]
    runs = defaultdict(list)
    for run in merged(figures.month_of_runs if figures else [], recent, ""):
        runs[run.started_at[:10]].append(run)
    usd: dict[str, float] = defaultdict(float)
    for one in figures.spent if figures else []:
        usd[one.day] += one.usd or 0.0
    if not runs and not usd:
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


def _known(spent: list[Spent]) -> float | None:
    """What they cost so far; None where no price is known. What is under way has one, at most."""
    if any(one.usd is not None or one.unsettled for one in spent):
        return _usd(spent)
    return None


def _requests(spent: list[Spent]) -> int:
    return sum(one.requests for one in spent)


def _usd(spent: list[Spent]) -> float:
    return sum(one.usd or 0.0 for one in spent)
