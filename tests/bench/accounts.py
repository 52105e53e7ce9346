"""What runs make of many kinds of accounts, in virtual time: seconds over what the limits allow.

Usage: accounts.py [WORD ...]   (default: all; else those whose name has one of the words)

The flow and the account's limits are the real ones, everything between them is played
(`tests/rigs/played_account.py`), so that all of it takes seconds. `limits.py` measures the same
with processes and real time; what `ideal` and `full` mean is said there.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "jobs"), str(ROOT / "tests")]

from rigs.played_account import Account, Server, Work  # noqa: E402

LOWEST: dict[str, Any] = {"requests": 1_000, "input_tokens": 2_000_000, "output_tokens": 400_000}
NEXT: dict[str, Any] = {"requests": 5_000, "input_tokens": 5_000_000, "output_tokens": 1_000_000}
SCALE: dict[str, Any] = {"requests": 10_000, "input_tokens": 10_000_000, "output_tokens": 2_000_000}
TINY: dict[str, Any] = {"requests": 50, "input_tokens": 50_000, "output_tokens": 10_000}
USUAL = Work()
SINGLE = Work(records=1, input=60, output=20, prompt=300)
FEW = replace(USUAL, requests=20)


def main() -> None:
    logging.disable(logging.CRITICAL)
    for tier, limits in (("lowest", LOWEST), ("next", NEXT), ("scale", SCALE), ("tiny", TINY)):
        work = FEW if tier == "tiny" else USUAL
        single = replace(SINGLE, requests=150 if tier == "tiny" else 3_000)
        for burst in (60.0, 5.0, 1.0):
            show(f"{tier}, {burst:g} s at once", Account(**limits, burst=burst), work)
        show(f"{tier}, two runs", Account(**limits), *later(work, 2))
        show(f"{tier}, two runs, 1 s at once", Account(**limits, burst=1.0), *later(work, 2))
        show(f"{tier}, four runs", Account(**limits), *later(work, 4))
        show(f"{tier}, a large and a late small run", Account(**limits), *mixed(work))
        show(f"{tier}, one-record requests", Account(**limits), single)
        show(f"{tier}, one-record requests, 1 s at once", Account(**limits, burst=1.0), single)
        show(f"{tier}, answers of 30 s", Account(**limits), replace(work, output=86))
        show(f"{tier}, much input", Account(**limits), replace(work, input=400, output=5))
        show(f"{tier}, sizes differ by half", Account(**limits), replace(work, spread=0.5))
        busy = Server(overloaded=0.02)
        show(f"{tier}, 2 % overloaded", Account(**limits, server=busy), work)
        show(f"{tier}, no headers", Account(**limits, server=Server(headers=False)), work)


def later(work: Work, runs: int) -> list[Work]:
    """The same work several times, a second apart."""
    return [replace(work, at=work.at + number) for number in range(runs)]


def mixed(work: Work) -> list[Work]:
    """A large run, and a small one that starts while the large one uses all there is."""
    return [replace(work, requests=2 * work.requests), replace(work, at=30.0, requests=10)]


def show(name: str, account: Account, *works: Work) -> None:
    """Print one line about one account."""
    if sys.argv[1:] and not any(word in name for word in sys.argv[1:]):
        return
    runs = account.play(*works)
    assert [run.answered for run in runs] == [work.requests for work in works]
    seconds = max(run.seconds for run in runs)
    (ideal, tightest), full = account.ideal(), account.ideal(account.burst / 60)[0]
    own = [run.seconds - work.at for run, work in zip(runs, works, strict=True)]
    each = "" if len(runs) == 1 else ", each " + " ".join(f"{one:.0f}" for one in own)
    print(
        f"{name:44}{seconds:7.1f} s, ideal {ideal:6.1f}: {seconds / ideal:5.2f},"
        f" full {full:6.1f}: {seconds / full:5.2f}; {len(account.refused):3} 429s,"
        f" {account.in_flight_max:3} in flight, {tightest}{each}"
    )


if __name__ == "__main__":
    main()
