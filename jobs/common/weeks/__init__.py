"""The report of a week, from what another job has stored of its days: what such a job imports."""

from common.weeks.week_report import WeekReport
from common.weeks.write_week import write

__all__ = ["WeekReport", "write"]
