"""A disk that fills up while many long answers are in flight: each that is paid for is kept."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rigs.crash_rig import Bill, standin_process
from rigs.harness import REPOSITORY

FIELDS = 42  # of 700 characters each: an answer of 30 kB
JOB = f"""
from pathlib import Path
from pydantic import BaseModel, Field, create_model
from common import Job, run

TEXT = (str, Field(min_length=700, max_length=700))
Long = create_model("Long", **{{f"text_{{n}}": TEXT for n in range({FIELDS})}})

def save(db, record, output):
    db.execute("insert or replace into labels values (?, ?)", (record["record_id"], output.text_0))

JOB = Job(name=Path(__file__).stem,
    select="select id as record_id, content from events order by id",
    instructions="Describe each record.", output=Long, save=save, chunk_size=1,
    output_tokens=12000,
    tables="create table if not exists labels (record_id text primary key, label text)")
if __name__ == "__main__":
    raise SystemExit(run(JOB))
"""
# In a mount namespace of its own: a run with all of its requests in flight, the disk filled, and
# what is there then; a larger disk, another run, and what is there then.
ON_THE_DISK = """
import json, os, subprocess, sys
from pathlib import Path
sys.path[:0] = [{tests!r}, {jobs!r}]
from rigs.crash_rig import Bill, Rig, until
disk = Path({disk!r})
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], check=True)
bill = Bill({url!r}, Path({bill!r}))
rig = Rig(Path({root!r}), bill, environ={{"LEDGER_DB": str(disk / "{{job}}.db")}}, days=1)
rig.events({records} + 1)
rig.job = "labels"
(rig.root / "jobs/labels.py").write_text({job!r})
rig.run("--live", "--limit", "1")  # the first chunk goes by itself
process = rig.start("--live", "--concurrency", "{records}")
under_way = "select count(*) from requests where status = 'submitted'"
until(lambda: rig.ledger(under_way)[0][0] == {records})
with (disk / "filler").open("wb", buffering=0) as filler:
    try:
        while True:
            filler.write(b"x" * 4096)
    except OSError:
        pass
log = process.communicate(timeout=60)[1]
kept = "select count(*) from requests where length(answer) > 29000"
found = [process.returncode, log, rig.ledger(kept)[0][0], len(bill.lines())]
(disk / "filler").unlink()
ended = rig.run("--live")
done = rig.ledger("select count(*) from records where status = 'done'")[0][0]
print(json.dumps([*found, ended.code, done, len(bill.lines())]))
"""


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bill]:
    """A stand-in that takes its time, so that all requests are in flight together."""
    with standin_process(tmp_path_factory.mktemp("standin"), latency=2.0) as bill:
        yield bill


@pytest.mark.parametrize("records", [50])
def test_fifty_answers_of_30_kb_in_flight_are_all_kept(tmp_path, bill, records):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["unshare", "-rm", "mount", "-t", "tmpfs", "x", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    code = ON_THE_DISK.format(
        tests=str(REPOSITORY / "tests"), jobs=str(REPOSITORY / "jobs"), disk=str(disk),
        url=bill.url, bill=str(bill.path), root=str(tmp_path / "site"), records=records, job=JOB,
    )  # fmt: skip
    ended = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    status, log, kept, billed, later, done, all_billed = json.loads(ended.stdout)
    assert status == 74, log
    assert "Traceback" not in log
    assert kept == billed == records + 1, log
    assert (later, done, all_billed) == (0, records + 1, records + 1)
