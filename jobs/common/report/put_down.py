"""Puts a finished report down: the job's save(), its announcement, and the note that its day is
reported.
"""

from __future__ import annotations

import errno
from datetime import datetime
from pathlib import Path

from common.claude.code_faults import CodeError, ends_the_run, must_have_run, raised
from common.context import Context
from common.job_code import SAVE
from common.ledger.recovery import DEATHS
from common.ledger.reported.stored_reports import StoredReport, store_report
from common.ledger.states import RequestStatus
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.process.words import counted
from common.publish import outbox
from common.publish.page_facts import SO_FAR
from common.report.announce import announce
from common.report.day_report import Report
from common.times import Day


class NotSaved(JobExit):
    """The job's save() failed for the report of one day: those of other days can be written.

    `given_up`: no run tries it again by itself.
    """

    def __init__(self, code: int, message: str, *, given_up: bool = False) -> None:
        super().__init__(code, message)
        self.given_up = given_up


def so_far_at(context: Context, day: Day) -> datetime | None:
    """The local time of a run with --today, which reports a day that is not over; else None."""
    return context.clock.utc_now().astimezone(day.zone) if context.options.today else None


def put_down(context: Context, report: Report, merges: list[str], stored: StoredReport) -> None:
    """Put a report down and announce it; then it counts as written, unless its day is not over.

    `merges`: the requests that it was merged by. `stored`: what it says, as the ledger keeps it.
    Raises as _save does.
    """
    path = context.settings.reports / f"{report.stem}.md"
    counted_before = bool(report.until) or report.period in context.runs.reported_days()
    again = counted_before and path.exists()
    _save(context, report)
    announce(context.settings, report, _page_at(path), again=again)
    with context.ledger.transaction():
        context.ledger.closed(merges, RequestStatus.DONE)
        if not report.until:
            context.runs.set_reported(report.period, report.records, stored.made_from)
            store_report(context.ledger.database.db, context.job.name, stored)
    outbox.release(context.settings, report.stem)
    context.tally.wrote(str(path))
    verb = "written again" if again else "written"
    what = f"report of {counted(report.records, 'record')}{' so far' if report.until else ''}"
    log.info("%s: %s %s: %s", report.period, what, verb, path)
    if not report.until:
        _remove_what_was_so_far(context, report)


def _page_at(path: Path) -> Path:
    """A report's page; its Markdown where the job's save() writes no page."""
    page = path.with_suffix(".html")
    return page if page.exists() else path


def _remove_what_was_so_far(context: Context, report: Report) -> None:
    """Remove the report of a part of the day, now that there is one of the whole day."""
    for left in context.settings.reports.glob(f"{report.period}{SO_FAR}.*"):
        left.unlink(missing_ok=True)


def _save(context: Context, report: Report) -> None:
    """Put the report down.

    Raises NotSaved where save() fails, JobExit (73, 74) where the disk does not take it. The
    digests stay.
    """
    period = report.period
    what = f"{SAVE} of {period}"
    mend = f"mend jobs/{context.job.name}.py; the digests stay"
    died_at = context.recovery.died_at
    deaths = died_at.deaths if died_at and died_at.function == what else 0
    if deaths == DEATHS:
        again = f"mend jobs/{context.job.name}.py, then --date {period} writes it"
        reason = f"{period}: {SAVE} ended the process in {DEATHS} runs, the report is given up on"
        raise NotSaved(exits.SETTINGS, f"{reason}: {again}", given_up=True)
    try:
        with context.code.at_work(what, [], deaths):
            must_have_run(SAVE, context.job.save(context.settings.reports, report))
    except BaseException as error:
        if ends_the_run(error):
            raise
        if isinstance(error, OSError) and error.errno:
            failing = error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG)
            raise JobExit(
                exits.CANNOT_WRITE if failing else exits.CANNOT_CREATE,
                f"{period}: the report cannot be written to {context.settings.reports}:"
                f" {error.strerror}",
            ) from error
        fault = error.fault if isinstance(error, CodeError) else raised(SAVE, error)
        raise NotSaved(exits.SETTINGS, f"{period}: {fault.reason}: {mend}") from error
