"""What reports/index.html costs where there are reports of N days (default 1,000).

CPU and wall seconds, the least of five, of: a run that has nothing to do; a day that comes; and the
list's size. In one run, on this machine.

Usage   tests/.venv/bin/python tests/bench/reports_index.py [N]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(HERE / "jobs"), str(HERE / "tests")]

from common.publish import reports_index  # noqa: E402
from common.report import write  # noqa: E402
from common.report.report_page import html  # noqa: E402
from rigs.sample_report import sample  # noqa: E402


def least(work: Callable[[int], object]) -> str:
    """CPU and wall milliseconds of the fastest of five."""
    took = []
    for number in range(5):
        cpu, wall = time.process_time(), time.monotonic()
        work(number)
        took.append((time.process_time() - cpu, time.monotonic() - wall))
    cpu, wall = (1000 * min(one) for one in zip(*took, strict=True))
    return f"{cpu:7.1f} ms CPU, {wall:7.1f} ms"


def main(days: int) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as place:
        reports = Path(place)
        folder = reports / "daily_report"
        folder.mkdir()
        first = sample().day - timedelta(days=days)
        for number in range(days):
            report = replace(sample(), day=first + timedelta(days=number))
            (folder / f"{report.stem}.html").write_text(html(report), encoding="utf-8")
        reports_index.bring_up_to_date(reports, "daily_report", wrote=True)
        os.utime(folder, (1, 1))

        def nothing(_: int) -> None:
            reports_index.bring_up_to_date(reports, "daily_report", wrote=False)

        def one_more(number: int) -> None:
            write(replace(sample(), day=sample().day + timedelta(days=number)), folder)
            reports_index.bring_up_to_date(reports, "daily_report", wrote=True)

        def page_alone(number: int) -> None:
            write(replace(sample(), day=sample().day + timedelta(days=number)), folder)

        print(f"{days:,} days")
        print(f"nothing has changed           {least(nothing)}")
        print(f"a day's three files           {least(page_alone)}")
        print(f"the same, and the list        {least(one_more)}")
        print(f"the list                      {(reports / 'index.html').stat().st_size:,} bytes")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
