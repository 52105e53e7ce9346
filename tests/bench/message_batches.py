"""CPU seconds and peak memory of many one-record requests by message batch.

Usage: message_batches.py [REQUESTS] [sqlite | postgres]   (default 100000, sqlite)

A run of bulk_classifier is a process of its own, as its user starts it: it selects, builds,
submits, collects and saves. Beside it stands the limit of nature: a bare script that makes the same
bodies by json.dumps from the same rows, uploads them with the SDK's client, reads each line of the
results by json.loads, and writes an output for each record, committed 500 at a time. It remembers
nothing. The stand-in is another process, whose time counts for neither. `postgres`: the ledger
stands there, and the server's time does not count either. A megabyte has 2^20 bytes.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "jobs"), str(ROOT / "tests")]

import bulk_classifier  # noqa: E402
from common.claude.models_api import Model  # noqa: E402
from common.claude.request import ask_about  # noqa: E402
from rigs.crash_rig import standin_process  # noqa: E402
from standin.servers import FAST, PostgreSQL  # noqa: E402

BYTES = 200  # of a record's text
SENTENCE = "Where is my parcel? I ordered a teapot and two mugs, and one of them arrived broken. "

BARE = """
import json, sqlite3, sys, tempfile, time
from itertools import islice

import anthropic, httpx2

MOST_BYTES = 250_000_000
PATH = "/v1/messages/batches"
records, folder, params = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
client = anthropic.Anthropic(max_retries=0)
db = sqlite3.connect(records, isolation_level=None)
under_way = []

def submit(body):
    body.write(b"]}")
    size = body.tell()
    body.seek(0)
    headers = {"Content-Type": "application/json", "Content-Length": str(size)}
    parts = iter(lambda: body.read(1 << 20), b"")
    made = client.post(PATH, cast_to=httpx2.Response, content=parts, options={"headers": headers})
    under_way.append(made.json()["id"])
    body.close()

body = None
for number, content in db.execute("select id, content from events order by id"):
    user = f'<records>\\n<record id="{number}">{content}</record>\\n</records>'
    params["messages"] = [{"role": "user", "content": user}]
    request = {"custom_id": f"20261129T020001Z-4711-{number:06d}abcdef", "params": params}
    entry = json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()
    if body and body.tell() + len(entry) > MOST_BYTES:
        submit(body)
        body = None
    if body is None:
        body = tempfile.TemporaryFile(dir=folder)
        body.write(b'{"requests":[')
    else:
        body.write(b",")
    body.write(entry)
submit(body)

def outputs(message_batch):
    while not client.get(f"{PATH}/{message_batch}", cast_to=httpx2.Response).json()["ended_at"]:
        time.sleep(2)
    url = f"{PATH}/{message_batch}/results"
    headers = {"X-Stainless-Raw-Response": "stream"}
    reply = client.get(url, cast_to=httpx2.Response, options={"headers": headers})
    for line in reply.iter_lines():
        message = json.loads(line)["result"]["message"]
        yield from json.loads(message["content"][0]["text"])["results"]
    reply.close()

db.execute("create table bare (record_id text primary key, label text, explanation text)")
every = (one for message_batch in under_way for one in outputs(message_batch))
while group := [(one["id"], one["label"], one["explanation"]) for one in islice(every, 500)]:
    db.execute("begin")
    db.executemany("insert into bare values (?, ?, ?)", group)
    db.execute("commit")
"""


def figures(command: list[str], environ: dict[str, str], log: Path) -> str:
    """The CPU seconds, peak and wall time of a process, in words."""
    began = time.perf_counter()
    with log.open("w") as file:
        process = subprocess.Popen(command, env=environ, stderr=file)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, log.read_text()[-3000:]
    wall = time.perf_counter() - began
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    return f"{cpu:.1f} s of CPU, {peak:.0f} MB ({wall:.0f} s of wall time)"


def records(path: Path, requests: int) -> None:
    """Make the table of records, with integer ids and texts of BYTES bytes."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("create table events (id integer primary key, content text)")
        texts = ((n, f"Message {n}. {SENTENCE * 4}"[:BYTES]) for n in range(1, requests + 1))
        db.executemany("insert into events values (?, ?)", texts)


def saved(path: Path, table: str) -> int:
    """How many records have a row in that table."""
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute(f"select count(*) from {table}").fetchone()[0])


def main() -> None:
    given = sys.argv[1:]
    requests = next((int(one) for one in given if one.isdigit()), 100_000)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        root = Path(name)
        root.chmod(0o711)
        shutil.copytree(ROOT / "jobs", root / "jobs")
        records(root / "records.db", requests)
        bill = stack.enter_context(standin_process(root / "standin", 0.0, (), 0.0))
        environ = {
            "PATH": "/usr/bin:/bin",
            "NO_PROXY": "127.0.0.1",
            "ANTHROPIC_API_KEY": "sk-ant-test-key-000000",
            "ANTHROPIC_BASE_URL": bill.url,
            "RECORDS_DB": str(root / "records.db"),
        }
        if "postgres" in given:
            server = stack.enter_context(PostgreSQL(root / "postgres", FAST))
            environ["LEDGER_DB"] = server.url
        job = [sys.executable, str(root / "jobs/bulk_classifier.py")]
        job += ["--message-batch", "--chunk-size", "1", "--wait", "2h"]
        line = figures(job, environ, root / "log")
        count = saved(root / "records.db", "event_labels")
        assert count == requests, (count, (root / "log").read_text()[-3000:])
        print(f"message batches: {requests:,} requests of one record: {line}", flush=True)

        model = Model("claude-haiku-5-5", {"type": "disabled"}, True, False, 128_000, "")
        params = ask_about(bulk_classifier.JOB, model, [{"record_id": "1", "content": ""}])
        bare = [sys.executable, "-c", BARE, environ["RECORDS_DB"], name, json.dumps(params)]
        line = figures(bare, environ, root / "log")
        assert saved(root / "records.db", "bare") == requests
        print(f"message batches: the bare script, which remembers nothing: {line}", flush=True)


if __name__ == "__main__":
    main()
