"""Kills of runs by message batch: at an instant that is named, or at a random one; and what has to
be so afterwards.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from common.delivery import deliver, store
from common.delivery.message_batch import deferred as delivery
from common.delivery.message_batch import download, results
from common.delivery.message_batch.download import Download
from common.ledger.ledger import Ledger
from common.ledger.message_batches import MessageBatches
from common.runner.saving import Saving
from rigs.crash_moments import after
from rigs.crash_oracle import Findings, examine, nothing_more
from rigs.crash_rig import Rig
from rigs.harness import Site
from rigs.message_batch_site import go


@dataclass(frozen=True)
class Instant:
    """Before or after the n-th call of a function."""

    owner: Any
    name: str
    when: str = "before"
    number: int = 1

    def __str__(self) -> str:
        return f"{self.when} {self.name} {self.number}"

    def arm(self) -> None:
        """Die then. Only for a process of its own."""
        real, calls = getattr(self.owner, self.name), iter(range(1, 1_000_000))

        def armed(*given: Any, **named: Any) -> Any:
            mine = next(calls) == self.number
            if mine and self.when == "before":
                die()
            value = real(*given, **named)
            if mine and hasattr(value, "__aiter__"):
                return _first_line_alone(value)
            if mine and hasattr(value, "__await__"):
                return _awaited(value)
            if mine:
                die()
            return value

        setattr(self.owner, self.name, armed)


def die() -> None:
    """As by kill -9."""
    os.kill(os.getpid(), signal.SIGKILL)


async def _awaited(value: Any) -> None:
    await value
    die()


async def _first_line_alone(lines: Any) -> Any:
    yield await anext(lines)
    die()


def around(owner: Any, name: str, number: int = 1) -> list[Instant]:
    """Before and after the n-th call."""
    return [Instant(owner, name, when, number) for when in ("before", "after")]


INSTANTS = [
    *around(MessageBatches, "prepare"),
    *around(MessageBatches, "add"),
    *around(MessageBatches, "add", 2),
    *around(delivery, "newest"),
    *around(MessageBatches, "intend"),
    *around(delivery, "create"),
    *around(MessageBatches, "adopt"),
    *around(results, "look_at"),
    *around(download, "results"),
    *around(Download, "_store", 2),
    *around(store, "_commit", 3),
    *around(MessageBatches, "close"),
    *around(deliver, "replay"),
    *around(Saving, "_save", 2),
    *around(Ledger, "apply", 3),
    *around(Ledger, "closed", 3),
]


def killed(site: Site, instant: Instant, number: int = 1) -> bool:
    """Whether a run, in a process of its own, was killed at that instant."""
    pid = os.fork()
    if not pid:
        try:
            os.environ["RUN_ID"] = f"20261122T01000{number}Z-7"  # this process knows nothing of it
            instant.arm()
            go(site)
        finally:
            os._exit(1)
    status = os.waitpid(pid, 0)[1]
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


# Times that a test can wait for.
SHORT = """
from datetime import timedelta
from common.delivery.message_batch import adoption
from common.delivery.message_batch import deferred
adoption.GRACE, adoption._APART = timedelta(seconds=2), timedelta(seconds=0.5)
deferred._FIRST_WAIT = deferred._LAST_WAIT = 0.05
"""
PHASES = ("start-up", "submitting", "processing", "collecting")


def moment(rig: Rig, seed: int) -> Callable[[], bool]:
    """The moment of a seed: true once it has come. Seeds go round the phases."""
    dice = random.Random(seed)
    phase = PHASES[seed % len(PHASES)]
    already = len(rig.bill.lines())
    requests = rig.source("select count(*) from events")[0][0]
    if phase == "start-up":
        return after((rig.root / "state").exists, dice.uniform(0, 1.2))
    at, later = {
        "submitting": (1, 0.25),  # the first chunk was answered, and the message batch comes next
        "processing": (dice.randint(2, requests), 0.05),
        "collecting": (requests, 0.6),
    }[phase]
    return after(lambda: len(rig.bill.lines()) >= already + at, dice.uniform(0, later))


def kill(rig: Rig, seed: int) -> bool:
    """Kill a run at the moment of a seed; False where it had ended before."""
    return rig.killed(moment(rig, seed), "--message-batch", before=SHORT)


def continued(rig: Rig) -> Findings:
    """Run again until a run ends well; then examine everything."""
    for _ in range(4):
        ended = rig.run("--message-batch", before=SHORT)
        if ended.code != 75:
            break
    found = examine(rig)
    found.must(
        ended.code == 0, f"the run after the kill ended with {ended.code}: {ended.log[-600:]}"
    )
    billed = Counter(
        (line["tier"], record) for line in rig.bill.lines() for record in line["records"]
    )
    records = Counter(record for _, record in billed.elements())
    again = [key for key, times in billed.items() if key[0] == "batch" and times > 1]
    found.must(not again, f"billed twice in message batches: {again[:5]}")
    # What is in flight live when a run is killed is asked again alone: the first chunk, or what was
    # little.
    live = sum(times - 1 for times in records.values())
    found.must(
        live <= rig.in_flight_live,
        f"{live} records billed twice, {rig.in_flight_live} were in flight live",
    )
    found.violations += nothing_more(rig)
    return found
