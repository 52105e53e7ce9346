"""Moments for a kill: a seed chooses a phase of the run and a random point in it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from rigs.crash_rig import Rig

PHASES = ("start-up", "sending", "commit", "merging", "writing")


def moment(rig: Rig, seed: int) -> Callable[[], bool]:
    """A function that is true once the moment of this seed has come.

    Successive seeds take the phases in turn.
    """
    dice = random.Random(seed)
    phase = PHASES[seed % len(PHASES)]
    already = len(rig.bill.lines())
    requests = rig.source("select count(*) from events")[0][0]
    requests = requests if rig.job == "labels" else -(-requests // 50)
    jitter = dice.uniform(0, 0.03)
    if phase == "start-up":
        return after((rig.root / "state").exists, dice.uniform(0, 0.9))
    if phase == "sending" or (rig.job == "labels" and phase != "commit"):
        wanted = already + dice.randint(1, max(1, requests - 1))
        return after(lambda: _billed(rig) >= wanted, jitter)
    if phase == "commit":
        if rig.ledger_url:
            wanted = _commits(rig) + dice.randint(1, 2 * requests)
            return after(lambda: _commits(rig) >= wanted, 0.0)
        # The ledger's write-ahead log grows during a commit: past this size, one is under way.
        wal = rig.ledger_path.with_name(f"{rig.ledger_path.name}-wal")
        size = dice.randint(60_000, 60_000 + requests * 7_000)
        return lambda: wal.exists() and wal.stat().st_size >= size
    if phase == "merging":
        day = dice.randint(1, rig.days)
        return after(lambda: _merges(rig) >= day, jitter)
    files = dice.randint(1, 2 * rig.days)
    return after(lambda: _files(rig) >= files, dice.choice([0, 0, 0.001, 0.003]))


def after(condition: Callable[[], bool], seconds: float) -> Callable[[], bool]:
    """A function that is true `seconds` after the condition came true."""
    since: list[float] = []

    def come() -> bool:
        if not since and condition():
            since.append(time.monotonic())
        return bool(since) and time.monotonic() - since[0] >= seconds

    return come


def _billed(rig: Rig) -> int:
    with rig.bill.path.open("rb") as lines:
        return sum(1 for _ in lines) - rig.bill.begin


def _commits(rig: Rig) -> int:
    """How many transactions of the job were committed to a ledger in PostgreSQL."""
    if not rig.tables():
        return 0
    return sum(row[0] for row in rig.ledger("select commits from leases"))


def _merges(rig: Rig) -> int:
    return sum(1 for line in rig.bill.lines() if line["finding_keys"])


def _files(rig: Rig) -> int:
    # Unfinished files count, too: each exists for a moment only.
    return sum(1 for _ in rig.reports.iterdir()) if rig.reports.exists() else 0
