"""Of fifty starts at once, on two installations that share a ledger in PostgreSQL, one runs."""

from __future__ import annotations

import subprocess
from collections import Counter

import psycopg
import pytest

from rigs.crash_rig import until
from rigs.harness import Site
from rigs.installation import Installation
from rigs.pgbouncer import pooled
from rigs.record_jobs import events

STARTS = 50
# Its first save() lasts until all the others have ended.
JOB = """
import time
from pathlib import Path
from typing import Literal
from pydantic import BaseModel
from common import Job, run

class Label(BaseModel):
    label: Literal["parcel", "refund"]

def save(db, record, output):
    while not Path({over!r}).exists():
        time.sleep(0.02)
    db.execute("insert into seen values (?)", (record["record_id"],))

JOB = Job(name="seen", select="select id as record_id, content from events",
    instructions="Label each record.", output=Label, save=save,
    tables="create table if not exists seen (record_id text primary key)")
if __name__ == "__main__":
    raise SystemExit(run(JOB))
"""
pytestmark = [pytest.mark.slow, pytest.mark.sqlite("the records; the ledger is in PostgreSQL")]


@pytest.mark.parametrize("way", ["direct", "pooled"])
def test_of_fifty_starts_on_two_installations_one_runs(claude, site, postgres, tmp_path, way):
    claude()
    events(site, 3)
    over = tmp_path / "over"
    (tmp_path / "second").mkdir()
    both = [Installation(site), Installation(Site(tmp_path / "second", site.standin))]
    for one in both:
        (one.root / "jobs/seen.py").write_text(JOB.format(over=str(over)))
    with pooled(postgres) as pooler:
        environ = {
            "LEDGER_DB": pooler.url if way == "pooled" else postgres,
            "RECORDS_DB": str(site.source),
        }
        runs = [start(both[number % 2], environ) for number in range(STARTS)]
        try:
            until(lambda: sum(run.poll() is not None for run in runs) >= STARTS - 1, 120)
            over.touch()
            logs = [run.communicate(timeout=60)[1] for run in runs]
        finally:
            for run in runs:
                run.kill()
    codes = Counter(run.returncode for run in runs)
    assert codes == {75: STARTS - 1, 0: 1}, [
        log for run, log in zip(runs, logs, strict=True) if run.returncode not in (0, 75)
    ]
    told = [log for log in logs if "already running" in log]
    assert len(told) == STARTS - 1
    assert len(site.billed()) == 1
    assert site.saved("select count(*) from seen") == [(3,)]
    with psycopg.connect(postgres) as db:
        assert db.execute("select count(*) from runs").fetchone() == (1,)


def start(one: Installation, environ: dict[str, str]) -> subprocess.Popen[str]:
    return one.start("--live", script=one.root / "jobs/seen.py", **environ)
