"""The seconds of `status`, and what its indexes cost the runs that write.

Usage: status.py RECORDS ROUNDS

The ledger has RECORDS records done this month, fifty per request, with outputs of 200 bytes.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "jobs"), str(ROOT / "tests")]

from common import times  # noqa: E402
from common.claude.pricing import Tokens  # noqa: E402
from common.ledger.ledger import Ledger  # noqa: E402
from common.ledger.set_aside import Answer  # noqa: E402
from common.ledger.sqlite_ledger import LedgerFile  # noqa: E402
from common.ledger.states import Ending, RequestStatus  # noqa: E402
from rigs.ledgers import intent  # noqa: E402

OUTPUT = json.dumps({"label": "delivery", "reason": "x" * 170})
CHUNK = 50
WRITTEN = 50_000
STATUS_INDEXES = ("records_done", "records_unfinished", "requests_spent")
BEFORE = "create index requests_by_time on requests (job, created_at)"


def written(path: Path, records: int, *, indexed: bool) -> float:
    """The processor seconds for writing that many records as runs do: three commits a request.

    `indexed` says whether the ledger has the indexes for `status`.
    """
    file = LedgerFile(path)
    if not indexed:
        for name in STATUS_INDEXES:
            file.db.execute(f"drop index {name}")
        file.db.execute(BEFORE)
    ledger = Ledger(file, "big", "bench")
    began = time.process_time()
    for first in range(0, records, CHUNK):
        ids = [str(n) for n in range(first, first + CHUNK)]
        request_id = f"bench-{first:09d}"
        with ledger.transaction():
            ledger.intend([intent(request_id, *ids, most_usd=0.01)])
        with ledger.transaction():
            answer = OUTPUT * CHUNK
            ledger.answered([Answer(request_id, ids, answer, "req", Tokens(100, 10), 0.001)])
        with ledger.transaction():
            done = dict.fromkeys(ids, OUTPUT)
            ledger.apply([Ending(request_id=request_id, status=RequestStatus.DONE, done=done)])
    seconds = time.process_time() - began
    file.close()
    return seconds


def filled(path: Path, records: int) -> None:
    """Create a ledger with that many records done, in two large transactions."""
    file = LedgerFile(path)
    now = times.stamp()
    with file.transaction():
        file.db.executemany(
            "insert into records (job, record_id, status, request_id, version, output, updated_at)"
            " values ('big', ?, 'done', ?, '0123456789ab', ?, ?)",
            ((f"{n:09d}", f"bench-{n // CHUNK:09d}", OUTPUT, now) for n in range(records)),
        )
    with file.transaction():
        file.db.executemany(
            "insert into requests (request_id, job, run_id, delivery, status, record_ids, "
            "attempts, answer, model, version,"
            " usd, created_at) values (?, 'big', 'bench', 'live', 'done', ?, 1, ?, "
            "'claude-haiku-5-5', '0123456789ab', 0.001, ?)",
            (
                (
                    f"bench-{n:09d}",
                    json.dumps([f"{n * CHUNK + k:09d}" for k in range(CHUNK)]),
                    OUTPUT * CHUNK,
                    now,
                )
                for n in range(records // CHUNK)
            ),
        )
    file.close()


def timed(command: list[str], jobs: Path, before: Callable[[], None]) -> float:
    """The median seconds of a command, which imports from `jobs`; `before` runs ahead of each."""
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(jobs)}
    seconds = []
    for _ in range(7):
        before()
        began = time.perf_counter()
        subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def forget(path: Path) -> None:
    """Drop the file from the page cache, as the machine does over a night."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> None:
    records, rounds = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        ratios = []
        for number in range(rounds):
            with_them = written(Path(folder) / f"with-{number}.db", WRITTEN, indexed=True)
            without = written(Path(folder) / f"without-{number}.db", WRITTEN, indexed=False)
            ratios.append(with_them / without)
            print(
                f"  {WRITTEN} records: {with_them:.2f} s with the indexes, {without:.2f} s without"
            )
        print(f"writing with the indexes, over without: {statistics.median(ratios):.2f}")
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT / "jobs", tree / "jobs")
        (tree / "jobs/big.py").write_text('"""A job."""\n')  # a job without a script is not shown
        ledger = tree / "state/big.db"
        filled(ledger, records)
        size = ledger.stat().st_size / 1e6
        jobs = tree / "jobs"
        status = [sys.executable, str(jobs / "ops/status.py")]
        said = subprocess.run(status, env={"PYTHONPATH": str(jobs)}, capture_output=True, text=True)
        assert f"{records:,} done" in said.stdout, said
        warm = timed(status, jobs, lambda: None)
        cold = timed(status, jobs, lambda: forget(ledger))
        page = timed([*status, "--html"], jobs, lambda: None)
        python = timed([sys.executable, "-c", "import sqlite3"], jobs, lambda: None)
        counting = "select count(*) from records where status || '' = 'done'"
        began = time.perf_counter()
        sqlite3.connect(ledger).execute(counting).fetchone()
        scan = time.perf_counter() - began
        print(f"  a ledger of {records} records done, {size:.0f} MB")
        print(f"  status {warm:.2f} s, from a cold disk {cold:.2f} s, --html {page:.2f} s")
        print(f"  python -c 'import sqlite3' {python:.2f} s; one scan of the table {scan:.2f} s")
        print(f"status, over `import sqlite3`: {warm / python:.1f}")


if __name__ == "__main__":
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} processors")
    main()
