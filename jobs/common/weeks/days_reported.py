"""What another job has stored of the days that it has reported."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import astuple, replace
from datetime import date

from common.context import Context
from common.ledger.opening import open_ledger
from common.ledger.reported.stored_reports import StoredReport, stored_reports
from common.weeks.iso_week import Week

Reported = Mapping[date, StoredReport]


def days_reported(context: Context, first: date, last: date) -> Reported:
    """The stored reports of the days from `first` to `last`; days without one are missing from it.

    The other job's ledger is only read, without its lock, while it may be running. Raises JobExit
    as open_ledger does.
    """
    other = context.job.reports_of
    settings = replace(context.settings, job=other)
    with closing(open_ledger(settings, read_only=True, has_witness=False)) as file:
        found = stored_reports(file.db, other, str(first), str(last))
    return {date.fromisoformat(report.window): report for report in found}


def made_from(reported: Reported, week: Week) -> str:
    """A hash that changes whenever the week's report has to, and behind it the number of days that
    it is made from: those of the week and those of the week before, with which it is compared.
    """
    found = [reported[day] for day in (*week.plus(-1).days, *week.days) if day in reported]
    # No more than what stands in the week's report: what a later version stores besides is no
    # reason to write it again.
    parts = [
        (one.window, one.records, one.requests, one.usd, *map(astuple, one.entries))
        for one in found
    ]
    digest = hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()
    return f"{digest}-{len(parts)}"


def has_lost_days(before: str, now: str) -> bool:
    """Whether fewer days are stored now than a week's report was made from: they were pruned."""
    return bool(before) and int(before.rpartition("-")[2]) > int(now.rpartition("-")[2])


def commands(context: Context, days: Iterable[date]) -> list[str]:
    """The commands that report these days, which are in order: one for days that follow another."""
    spans: list[list[date]] = []
    for day in days:
        if spans and (day - spans[-1][-1]).days == 1:
            spans[-1].append(day)
        else:
            spans.append([day])
    demo = " --demo" if context.options.demo else ""
    job = f"./run_job.sh {context.job.reports_of}{demo}"
    return [f"{job} {_options(span[0], span[-1])}" for span in spans]


def _options(first: date, last: date) -> str:
    return f"--date {first}" if first == last else f"--since {first} --until {last}"
