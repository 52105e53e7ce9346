"""A Celery worker: sends what runs with --celery have queued, on as many machines as you like.

Usage   ./run_job.sh worker [--concurrency N] [--queue Q]
Exit    0 when it was told to stop; 69 PostgreSQL cannot be reached, or Redis tells it nothing any
        more; 75 told twice; 78 a setting is wrong

It needs LEDGER_DB=postgresql://…, CELERY_BROKER_URL and ANTHROPIC_API_KEY as the runs have them.
TERM ends it in order: it takes nothing new, and what is in flight has 20 seconds to be answered.
Its log is stderr, which systemd keeps.
"""

from __future__ import annotations

import sys
from pathlib import Path

# `python -P` starts this script, so that no job is imported in the place of a module that it is
# called like: Python's own and the installed ones are found first, ours last.
sys.path.append(str(Path(__file__).resolve().parents[1]))

import os
import time
from collections.abc import Mapping, Sequence

from common import settings
from common.delivery.celery_workers.redis_messages import DEFAULT_QUEUE, queue_of, url_of
from common.delivery.celery_workers.sweep import LEASE
from common.option_values import count
from common.process import exits
from common.process.command_line import Parser
from common.process.exits import JobExit
from common.process.log import configure, log
from common.process.postgres import is_postgres
from common.settings import ROOT

CONCURRENCY = 8


def main(
    arguments: Sequence[str],
    root: Path = ROOT,
    environ: Mapping[str, str] | None = None,
    lease: float = LEASE,
) -> int:
    """Work until a signal comes, and return the exit code. `lease` is there for tests."""
    os.umask(0o077)
    configure(f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}", demo=False)
    try:
        return _work(arguments, root, environ, lease)
    except JobExit as end:
        log.error("worker: %s", end.message)
        return end.code
    except Exception:
        log.exception("worker: a bug")
        return exits.BUG


def _work(
    arguments: Sequence[str], root: Path, environ: Mapping[str, str] | None, lease: float
) -> int:
    from ops.crew.worker_process import WorkerProcess

    parser = Parser(prog="./run_job.sh worker", description="Sends what runs have queued.")
    add = parser.add_argument
    add("--concurrency", type=count, default=CONCURRENCY, metavar="N", help="at a time (8)")
    add("--queue", default="", metavar="Q", help=f"CELERY_QUEUE, or {DEFAULT_QUEUE}")
    given = parser.parse_args(arguments)
    ours = settings.load("worker", demo=False, root=root, environ=environ)
    if not is_postgres(str(ours.ledger())):
        remedy = "set LEDGER_DB=postgresql://… as the runs have it"
        raise JobExit(exits.SETTINGS, f"the queue is in PostgreSQL: {remedy}")
    if not any(name.startswith("ANTHROPIC_API_KEY") for name in ours.values):
        ours.api_key()
    ours.base_url()
    url, queue = url_of(ours), queue_of(ours, given.queue)
    return WorkerProcess(ours, url, queue, given.concurrency, lease).run()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
