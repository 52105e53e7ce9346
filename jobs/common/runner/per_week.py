"""A job with one report per week, made from what another job has stored of its days.

No record is sent again: a week takes one request, or a few where its findings are many. A run that
died half way finds the answers that were paid for.
"""

from __future__ import annotations

from common.context import Context
from common.delivery.deliver import Delivery
from common.process.files import sweep
from common.process.log import log
from common.records.days import report_zone
from common.report.put_down import NotSaved
from common.runner.per_day import publish
from common.weeks.compose_week import compose_week, week_to_write
from common.weeks.days_reported import days_reported
from common.weeks.finished_weeks import finished_weeks


def run(context: Context, delivery: Delivery) -> None:
    """Bring every week's report up to date. Raises JobExit where the run has to end before that."""
    zone_name, zone = report_zone(context.settings)
    sweep(context.settings.reports)  # under the job's lock: nobody writes there now
    weeks = finished_weeks(context, zone, context.clock.utc_now())
    reported = days_reported(context, weeks[0].plus(-1).monday, weeks[-1].sunday)
    not_saved: list[NotSaved] = []
    try:
        for week in weeks:
            found = week_to_write(context, week, reported)
            if isinstance(found, str):
                log.info("%s: %s", week, found)
                continue
            try:
                compose_week(context, delivery.loop, found, zone_name)
            except NotSaved as error:
                not_saved.append(error)
                with context.ledger.transaction():
                    made_from = found.made_from if error.given_up else ""
                    context.runs.set_reported(str(week), 0, made_from)
    finally:
        publish(context)
    for end in not_saved[1:]:
        log.error("%s", end.message)
    if not_saved:
        raise not_saved[0]
