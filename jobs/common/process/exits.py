"""Exit codes: what a run tells cron, the wrappers and whoever reads `echo $?`.

The table is part of the contract.
"""

from __future__ import annotations

DONE = 0
BUG = 1
USAGE = 2
RECORDS_FAILED = 3
COST_CAP = 4
UNREACHABLE = 69
CANNOT_CREATE = 73
CANNOT_WRITE = 74
NOT_NOW = 75
REFUSED = 77
SETTINGS = 78

# The summary's status: one word for each way a run can end.
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
}


class JobExit(Exception):
    """Ends the run with `code` and one line for the log that names the thing, the value and the
    remedy.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
