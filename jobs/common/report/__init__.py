"""The day's report: what a report job imports."""

from common.report.day_report import DayReport
from common.report.digests import Finding, UrgentFinding
from common.report.write import write

__all__ = ["DayReport", "Finding", "UrgentFinding", "write"]
