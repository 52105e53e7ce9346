"""Opens the ledger of a job where LEDGER_DB says: a SQLite file, or a PostgreSQL database."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from common.ledger.ledger_database import LedgerDatabase
from common.ledger.sqlite_ledger import LedgerFile
from common.process.witness import Told, told_in_history
from common.settings import Settings


def open_ledger(
    settings: Settings,
    job: str = "",
    *,
    read_only: bool = False,
    start_anew: bool = False,
    has_witness: bool = True,
    sleep: Callable[[float], object] = time.sleep,
) -> LedgerDatabase:
    """The ledger of a job (default: that of the settings). Raises JobExit as both kinds do.

    Read-only, one that is not there is empty. `has_witness`: one that lost its memory of a run that
    state/history.tsv tells of is refused. `sleep` waits for a server that is gone for a while.
    """
    job = job or settings.job
    told = partial(told_in_history, settings.state / "history.tsv", job)
    witness = told if has_witness else lambda: None
    place = settings.ledger(job)
    if isinstance(place, Path):
        return LedgerFile(place, read_only=read_only, witness=witness, start_anew=start_anew)
    from common.ledger.postgres.postgres_ledger import PostgresLedger

    ledger = PostgresLedger(
        place,
        job,
        state=settings.state,
        read_only=read_only,
        witness=lambda: _with_remedy(witness(), settings.state / f"{job}.db"),
        start_anew=start_anew,
        sleep=sleep,
    )
    if read_only and ledger.is_empty:
        ledger.close()
        return LedgerFile(settings.state / "no such ledger", read_only=True)
    return ledger


def _with_remedy(told: Told | None, before: Path) -> Told | None:
    """What is told, and what to do where the job's ledger was that file before."""
    if told is None or not before.exists():
        return told
    remedy = f"{before} is there: ./run_job.sh move_ledger {told.job} takes it along"
    return replace(told, words=f"{told.words}, and {remedy}")
