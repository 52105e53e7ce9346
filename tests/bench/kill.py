"""Kill runs with SIGKILL at random instants, continue them, and count the damage.

Usage: kill.py KILLS [--seed N] [--per-record]
           random kills, spread over the phases of a run
       kill.py KILLS [--seed N] --message-batch
           the same for a job that goes by message batch
       kill.py KILLS [--seed N] --stale
           the same for runs that bring up to date what an older version has done
       kill.py KILLS --chain
           chains of three kills, each of the run that continues the one before
       kill.py KILLS … --postgres
           the same with the ledger of each installation in a PostgreSQL database
       kill.py --every-syscall [STEP]
           a kill before every STEP-th write and sync of a small run (needs strace)
       kill.py --broken
           random kills of runs with faults built in: it has to find violations (with --per-record
           too, or with --chain)

Ends with 1 if a record was lost or counted twice, if more was paid for than was in flight, or if a
request was left under way.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "jobs")]

from rigs import message_batch_kills  # noqa: E402
from rigs.broken_orders import DONE_TOO_SOON, NEVER_RECOVERED, NEVER_STORED  # noqa: E402
from rigs.crash_moments import PHASES, moment  # noqa: E402
from rigs.crash_oracle import (  # noqa: E402
    Findings,
    brought_up_to_date,
    continued,
    examine,
)
from rigs.crash_rig import Bill, Rig, new_database, standin_process  # noqa: E402
from standin.servers import PostgreSQL  # noqa: E402

SYSCALLS = ("fdatasync", "fsync", "pwrite64", "rename", "unlink", "ftruncate", "sendto")
WORKERS = os.cpu_count() or 2


@dataclass
class Figures:
    """The figures of all trials."""

    kills: int = 0
    too_late: int = 0  # kills that came after the end of the run
    in_flight: int = 0
    found: list[tuple[str, Findings]] = field(default_factory=list)

    def line(self) -> str:
        """All figures in one line."""
        sums = Counter[str]()
        for _, found in self.found:
            sums["lost"] += found.lost
            sums["doubled"] += found.doubled
            sums["again"] += found.billed_again
            sums["twice"] += found.saved_twice
            sums["violations"] += bool(found.violations)
        worst = max((found.billed_again for _, found in self.found), default=0)
        unsettled = sum(found.unsettled_usd for _, found in self.found)
        return (
            f"{self.kills} kills ({self.too_late} came too late): {sums['lost']} records lost, "
            f"{sums['doubled']} doubled,"
            f" {sums['again']} requests billed again of {self.in_flight} in flight"
            f" ({sums['again'] / max(1, self.kills):.2f} per kill, {worst} at most in a trial),"
            f" ${unsettled:.4f} unsettled, {sums['twice']} rows saved twice to the same, "
            f"{sums['violations']} violations"
        )


class Bench:
    """Does trials, several at a time, each in an installation of its own."""

    def __init__(
        self, root: Path, per_record: bool, per_day: int, days: int, server: PostgreSQL | None
    ) -> None:
        self.root = root
        self.server = server  # for the ledgers; None: each is a file
        self.per_record = per_record
        self.per_day = per_day
        self.days = days
        self.figures = Figures()

    def rig(self, name: str, bill: Bill) -> Rig:
        """A new installation with its records."""
        rig = Rig(self.root / name, Bill(bill.url, bill.path), days=self.days)
        if self.server:
            rig.environ["LEDGER_DB"] = new_database(self.server.url, name)
        rig.events(self.per_day)
        if self.per_record:
            rig.per_record()
        return rig

    def trials(self, count: int, one: Callable[[int, Bill, Rig], Findings]) -> None:
        """Do `count` trials, with one stand-in per worker.

        `one` gets the trial's number, a bill, and an installation whose run was never killed.
        """

        def some(worker: int) -> None:
            with standin_process(self.root / f"standin{worker}", message_batch_seconds=0.3) as bill:
                reference = self.rig(f"reference{worker}", bill)
                ended = reference.run()
                assert ended.code == 0, ended.log
                assert not examine(reference).violations, examine(reference).violations
                for seed in range(worker, count, WORKERS):
                    found = one(seed, bill, reference)
                    self.figures.found.append((f"{seed}", found))
                    for violation in found.violations:
                        print(f"  trial {seed}: {violation}", flush=True)

        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(some, range(WORKERS)))

    def killed(
        self, seed: int, bill: Bill, reference: Rig | None, chain: int, before: str
    ) -> Findings:
        """Kill a run, and examine the installation after a run that continues it.

        With a `chain` of more than one, kill the runs that continue it, too.
        """
        rig = self.rig(f"trial{seed}", bill)
        for link in range(chain):
            # Every run sends. A phase that an earlier run has finished does not come again.
            hit = rig.killed(moment(rig, seed + 1000 * link), before=before)
            self.figures.kills += hit
            self.figures.too_late += not hit
        # At each kill the same record can be alone in flight. After three, the job takes it for the
        # cause of the crashes, and makes it a dead letter.
        found = continued(
            rig, reference if chain == 1 else None, runs=2, dead=1 if chain > 2 else 0
        )
        self.figures.in_flight += rig.in_flight
        if not found.violations:
            shutil.rmtree(rig.root)
        return found

    def by_message_batch(self, seed: int, bill: Bill) -> Findings:
        """Kill a run by message batch, and examine the installation after the next runs."""
        rig = self.rig(f"trial{seed}", bill)
        hit = message_batch_kills.kill(rig, seed)
        self.figures.kills += hit
        self.figures.too_late += not hit
        found = message_batch_kills.continued(rig)
        self.figures.in_flight += rig.in_flight_live
        if not found.violations:
            shutil.rmtree(rig.root)
        return found

    def by_stale(self, seed: int, bill: Bill) -> Findings:
        """Kill a run with --stale, and examine the installation after the next ones."""
        rig = self.rig(f"trial{seed}", bill)
        rig.outdate()
        hit = rig.killed(moment(rig, seed), "--stale")
        self.figures.kills += hit
        self.figures.too_late += not hit
        found = brought_up_to_date(rig)
        self.figures.in_flight += rig.in_flight
        if not found.violations:
            shutil.rmtree(rig.root)
        return found

    def every_syscall(self, step: int) -> None:
        """Kill one run per write and sync (each `step`-th), right before it."""
        with standin_process(self.root / "counting") as bill:
            rig = self.rig("counting", bill)
            log = self.root / "strace"
            command = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={','.join(SYSCALLS)}"]
            assert _traced(rig, command) == 0
        calls = Counter(re.findall(r"^\d+ +(\w+)\(", log.read_text(), re.MULTILINE))
        points = [(name, n) for name in SYSCALLS for n in range(1, calls[name] + 1, step)]
        print(
            f"  {sum(calls.values())} calls: {dict(calls)}; {len(points)} kill points", flush=True
        )

        def one(seed: int, bill: Bill, reference: Rig) -> Findings:
            name, number = points[seed]
            rig = self.rig(f"point{seed}", bill)
            inject = f"inject={name}:signal=KILL:when={number}"
            died = _traced(rig, ["strace", "-f", "-qq", "-o", "/dev/null", "-e", inject]) != 0
            self.figures.kills += died
            self.figures.too_late += not died
            rig.count_in_flight()
            found = continued(rig, reference)
            self.figures.in_flight += rig.in_flight
            found.violations = [f"{name} {number}: {text}" for text in found.violations]
            shutil.rmtree(rig.root)
            return found

        self.trials(len(points), one)


def _traced(rig: Rig, command: list[str]) -> int:
    with rig.start(under=command) as process:
        process.communicate(timeout=120)
    return process.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill runs and count.")
    parser.add_argument("kills", type=int, nargs="?", default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--per-record", action="store_true")
    parser.add_argument("--message-batch", action="store_true")
    parser.add_argument("--stale", action="store_true")
    parser.add_argument("--chain", action="store_true")
    parser.add_argument("--every-syscall", type=int, nargs="?", const=1, metavar="STEP")
    parser.add_argument("--broken", action="store_true")
    parser.add_argument("--postgres", action="store_true")
    given = parser.parse_args()
    if given.broken and (given.message_batch or given.stale):
        parser.error("--broken has no faults for --message-batch and --stale")
    began = time.monotonic()
    per_record = given.per_record or given.message_batch or given.stale
    small = given.every_syscall or per_record
    phases = message_batch_kills.PHASES if given.message_batch else PHASES
    with tempfile.TemporaryDirectory() as folder, ExitStack() as closing:
        server = None
        if given.postgres:
            Path(folder).chmod(0o711)
            server = closing.enter_context(PostgreSQL(Path(folder) / "postgres"))
        bench = Bench(Path(folder), per_record, 60 if small else 400, 2, server)
        if given.every_syscall:
            bench.every_syscall(given.every_syscall)
        else:
            wrong = [NEVER_STORED, DONE_TOO_SOON, NEVER_RECOVERED] if given.broken else [""]

            def one(seed: int, bill: Bill, reference: Rig) -> Findings:
                if given.message_batch:
                    return bench.by_message_batch(given.seed + seed, bill)
                if given.stale:
                    return bench.by_stale(given.seed + seed, bill)
                before = wrong[seed % len(wrong)]
                links = 3 if given.chain else 1
                return bench.killed(given.seed + seed, bill, reference, links, before)

            bench.trials(given.kills, one)
    print(
        f"kill: {bench.figures.line()}, {time.monotonic() - began:.0f} s over {', '.join(phases)}"
    )
    return int(any(found.violations for _, found in bench.figures.found))


if __name__ == "__main__":
    raise SystemExit(main())
