"""Exit codes: what a run tells cron, the wrappers and whoever reads `echo $?`.

Users script against them, so a code never changes its meaning. The table is in docs/nights.md, too.
"""

from __future__ import annotations

from common.process.redaction import redacted

DONE = 0  # done, or nothing to do
BUG = 1  # an unexpected error; the log has its traceback
USAGE = 2  # wrong options or arguments
RECORDS_FAILED = 3  # finished, but records failed or became dead letters
COST_CAP = 4  # stopped at the cost cap; the other records wait
UNREACHABLE = 69  # Claude or the database could not be reached
CANNOT_CREATE = 73  # a file or folder cannot be created
CANNOT_WRITE = 74  # the disk is full or fails in the middle
NOT_NOW = 75  # already running, waiting for a message batch or another job, or stopped by a signal
REFUSED = 77  # Claude refuses the key, the permission, the billing or more spending
SETTINGS = 78  # settings are wrong or missing
TIME_LIMIT = 124  # stopped at JOB_TIMEOUT; the other records wait

# The word for each code after `status=` in the log's SUMMARY line.
STATUS = {
    DONE: "done",
    BUG: "error",
    USAGE: "usage",
    RECORDS_FAILED: "records_failed",
    COST_CAP: "cost_cap",
    UNREACHABLE: "unreachable",
    CANNOT_CREATE: "cannot_write",
    CANNOT_WRITE: "cannot_write",
    NOT_NOW: "not_now",
    REFUSED: "refused",
    SETTINGS: "settings",
    TIME_LIMIT: "time_limit",
}


class JobExit(Exception):
    """Ends the run with the exit code `code` and one line in the log.

    `message` is that line: it names the thing, its value and the remedy. It holds no secret.
    """

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        self.message = redacted(message)
        super().__init__(self.message)
