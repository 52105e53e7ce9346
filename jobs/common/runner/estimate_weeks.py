"""--dry-run of a job that is made from another's reports: the merges that its weeks would take."""

from __future__ import annotations

from typing import Any

from common.claude.envelope import estimated_tokens
from common.claude.faults import Fault, is_refused_for_the_job
from common.claude.pricing import Tokens
from common.context import Context
from common.process import exits
from common.process.exits import JobExit
from common.records.days import report_zone
from common.report import merge
from common.runner.estimate import SHARE_OF_OUTPUT, Known, Total, money
from common.runner.first_request import in_words as in_full
from common.weeks.compose_week import WeekToWrite, week_to_write
from common.weeks.days_reported import days_reported
from common.weeks.finished_weeks import finished_weeks

_OVERHEAD = 300  # tokens of a request beside its texts


def estimate_weeks(context: Context) -> dict[str, Any]:
    """Reports, requests, tokens and USD, as estimate() says them of other jobs.

    `weeks`: those that would be written. `days`: the stored reports that these are made from.
    `not_written`: a line for each week looked at that would not be. Where the findings of a week do
    not fit into one request, the last one, about what the others have united, is not foreseen.
    """
    _, zone = report_zone(context.settings)
    weeks = finished_weeks(context, zone, context.clock.utc_now())
    reported = days_reported(context, weeks[0].plus(-1).monday, weeks[-1].sunday)
    total, known = Total(context), Known(context)
    figures: dict[str, Any] = {"job": context.job.name, "model": context.model}
    written: list[str] = []
    not_written: list[str] = []
    days = 0
    first: dict[str, Any] | None = None
    note = ""
    for week in weeks:
        found = week_to_write(context, week, reported)
        if isinstance(found, str):
            not_written.append(f"{week}: {found}")
            continue
        written.append(str(week))
        days += sum(day.records is not None for day in found.days)
        for question in merge.questions(
            context, str(week), found.records, found.findings, found.headings
        ):
            params = question.params(known.model[0])
            first = first or _shown(context, found, params)
            tokens, note = _counted(context, known, params)
            total.add(Tokens(input=tokens, output=round(question.needed * SHARE_OF_OUTPUT)))
    if context.options.show:
        figures["first_request"] = first
    return {
        **figures,
        "weeks": written,
        "days": days,
        "not_written": not_written,
        "records": 0,
        "requests": total.requests,
        "input_tokens": total.input_tokens,
        "output_tokens": total.output_tokens,
        "usd_live": total.usd[False],
        "note": note,
    }


def _counted(context: Context, known: Known, params: dict[str, Any]) -> tuple[int, str]:
    """The input tokens of a request; and why they are estimated, "" where Claude counts them."""
    texts = (params["system"], params["messages"][0]["content"])
    estimated = _OVERHEAD + sum(map(estimated_tokens, texts))
    if unsure := known.model[1]:
        return estimated, unsure
    try:
        counted = context.claude.input_tokens(params)
    except JobExit as end:
        return estimated, end.message
    if isinstance(counted, Fault):
        if is_refused_for_the_job(counted):
            so = f"Claude refuses the request, as it would in a run: {counted.reason}"
            raise JobExit(exits.SETTINGS, f"{so}: mend jobs/{context.job.name}.py")
        return estimated, counted.reason
    return counted, ""


def _shown(context: Context, found: WeekToWrite, params: dict[str, Any]) -> dict[str, Any]:
    """A request as --json shows it."""
    return {
        "label": f"{found.week}: merge",
        "delivery": context.delivery,
        "record_ids": [],
        "status": "",
        "note": "",
        "params": params,
    }


def in_words(figures: dict[str, Any]) -> str:
    """An estimate for a person."""
    lines: list[str] = []
    if figures.get("first_request"):
        lines += in_full(figures["first_request"])
    if figures["weeks"]:
        weeks = ", ".join(figures["weeks"])
        lines += [
            f"{figures['job']} with {figures['model']} would write {weeks}, about:",
            f"  daily reports  {figures['days']:>12,}",
            f"  requests       {figures['requests']:>12,}",
            f"  input tokens   {figures['input_tokens']:>12,}",
            f"  output tokens  {figures['output_tokens']:>12,}",
            f"  live           {money(figures['usd_live']):>12}",
            "No record is sent again. Output tokens are half of what the answers may need.",
        ]
        if figures["note"]:
            lines.append(f"Input tokens are estimated from the texts' length ({figures['note']}).")
    else:
        lines.append(f"{figures['job']} with {figures['model']} would write nothing.")
    return "\n".join([*lines, *figures["not_written"], "Nothing was sent, nothing was changed."])
