"""Seconds of a run over what its account's rate limits allow, and of two runs on one account.

Usage: limits.py [lowest | next | tiny | two ...] [--records N] [--burst SECONDS] [--jobs FOLDER]
                 [-- OPTIONS OF THE JOB]          (default: all four, with their own numbers)

Each run is a process of its own, `bulk_classifier --live`, so that start-up and imports count; the
stand-in is another, which meters as the API does and answers after 1.5 s and 150 output tokens a
second. The records are made from the samples, about 200 bytes each.

ideal    what was billed over the limit a minute, for the tightest of requests, input and output,
         and the seconds of one answer. The bucket that is full at the start counts for nothing.
full     the same, with that bucket's worth taken off what was billed.
share    of two runs on one account: the ideal for what both were billed, one answer, and the part
         of it that a run of this size gets. Each gets a half while both run.

`--jobs` is a folder with the jobs of another version; `--burst 1` makes a bucket hold a second's
worth.
"""

from __future__ import annotations

import argparse
import compileall
import csv
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "jobs/standin/samples.csv"
JOB = "bulk_classifier"
LATENCY, TOKENS_PER_SECOND = 1.5, 150
APART = 1.0  # seconds from the first of two runs to the second


@dataclass(frozen=True)
class Tier:
    """What an account may do in a minute, how many records are sent, and how far from the ideal."""

    requests: int
    input: int
    output: int
    records: int
    most: float
    most_429s: int


TIERS = {
    "lowest": Tier(1_000, 2_000_000, 400_000, 10_000, 1.25, 3),
    "next": Tier(5_000, 5_000_000, 1_000_000, 10_000, 1.5, 3),
    "tiny": Tier(50, 50_000, 10_000, 1_000, 1.2, 10),
}
TWO = Tier(1_000, 2_000_000, 400_000, 10_000, 1.3, 6)


@dataclass(frozen=True)
class Ended:
    """How a run went: its seconds, and the fields of its SUMMARY."""

    seconds: float
    summary: dict[str, str]


@dataclass(frozen=True)
class Bill:
    """What an account was billed, and what it was refused."""

    requests: int
    input: int
    output: int
    refused: int

    def seconds(self, tier: Tier, full: float = 0.0) -> tuple[float, str]:
        """The seconds that the limits need for it, after a bucket of `full` minutes, and which."""
        needs = {
            "requests": self.requests / tier.requests,
            "input_tokens": self.input / tier.input,
            "output_tokens": self.output / tier.output,
        }
        tightest = max(needs, key=lambda name: needs[name])
        return 60 * max(0.0, needs[tightest] - full), tightest

    @property
    def answer(self) -> float:
        """The seconds of one answer."""
        return LATENCY + self.output / self.requests / TOKENS_PER_SECOND


@contextmanager
def standin(tier: Tier, burst: float) -> Iterator[str]:
    """Run the stand-in as a process of its own; its URL."""
    command = [sys.executable, "-m", "standin.standin", "--latency", str(LATENCY)]
    command += ["--seconds-per-output-token", str(1 / TOKENS_PER_SECOND)]
    command += ["--requests-per-minute", str(tier.requests), "--burst-seconds", str(burst)]
    command += ["--input-tokens-per-minute", str(tier.input)]
    command += ["--output-tokens-per-minute", str(tier.output)]
    with subprocess.Popen(command, cwd=ROOT / "jobs", stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def bill(url: str) -> Bill:
    """What the stand-in has counted so far."""
    with urllib.request.urlopen(f"{url}/stand-in/counts") as reply:
        counts: dict[str, Any] = json.load(reply)
    totals = counts["totals"]
    return Bill(
        counts["billed"],
        totals["input_tokens"] + totals["cache_write_tokens"],
        totals["output_tokens"],
        counts["rate_limited"],
    )


def records(path: Path, count: int) -> None:
    """Create a database of so many events. Each text is two of the samples."""
    with SAMPLES.open(encoding="utf-8", newline="") as file:
        texts = [row["content"] for row in csv.DictReader(file)]
    pairs = zip(cycle(texts), cycle(texts[1:]), strict=False)  # another pair in each round
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("create table events (id integer primary key, content text, created_at text)")
        db.executemany(
            "insert into events (content, created_at) values (?, '2026-11-20 10:00:00')",
            ((f"{first}\n{second}",) for first, second in islice(pairs, count)),
        )


class Run:
    """One run: a process in an installation of its own, which is ready when the clock starts."""

    def __init__(self, folder: Path, jobs: Path, url: str, count: int, options: list[str]) -> None:
        shutil.copytree(jobs, folder / "jobs")
        (folder / "state").mkdir()
        (folder / "logs").mkdir()
        (folder / "reports").mkdir()
        compileall.compile_dir(folder / "jobs", quiet=2)
        records(folder / "records.db", count)
        environ = {
            "PATH": "/usr/bin:/bin",
            "ANTHROPIC_API_KEY": "bench",
            "ANTHROPIC_BASE_URL": url,
            "NO_PROXY": "127.0.0.1",
            "RECORDS_DB": str(folder / "records.db"),
        }
        self._count = count
        self._log = folder / "log"
        self._environ = environ
        self._command = [sys.executable, str(folder / f"jobs/{JOB}.py"), "--live", *options]

    def start(self) -> Run:
        """Start it."""
        self._began = time.perf_counter()
        self._process = subprocess.Popen(
            self._command, env=self._environ, stderr=self._log.open("wb")
        )
        return self

    def wait(self) -> Ended:
        """Wait for its end. Stops the bench where it did not do all of its records."""
        code = self._process.wait()
        return self._ended(code, time.perf_counter() - self._began)

    def poll(self) -> Ended | None:
        """As `wait`, or None while it runs."""
        code = self._process.poll()
        return None if code is None else self._ended(code, time.perf_counter() - self._began)

    def _ended(self, code: int, seconds: float) -> Ended:
        log = self._log.read_text(encoding="utf-8")
        summary = dict(re.findall(r"(\w+)=(\S+)", log.rpartition(" SUMMARY ")[2]))
        if code or summary.get("done") != str(self._count):
            sys.exit(f"limits: the run ended with {code}:\n{log[-3000:]}")
        return Ended(seconds, summary)


def reached(ended: Ended) -> str:
    """How many requests were in flight, and what held them, as SUMMARY has it."""
    return (
        f"in_flight={ended.summary.get('in_flight', '?')}"
        f" limited_by={ended.summary.get('limited_by', '?')}"
    )


def one(name: str, tier: Tier, arguments: argparse.Namespace) -> None:
    """One run on one account."""
    count = arguments.records or tier.records
    with standin(tier, arguments.burst) as url, tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "one", arguments.jobs, url, count, arguments.options)
        ended, billed = run.start().wait(), bill(url)
    needed, tightest = billed.seconds(tier)
    ideal = needed + billed.answer
    full = billed.seconds(tier, arguments.burst / 60)[0] + billed.answer
    print(
        f"  {tier.requests:,} requests, {tier.input:,} in and {tier.output:,} out a minute,"
        f" {arguments.burst:g} s of them at once; {count:,} records:"
        f" {billed.requests:,} requests, {billed.input:,} in, {billed.output:,} out\n"
        f"  took {ended.seconds:.1f} s; ideal {ideal:.1f} s ({needed:.1f} s of {tightest} and"
        f" {billed.answer:.1f} s for an answer), with a full bucket at the start {full:.1f} s;"
        f" {reached(ended)}"
    )
    print(
        f"{name}: seconds over the ideal {ended.seconds / ideal:.2f} (at most {tier.most}),"
        f" 429s {billed.refused} (at most {tier.most_429s})",
        flush=True,
    )


def two(tier: Tier, arguments: argparse.Namespace) -> None:
    """Two runs on one account, of which the second starts a little later."""
    count = arguments.records or tier.records
    with standin(tier, arguments.burst) as url, tempfile.TemporaryDirectory() as folder:
        running = {
            number: Run(Path(folder) / str(number), arguments.jobs, url, count, arguments.options)
            for number in (1, 2)
        }
        running[1].start()
        time.sleep(APART)
        running[2].start()
        ended: dict[int, Ended] = {}
        while len(ended) < 2:
            time.sleep(0.02)
            for number in set(running) - set(ended):
                if end := running[number].poll():
                    ended[number] = end
        billed = bill(url)
    needed, tightest = billed.seconds(tier)
    share = needed + billed.answer
    print(
        f"  {tier.requests:,} requests, {tier.input:,} in and {tier.output:,} out a minute,"
        f" {arguments.burst:g} s of them at once; twice {count:,} records, {APART:g} s apart:"
        f" {billed.requests:,} requests, {billed.input:,} in, {billed.output:,} out\n"
        f"  share of each {share:.1f} s ({tightest})"
    )
    for number, run in sorted(ended.items()):
        print(f"  run {number}: {run.seconds:.1f} s, {run.seconds / share:.2f}, {reached(run)}")
    seconds = [run.seconds for run in ended.values()]
    print(
        f"two at once: the slower over the faster {max(seconds) / min(seconds):.2f}"
        f" (at most {tier.most}), the slower over its share {max(seconds) / share:.2f},"
        f" 429s {billed.refused} (at most {tier.most_429s})",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tiers", nargs="*", metavar="TIER", choices=[*TIERS, "two", []])
    parser.add_argument("--records", type=int)
    parser.add_argument("--burst", type=float, default=60.0)
    parser.add_argument("--jobs", type=Path, default=ROOT / "jobs")
    mine = sys.argv[1:]
    at = mine.index("--") if "--" in mine else len(mine)
    arguments = parser.parse_args(mine[:at])
    arguments.options = mine[at + 1 :]
    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    for name in arguments.tiers or [*TIERS, "two"]:
        if name == "two":
            two(TWO, arguments)
        else:
            one(name, TIERS[name], arguments)


if __name__ == "__main__":
    main()
