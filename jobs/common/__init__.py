"""What every job shares. The door: `from common import Job, Origin, Record, run`. The map:

    job.py      a job: which records, what to ask, what must come back, what to do with it
    definition/ whether a job is one that can run: arguments, output model, columns, name
    runner/     one run, from the command line to the exit code
    records/    which records a run takes up, in which chunks
    delivery/   how requests reach Claude, and what becomes of them
    claude/     one call to Claude, wrapped: who is to blame, when to try again, what it cost
    pace/       how many requests may be in flight: the account's limits, by the headers of replies
    ledger/     what was done to which record, and at what cost: all SQL about it
    source/     the user's database: records come from it, outputs go to it
    report/     the day's report, from the digests of its chunks
    weeks/      the week's report, from the stored reports of its days
    process/    a good citizen of Unix: exit codes, log, lock, signals, files

and, between them: settings.py, options.py and option_values.py (.env and the command line),
answer_schema.py (an answer's schema as it travels), context.py (what a run has in hand), budget.py
(what it may still spend), job_code.py (calls a job's own functions, and blames the record that one
fails for), function_text.py (their source), tally.py (what a run has counted), times.py (instants
and days) with time_forms.py and time_grammar.py (how columns write them), row.py (a record),
html_document.py. Each room imports from those below it and from no other:
tests/test_design_rules.py keeps the layers.
Beside common: quality/ (whether answers are right: --try, --eval, a second opinion, what looks
wrong), pages/ (a stranger's web page, fetched safely, for a job that asks for it), ops/ (what the
operator asks), standin/ (the stand-in for Claude), wrappers/ (bash).

To read what happens to a record, in this order: jobs/bulk_classifier.py, job.py, runner/run.py,
runner/per_record.py, delivery/deliver.py, delivery/loop.py, delivery/triage.py, claude/send.py,
ledger/ledger.py (ledger/states.py draws the states).

Each name of the door is fetched when it is first asked for, so that `status`, which needs neither
pydantic nor the runner, does not wait for them.
"""

from __future__ import annotations

import sys


def _told(kind: Any, error: Any, traceback: Any) -> None:
    """Tell of an error that ends the process: of all but Ctrl-C, which is nobody's error."""
    if kind is not KeyboardInterrupt:
        sys.__excepthook__(kind, error, traceback)


# Before anything else is imported, which takes a while. Python still ends by the signal.
if sys.excepthook is sys.__excepthook__:
    sys.excepthook = _told

# Python looks for modules in a script's own folder first. That folder is to be the last place: no
# job may be taken for a module that is called like it, whichever job is started, and from wherever.
_jobs = __path__[0].rpartition("/")[0]
sys.path.sort(key=lambda place: place == _jobs)

from importlib import import_module  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

if TYPE_CHECKING:
    from common.job import Job, Origin, Record
    from common.runner.run import run
else:
    # Hidden from mypy, which would take any misspelt name for one that this function knows.
    def __getattr__(name: str) -> Any:
        if name not in _ROOM_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_ROOM_OF[name]), name)


_ROOM_OF = {
    "Job": "common.job",
    "Origin": "common.job",
    "Record": "common.job",
    "run": "common.runner.run",
}

__all__ = ["Job", "Origin", "Record", "run"]
