"""`./run_job.sh prune --record ID`: nothing that an installation keeps says anything of it any
more, and nobody else's records are asked again for that.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout, suppress
from dataclasses import replace
from pathlib import Path

import pytest

import bulk_classifier
import daily_report
import data_enrichment
from common.ledger import sqlite_ledger
from common.ledger.ledger import Ledger
from common.ledger.set_aside import Answer, left_aside, set_aside
from common.process.lock import hold
from ops import prune, review
from ops.ledger import erased_space, erasing
from rigs.databases import SqliteFiles
from rigs.harness import REPOSITORY, Result, Site
from rigs.message_batch_site import standin_db
from rigs.status_site import Said

ID = "customer-0007"
DAY = "2026-11-20"
SECRET = "Wolkenkuckucksheim"  # what no other record says
TEXT = f"{SECRET} {SECRET} {SECRET}: where is my parcel to {SECRET}? It was due on Monday."
JOBS = [bulk_classifier.JOB, data_enrichment.JOB, daily_report.JOB]


def erase(site: Site, *arguments: str, **environ: str) -> Said:
    out, err = io.StringIO(), io.StringIO()
    given = site.databases.settings() | {"ANTHROPIC_API_KEY": "sk-ant-test-key-000000"}
    if site.standin:
        given["ANTHROPIC_BASE_URL"] = site.standin.url
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = prune.main(["--record", *arguments], site.root, given | environ)
        except SystemExit as end:
            code = int(str(end.code))
    return Said(code, out.getvalue(), err.getvalue())


def filled(site: Site, count: int = 8) -> Site:
    """Records, of which the one in the middle says the secret, and the scripts of three jobs."""
    (site.root / "jobs").mkdir(exist_ok=True)
    for job in JOBS:
        shutil.copy(REPOSITORY / f"jobs/{job.name}.py", site.root / "jobs")
    site.events(
        (
            ID if n == 4 else f"buyer-{n:04}",
            TEXT if n == 4 else f"I want a refund for order {n}, the mug arrived damaged.",
            f"{DAY} 10:{n:02}:00",
        )
        for n in range(count)
    )
    return site


def run(site: Site, job, *arguments: str) -> Result:
    more = ["--date", DAY] if job.per_day else []
    more += [] if {"--message-batch", "--eval"} & {*arguments} else ["--live"]
    return site.run(job, "--chunk-size", "5", *more, *arguments)


def asked(site: Site) -> int:
    return len(site.billed())


def places(site: Site, text: str = SECRET) -> list[str]:
    """The files whose bytes hold a text: all but the user's own tables."""
    wanted = text.encode()
    found = [
        str(path.relative_to(site.root))
        for path in sorted(site.root.rglob("*"))
        if path.is_file()
        and path.name not in ("records.db", "records.db-wal", "records.db-journal")
        and wanted in _content(path)
    ]
    if not isinstance(site.databases, SqliteFiles):
        found += _in_tables(site, wanted)
    return found


def _content(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw


def _in_tables(site: Site, wanted: bytes) -> Iterator[str]:
    """The files of the server's tables that hold a text, but for those with the records."""
    with site.databases.ledger("daily_report") as db:
        db.execute("checkpoint")
        folder = Path(db.execute("show data_directory").fetchone()[0])
        (oid,) = db.execute(
            "select oid from pg_database where datname = current_database()"
        ).fetchone()
        users = {
            path
            for row in db.execute(
                "select pg_relation_filepath(c.oid), pg_relation_filepath(c.reltoastrelid)"
                " from pg_class c where relkind = 'r'"
                # The planner's notes are of the records, too.
                " and (relname like 'event%' or relname = 'pg_statistic')"
            )
            for path in row
        }
        for path in sorted((folder / f"base/{oid}").iterdir()):
            if str(path.relative_to(folder)) not in users and wanted in path.read_bytes():
                number = path.name.partition(".")[0]
                whose = db.execute(f"select pg_filenode_relation(0, {number})").fetchone()
                yield f"{path} ({whose})"


def states(site: Site, job) -> dict[str, str]:
    return dict(site.ledger("select record_id, status from records", job.name))


@pytest.mark.parametrize("job", JOBS[1:], ids=lambda job: job.name)  # their answers quote it
def test_its_text_is_gone_from_the_bytes_and_its_key_and_cost_stay(claude, job):
    site = filled(claude())
    assert run(site, job).code == 0
    assert places(site), "the rig: nothing would hold the text"
    cost = site.ledger("select sum(usd), sum(input_tokens), count(*) from requests", job.name)
    ids = site.ledger("select record_ids from requests order by request_id", job.name)
    said = erase(site, ID)
    assert said.code == 0, said.err
    assert f"{ID}: {job.name}: erased (1 answer" in said.out
    assert f"the row that the SELECT of jobs/{job.name}.py reads (a job that has not" in said.out
    assert places(site) == []
    assert states(site, job)[ID] == "dead" and list(states(site, job).values()).count("done") == 7
    assert site.ledger(f"select error, output from records where record_id = '{ID}'", job.name) == [
        ("erased", None)
    ]
    after = site.ledger("select sum(usd), sum(input_tokens), count(*) from requests", job.name)
    assert after == cost
    assert site.ledger("select record_ids from requests order by request_id", job.name) == ids
    again = erase(site, ID)
    assert (again.code, "was erased before" in again.out) == (0, True), again.out + again.err


@pytest.mark.parametrize(
    "options",
    [
        [], ["--reprocess"], ["--retry-dead"], ["--retry-dead", "--reprocess"], ["--stale"],
        ["--try", "8"], ["--message-batch"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_it_is_never_asked_again(claude, options):
    site = filled(claude(message_batch_seconds=0))
    job = replace(bulk_classifier.JOB, instructions="Another version.")
    assert run(site, bulk_classifier.JOB).code == 0
    assert erase(site, ID).code == 0
    run(site, job if "--stale" in options or "--try" in options else bulk_classifier.JOB, *options)
    named = site.ledger("select record_ids from requests order by created_at", job.name)
    assert sum(ID in json.loads(ids) for (ids,) in named) == 1
    assert states(site, job)[ID] == "dead"
    assert places(site) == []


def test_an_evaluation_and_a_review_leave_it_out(claude):
    site = filled(claude())
    labels = site.root / "labels.csv"
    labels.write_text(f"record_id,label\n{ID},delivery\nbuyer-0001,refund\n")
    assert run(site, bulk_classifier.JOB).code == 0
    assert site.run(bulk_classifier.JOB, "--eval", str(labels)).code == 0
    assert erase(site, ID).code == 0
    billed = asked(site)
    job = replace(bulk_classifier.JOB, instructions="Another version.")
    result = site.run(job, "--eval", str(labels))
    assert result.code == 0, result.log
    assert asked(site) == billed + 1
    (ids,) = site.ledger("select record_ids from requests order by created_at", job.name)[-1]
    assert json.loads(ids) == ["buyer-0001"]
    assert places(site) == []


def test_nobody_pays_again_for_the_others_and_a_report_counts_it_as_erased(claude):
    site = filled(claude())
    for job in JOBS:
        run(site, job)
    announced = site.root / "state/outbox/1700000000000000-20261120.report_slack.daily_report"
    announced.parent.mkdir()
    announced.write_text(f"What {SECRET} says")
    what = f"update windows set report = replace(report, 'Other messages', '{SECRET}')"
    site.change_ledger("daily_report", what)
    assert SECRET in str(site.ledger("select report from windows"))
    assert erase(site, ID).code == 0
    merges = "select status, answer from requests where record_ids = '[]'"
    assert site.ledger(merges) == [("failed", None)]
    assert not announced.exists()
    assert not [*site.root.glob(f"reports/daily_report/{DAY}*")] and places(site) == []
    index = site.root / "reports/index.html"
    assert not index.exists() or DAY not in index.read_text()
    billed = asked(site)
    for job in JOBS[:2]:
        assert run(site, job).code == 0
    assert asked(site) == billed
    result = run(site, daily_report.JOB)
    assert result.code == 0, result.log
    # The findings without it are merged anew; no record is sent for that.
    assert asked(site) == billed + 1
    assert site.ledger("select record_ids from requests order by created_at")[-1] == ("[]",)
    page = (site.root / f"reports/daily_report/{DAY}.html").read_text()
    assert ID in page and "erased" in page and SECRET not in page
    said = erase(site, ID)
    assert "was erased before, again erased" in said.out
    assert (site.root / f"reports/daily_report/{DAY}.html").read_text() == page
    assert places(site) == []


def test_an_answer_apart_is_used_for_the_others_alone(claude):
    site = filled(claude())
    assert run(site, bulk_classifier.JOB, "--try", "8").code == 0
    billed = asked(site)
    assert erase(site, ID).code == 0
    assert run(site, bulk_classifier.JOB).code == 0
    assert asked(site) == billed
    assert sorted(set(states(site, bulk_classifier.JOB).values())) == ["dead", "done"]
    rows = site.saved("select record_id, label from event_labels")
    assert len(rows) == 7 and ID not in dict(rows)


def test_an_answer_that_waits_is_saved_for_the_others(claude):
    site = filled(claude())
    assert run(site, bulk_classifier.JOB).code == 0
    rows = dict(site.saved("select record_id, label from event_labels"))
    site.change("delete from event_labels")
    # As a kill between the answers and save() leaves it.
    site.change_ledger("bulk_classifier", "update records set status = 'answered', output = null")
    site.change_ledger("bulk_classifier", "update requests set status = 'answered'")
    assert erase(site, ID).code == 0
    billed = asked(site)
    assert run(site, bulk_classifier.JOB).code == 0
    assert asked(site) == billed
    del rows[ID]
    assert dict(site.saved("select record_id, label from event_labels")) == rows


def test_an_answer_about_it_alone_waits_no_more(claude):
    site = filled(claude())
    assert site.run(data_enrichment.JOB, "--live", "--chunk-size", "1").code == 0
    site.change_ledger("data_enrichment", "update records set status = 'answered', output = null")
    site.change_ledger("data_enrichment", "update requests set status = 'answered'")
    assert erase(site, ID).code == 0
    about = f"select status, answer from requests where record_ids like '%{ID}%'"
    assert site.ledger(about, "data_enrichment") == [("done", None)]
    result = run(site, data_enrichment.JOB)
    assert (result.code, asked(site)) == (0, 8) and "not in the SELECT" not in result.log


def test_a_later_try_of_the_same_records_leaves_it_out(claude):
    site = filled(claude())
    assert run(site, bulk_classifier.JOB, "--try", "8").code == 0
    assert erase(site, ID).code == 0
    job = replace(bulk_classifier.JOB, instructions="Another version.")
    result = run(site, job, "--try", "8")
    assert result.code == 0, result.log
    assert ID not in result.stdout and "buyer-0005" in result.stdout


def test_it_is_erased_under_every_name_of_the_job(claude):
    site = filled(claude())
    run(site, bulk_classifier.JOB)
    erase(site, ID)
    with closing(site.databases.open_ledger("bulk_classifier")) as file:
        found = Ledger(file, "bulk_classifier@0123456789ab", "r").states([ID, "buyer-0005"])
    assert {one: state.error for one, state in found.items()} == {ID: "erased"}


def test_a_review_leaves_it_out_and_refuses_a_row_about_it(claude):
    site = filled(claude())
    run(site, bulk_classifier.JOB)
    erase(site, ID)
    given = site.databases.settings()
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        review.main(["bulk_classifier"], site.root, given)
        table = site.root / "mine.csv"
        table.write_text(f"record_id,correct_label,correct_explanation\n{ID},refund,so\n")
        code = review.main(["bulk_classifier", "--import", str(table)], site.root, given)
    assert code == 78 and "it was erased" in err.getvalue(), err.getvalue()
    assert places(site) == [] and "dead letter" not in out.getvalue()
    assert states(site, bulk_classifier.JOB)[ID] == "dead"


@pytest.mark.sqlite("PostgreSQL's tables are written anew whatever stands in them")
def test_what_was_deleted_long_before_is_gone_from_the_file_too(claude):
    site = filled(claude())
    run(site, bulk_classifier.JOB)
    with site.databases.ledger("bulk_classifier") as db:
        db.execute("pragma secure_delete = off")
        for sql in ("update requests set error = ?", "update requests set error = null"):
            db.execute(sql, (SECRET * 1000,) if "?" in sql else ())
            db.commit()
    assert places(site)
    assert erase(site, ID).code == 0
    assert places(site) == []


@pytest.mark.sqlite("on PostgreSQL nobody's reading keeps a log")
def test_while_somebody_reads_the_ledger_it_is_75(claude, monkeypatch):
    site = filled(claude())
    run(site, data_enrichment.JOB)
    monkeypatch.setattr(sqlite_ledger, "PATIENCE", 0.1)
    with closing(sqlite3.connect(site.root / "state/data_enrichment.db")) as db:
        db.execute("begin")
        db.execute("select count(*) from records").fetchone()
        said = erase(site, ID)
    assert said.code == 75 and "data_enrichment.db-wal still holds what was erased" in said.out
    assert erase(site, ID).code == 0 and places(site) == []


def test_while_somebodys_transaction_needs_the_old_rows_it_is_75(claude, monkeypatch):
    site = filled(claude())
    if isinstance(site.databases, SqliteFiles):
        return  # see the test above
    run(site, data_enrichment.JOB)
    monkeypatch.setattr(erased_space, "_WAITS", ())
    with site.databases.records() as db:
        db.execute("begin isolation level repeatable read")
        db.execute("select count(*) from events").fetchone()
        said = erase(site, ID)
        assert said.code == 75 and "an open transaction needs old rows of re" in said.out
        db.execute("commit")
    assert erase(site, ID).code == 0 and places(site) == []


def test_answers_that_wait_in_a_file_lose_it_too(claude):
    site = filled(claude())
    run(site, data_enrichment.JOB)
    answers = "select request_id, record_ids, answer from requests where record_ids like"
    found = site.ledger(f"{answers} '%{ID}%'", "data_enrichment")
    path = site.root / "state/data_enrichment.answers"
    set_aside(path, [Answer(name, json.loads(ids), text) for name, ids, text in found])
    assert SECRET in path.read_text()
    erase(site, ID)
    if isinstance(site.databases, SqliteFiles):
        return  # it has none
    (left,) = left_aside(path)
    assert SECRET not in path.read_text()
    assert left.record_ids == [one for one in json.loads(found[0][1]) if one != ID]
    assert len(json.loads(json.loads(left.text)["content"][0]["text"])["results"]) == len(
        left.record_ids
    )


def test_a_message_batch_still_at_work_brings_nothing_about_it(claude, tmp_path):
    folder = tmp_path / "standin"
    site = filled(claude(state=folder, faults=[{"kind": "stay_in_progress", "times": 1}]), 30)
    options = ["--chunk-size", "2", "--message-batch", "--wait"]
    assert site.run(data_enrichment.JOB, *options, "0").code == 75
    said = erase(site, ID)
    assert said.code == 0, said.err
    assert "still at work" in said.out and "and deletes it at Anthropic" in said.out
    with standin_db(folder) as db:
        db.execute("update message_batches set duration = 0")
    claude(state=folder)
    result = site.run(data_enrichment.JOB, *options, "20h")
    assert result.code == 0, result.log
    shutil.rmtree(folder, ignore_errors=True)
    assert states(site, data_enrichment.JOB)[ID] == "dead" and places(site) == []
    assert sorted(states(site, data_enrichment.JOB).values()).count("done") == 29
    assert site.ledger("select status from message_batches", "data_enrichment") == [("collected",)]


def test_what_is_kept_at_anthropic_is_deleted_there(claude):
    site = filled(claude(message_batch_seconds=0), 30)
    site.environ["KEEP_MESSAGE_BATCHES"] = "1"
    assert site.run(data_enrichment.JOB, "--chunk-size", "2", "--message-batch").code == 0
    (name,) = site.ledger("select message_batch_id from message_batches", "data_enrichment")[0]
    assert f"message batch {name}: would be deleted" in erase(site, ID, "--dry-run").out
    said = erase(site, ID)
    assert said.code == 0 and f"message batch {name}: deleted at Anthropic" in said.out, said.out
    assert f"message batch {name}: no longer at Anthropic" in erase(site, ID).out


def test_without_a_key_it_says_what_stays_at_anthropic(claude):
    site = filled(claude(message_batch_seconds=0), 30)
    site.environ["KEEP_MESSAGE_BATCHES"] = "1"
    site.run(data_enrichment.JOB, "--chunk-size", "2", "--message-batch")
    said = erase(site, ID, ANTHROPIC_API_KEY="")
    assert said.code == 78 and "NOT deleted at Anthropic: ANTHROPIC_API_KEY is not set" in said.out
    assert states(site, data_enrichment.JOB)[ID] == "dead"


def test_logs_tables_history_and_alerts_lose_it_too(claude):
    site = filled(claude())
    run(site, bulk_classifier.JOB)
    stamp = "2026-11-21T02:00:01Z"
    lines = [
        f"{stamp} INFO  [run] chunk 1/2: 5 records answered\n",
        f"{stamp} ERROR [run] record {ID} is a dead letter: refused\n",
        f"Traceback of {SECRET}\n",
        f"{stamp} INFO  [run] END code=3\n",
    ]
    logs = site.root / "logs"
    logs.mkdir()
    (logs / "bulk_classifier.log").write_text("".join(lines))
    (logs / "bulk_classifier.log.1.gz").write_bytes(gzip.compress("".join(lines).encode()))
    os.utime(logs / "bulk_classifier.log.1.gz", (1_700_000_000, 1_700_000_000))
    history = site.root / "state/history.tsv"
    history.write_text(f"{stamp}\t20261121T020000Z-1\tbulk_classifier\t3\t9\trecord {ID}: no\n")
    table = site.root / "reports/review/bulk_classifier.csv"
    table.parent.mkdir(parents=True)
    table.write_text(f'\ufeff"record_id","text"\r\n"{ID}","{TEXT}"\r\n"b","Text, b\n2"\r\n')
    outbox = site.root / "state/outbox"
    outbox.mkdir()
    alert = outbox / "1700000000000000-1.slack.bulk_classifier"
    alert.write_text(json.dumps({"text": f"record {ID} is a dead letter"}))
    announced = outbox / "1700000000000001-20261120.report_slack.bulk_classifier"
    announced.write_text(json.dumps({"text": f"record {ID} is late"}))
    (outbox / ".pending-1-20261120.report_slack.bulk_classifier.x1.part").write_text(SECRET)
    before = snapshot(site)
    would = erase(site, ID, "--dry-run")
    assert snapshot(site) == before
    assert "2 log lines" in would.out and "1 row of a review table" in would.out
    assert "1 waiting alert, 1 waiting announcement" in would.out
    assert erase(site, ID).code == 0
    kept = (logs / "bulk_classifier.log").read_text()
    assert kept == "".join(
        [lines[0], f"{stamp} ERROR [run] (this line named a record that was erased)\n", lines[3]]
    )
    assert gzip.decompress((logs / "bulk_classifier.log.1.gz").read_bytes()).decode() == kept
    assert (logs / "bulk_classifier.log.1.gz").stat().st_mtime == 1_700_000_000
    assert history.read_text().endswith("\t3\t9\trecord (erased): no\n")
    assert table.read_bytes().decode() == '\ufeff"record_id","text"\r\n"b","Text, b\n2"\r\n'
    assert json.loads(alert.read_text()) == {"text": "record (erased) is a dead letter"}
    assert places(site) == []
    assert [one for one in places(site, ID) if one.startswith(("logs", "reports"))] == []


def snapshot(site: Site) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in site.root.rglob("*")
        if path.is_file() and not path.name.endswith(("-shm", "-wal", ".pyc"))
    }


def test_an_id_of_digits_is_found_only_where_a_line_calls_it_a_record(claude):
    site = filled(claude())
    site.events([(50, "A text", f"{DAY} 11:00:00")])
    run(site, bulk_classifier.JOB)
    logs = site.root / "logs"
    logs.mkdir()
    about = "2026-11-21T02:00:01Z INFO  [run] "
    lines = ["50 records answered, 50 in 50 out tokens", "done=50", "record 50 is a dead letter"]
    (logs / "bulk_classifier.log").write_text("".join(f"{about}{line}\n" for line in lines))
    erase(site, "50")
    kept = (logs / "bulk_classifier.log").read_text().splitlines()
    assert [line.removeprefix(about) for line in kept] == [
        *lines[:2], "(this line named a record that was erased)",
    ]  # fmt: skip


def test_it_says_which_rows_are_the_users(claude):
    site = filled(claude())
    run(site, bulk_classifier.JOB)
    out = erase(site, ID).out
    assert f"yours to delete, in RECORDS_DB: table event_labels, record_id = '{ID}'" in out
    assert "the row that the SELECT of jobs/bulk_classifier.py reads" in out


def test_an_id_that_no_ledger_knows_is_wrong_usage(claude):
    site = filled(claude())
    run(site, bulk_classifier.JOB)
    said = erase(site, "customer-9999")
    assert said.code == 2 and "no ledger of these jobs knows a record customer-9999" in said.err
    assert erase(site, ID, "bulk_classifier").code == 2
    assert erase(site, ID, "--older-than", "90d").code == 2


def test_other_versions_of_the_row_are_named(claude):
    site = filled(claude())
    site.events([(f"{ID}@2026-11-21", "A later text", f"{DAY} 11:00:00")])
    run(site, bulk_classifier.JOB)
    out = erase(site, ID).out
    assert f"1 other record of the same row: {ID}@2026-11-21: name each one with --record" in out
    assert erase(site, ID, "--record", f"{ID}@2026-11-21").code == 0
    assert states(site, bulk_classifier.JOB)[f"{ID}@2026-11-21"] == "dead"


def test_while_the_job_runs_it_is_75_and_the_other_jobs_are_done(claude):
    site = filled(claude())
    for job in JOBS[:2]:
        run(site, job)
    lock = hold(site.root / "state/bulk_classifier.lock")
    try:
        said = erase(site, ID)
    finally:
        os.close(lock)
    assert said.code == 75 and "bulk_classifier: not erased yet: already running" in said.out
    assert states(site, bulk_classifier.JOB)[ID] == "done"
    assert states(site, data_enrichment.JOB)[ID] == "dead"
    assert erase(site, ID).code == 0 and places(site) == []


class Killed(BaseException):
    """As kill -9: nothing of the command's own runs after it."""


@pytest.mark.parametrize(
    ("owner", "name"),
    [(erasing, "_erase_answer"), (erased_space, "scrub"), (erased_space, "rewrite")],
)
def test_a_kill_in_the_middle_leaves_it_to_the_next_call(claude, monkeypatch, owner, name):
    site = filled(claude())
    for job in JOBS:
        run(site, job)

    def killed(*_):
        raise Killed

    # What is only one database's is not met on the other.
    with monkeypatch.context() as patch, suppress(Killed):
        patch.setattr(owner, name, killed)
        erase(site, ID)
    assert erase(site, ID).code == 0
    assert places(site) == []
    assert {states(site, job)[ID] for job in JOBS} == {"dead"}
    assert not (site.root / f"reports/daily_report/{DAY}.md").exists()
