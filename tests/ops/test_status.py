"""`./run_job.sh status`: what it says about an installation."""

from __future__ import annotations

import fcntl
import json
import re
import sqlite3
import subprocess
import sys

import pytest

from common import times
from common.ledger.sqlite_ledger import LedgerFile
from ops import status
from ops.overview import sentences
from rigs.harness import REPOSITORY
from rigs.status_site import StatusSite, ago, run_id


@pytest.fixture
def here(tmp_path, databases):
    return StatusSite(tmp_path, databases)


def job_of(here, name="sorter", **environ):
    jobs = here.json(status, **environ)["jobs"]
    return next(job for job in jobs if job["job"] == name)


def test_a_job_that_never_ran_says_so(here):
    here.job("sorter")
    said = here.ask(status)
    assert said.code == 0
    assert "never ran" in said.out
    assert "Nothing needs you" in said.out


def test_records_are_counted_by_status(here):
    for kind in ("done", "failed", "dead", "submitted", "answered"):
        here.records("sorter", kind, f"{kind}-1", f"{kind}-2", at=ago(minutes=5))
    assert job_of(here)["records"] == {
        "done": 2, "failed": 2, "dead": 2, "waiting": 4, "corrected": 0, "erased": 0,
    }  # fmt: skip
    assert "2 done   2 failed   2 dead   4 waiting" in here.ask(status).out


def test_costs_are_those_of_today_and_of_this_month_by_model(here):
    here.records("sorter", "done", "a", usd=0.25)
    here.records("sorter", "done", "b", usd=0.5, at=f"{times.stamp()[:8]}01T00:00:00Z")
    here.records("sorter", "done", "c", usd=4.0, at=ago(days=40))
    cost = job_of(here)["cost"]
    assert cost["month"] == pytest.approx(0.75)
    assert cost["models"] == [{"model": "claude-haiku-5-5", "usd": 0.75, "requests": 2}]
    assert cost["today"] in (0.25, 0.75)  # on the first of a month they are the same day


def test_what_unanswered_attempts_can_have_cost_is_said(here):
    here.records("sorter", "submitted", "a", usd=0.25)
    assert "at most $0.2500 for attempts whose outcome is unknown" in here.ask(status).out


def test_the_last_run_has_the_wrappers_code_and_the_ledgers_figures(here):
    at = ago(hours=2)
    here.ran("sorter", at, 75, done=7)
    here.told("sorter", at, 124, "time limit (JOB_TIMEOUT)", seconds=900)
    run = job_of(here)["last_run"]
    assert (run["code"], run["seconds"], run["done"]) == (124, 900, 7)
    assert job_of(here)["state"] == "failed"
    assert "took 15m, " not in here.ask(status).out
    assert "code 124: time limit (JOB_TIMEOUT)" in here.ask(status).out


def test_the_last_success_is_found_behind_any_number_of_failures(here):
    here.ran("sorter", ago(days=90), 0)
    for hours in range(60):
        here.ran("sorter", ago(hours=hours + 1), 69)
    assert job_of(here)["last_success"]["started_at"][:10] == ago(days=90)[:10]


def test_the_last_success_is_a_success_where_the_history_has_newer_failures(here):
    here.ran("sorter", ago(days=90), 0)
    for hours in range(60):
        here.ran("sorter", ago(hours=hours + 1), 69)
        here.told("sorter", ago(hours=hours + 1), 69)
    success = job_of(here)["last_success"]
    assert (success["code"], success["started_at"][:10]) == (0, ago(days=90)[:10])


def test_a_dry_run_is_not_a_success(here):
    here.ran("sorter", ago(hours=2), 69)
    here.told("sorter", ago(hours=2), 69)
    here.told("sorter", ago(hours=1), 0)
    found = job_of(here)
    assert found["last_success"] is None
    assert found["last_run"]["code"] == 69
    assert "changed nothing" in here.ask(status, "sorter").out


def test_a_run_that_never_reached_the_ledger_is_shown_with_its_reason(here):
    here.told("sorter", ago(hours=1), 78, "RECORDS_DB is not set", seconds=0)
    said = here.ask(status, "sorter").out
    assert said.count("RECORDS_DB is not set") == 2


def test_a_run_that_died_without_a_word_is_called_dead(here):
    here.ran("sorter", ago(hours=1), None)
    assert job_of(here)["state"] == "died"
    assert "died without a word" in here.ask(status).out


def test_a_lock_that_is_held_is_seen_and_not_disturbed(here):
    at = ago(hours=1)
    here.ran("sorter", at, None)
    with (here.root / "state/sorter.lock").open("w+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"4711 {at} {run_id(at)}\n")
        lock.flush()
        found = job_of(here)
        assert found["state"] == "running"
        assert found["lock"] == {"since": at, "pid": "4711", "run_id": run_id(at)}
        assert found["runs"][0]["words"] == "under way"
        assert here.ask(status).code == 0
        with (here.root / "state/sorter.lock").open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert job_of(here)["lock"] is None


def test_a_refusal_while_it_runs_is_not_the_last_run(here):
    here.job("sorter")
    at = ago(hours=1)
    here.ran("sorter", ago(days=1), 0)
    here.ran("sorter", at, None)
    here.told("sorter", ago(minutes=1), 75, "sorter is already running")
    with (here.root / "state/sorter.lock").open("w+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"4711 {at} {run_id(at)}\n")
        lock.flush()
        assert job_of(here)["last_run"]["code"] == 0


def test_a_refused_start_during_a_long_run_does_not_hide_how_that_run_ended(here):
    here.ran("sorter", ago(hours=3), 0, seconds=7200)
    here.told("sorter", ago(hours=2), 75, "sorter is already running", seconds=0)
    assert job_of(here)["state"] == "ok"


def test_the_page_shows_every_job_whatever_job_was_named(here):
    here.job("sorter")
    here.job("other")
    here.ask(status, "sorter", "--html")
    assert 'id="other"' in (here.root / "reports/status.html").read_text()


def test_an_undelivered_alert_is_named_at_the_top_and_with_its_job(here):
    here.job("sorter")
    (here.root / "state/outbox").mkdir()
    (here.root / "state/outbox/1700000000123456-77.slack.sorter").write_text("a secret text")
    (here.root / "state/sorter.alerted").write_text(
        "code=1\nsince=1700000000\nalerted=1700000009\n"
    )
    said = here.ask(status).out
    assert "1 alert not delivered" in said
    assert "1 NOT DELIVERED since 2023-11-14 22:13:20" in said
    assert "the trouble began 2023-11-14 22:13:20" in said
    assert "secret" not in said


@pytest.mark.sqlite("no SQL in it")
def test_an_announcement_that_waits_is_called_one_and_no_alert(here):
    here.job("sorter")
    (here.root / "state/outbox").mkdir()
    for channel in ("report_slack", "report_email"):
        (here.root / f"state/outbox/1700000000123456-20231113.{channel}.sorter").touch()
    said = here.ask(status).out
    assert "2 announcements of reports not sent" in said and "alert" not in said
    assert "  announcement   2 NOT SENT since 2023-11-14 22:13:20" in said
    found = here.json(status)
    assert (found["undelivered"], found["unannounced"]) == (0, 2)
    with (here.root / "state/sorter.lock").open("w+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "not sent" not in here.ask(status).out.lower(), "its run sends them when it ends"


def test_erased_records_are_no_dead_letters_that_can_be_asked_again(here):
    here.records("sorter", "dead", "a", "b", "c")
    here.change("sorter", "update records set error = 'erased' where record_id <> 'a'")
    found = job_of(here)
    assert (found["records"]["dead"], found["records"]["erased"]) == (1, 2)
    assert [one["record_id"] for one in found["dead_letters"]] == ["a"]
    assert "1 dead letter;" in f"{here.ask(status).out.splitlines()[2]};"
    here.change("sorter", "update records set error = 'erased'")
    for said in (here.ask(status).out, here.ask(status, "sorter").out):
        assert "0 dead   0 waiting   3 erased, never asked again" in said
        assert "--retry-dead" not in said and "dead letter" not in said.lower().split("shows")[0]
    assert here.ask(status, "sorter", "--dead-letters").out.strip() == ""


@pytest.mark.sqlite("no SQL in it")
def test_what_failed_stands_first_and_what_has_never_run_last(here):
    here.job("asleep")
    here.ran("busy", ago(hours=1), 0)
    here.ran("with_dead", ago(hours=1), 0)
    here.records("with_dead", "dead", "a")
    here.ran("zebra", ago(hours=1), 69)
    order = ["zebra", "with_dead", "busy", "asleep"]
    assert re.findall(r"^([a-z_]+)  +\S", here.ask(status).out, re.MULTILINE) == order
    here.ask(status, "--html")
    page = (here.root / "reports/status.html").read_text()
    assert re.findall('<section id="([a-z_]+)">', page) == order


def test_a_message_batch_under_way_has_its_age_and_expiry(here):
    here.ran("sorter", ago(hours=3), 75)
    here.change(
        "sorter",
        "insert into message_batches (message_batch_id, run_id, job, status, requests, created_at)"
        " values ('msgbatch_1', 'r', 'sorter', 'submitted', 412, ?)",
        ago(hours=3),
    )
    said = " ".join(here.ask(status).out.split())
    assert re.search(r"msgbatch_1, 412 requests, submitted made \S+ \S+, 3h 0m ago; expires", said)
    assert re.search(r"expires \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, in 2[01]h", said)


def test_dead_letters_come_with_reasons_and_the_way_back_and_without_text(here):
    for n in range(23):
        here.records("sorter", "dead", f"d{n}", at=ago(minutes=n + 1))
    said = here.ask(status, "sorter").out
    assert "Dead letters, newest first (23)" in said
    assert "and 3 more" in said
    assert "refused (dead)" in said
    assert "./run_job.sh sorter --retry-dead" in said
    assert said.index(" d0 ") < said.index(" d1 ")
    assert "d22" not in said


def test_hostile_ids_and_reasons_stay_on_their_line(here):
    here.records("sorter", "dead", "\x1b[31mred\nnew")
    here.records("sorter", "dead", "\u202edaed\u2066\u2028")
    here.told("sorter", ago(hours=1), 1, "\x1b]0;title\x07 sk-ant-abcdefghijkl <script>")
    said = here.ask(status, "sorter").out
    assert not set("\x1b\u202e\u2066\u2028") & set(said)
    assert "sk-ant-abc" not in said
    here.ask(status, "--html")
    page = (here.root / "reports/status.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_an_unknown_job_is_refused_on_one_line(here):
    here.job("sorter")
    said = here.ask(status, "sortre")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("status: no job is called 'sortre' (did you mean sorter?)")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    "content", [b"not a database, by far" * 100, b"", b"SQLite format 3\x00" + b"\x01" * 5000]
)
@pytest.mark.sqlite("a damaged file")
def test_a_broken_ledger_is_one_line_and_the_rest_is_still_shown(here, content):
    here.job("sorter")
    here.records("other", "done", "a")
    (here.root / "state/sorter.db").write_bytes(content)
    said = here.ask(status)
    assert said.code == 0
    assert "1 done" in said.out
    assert said.out.count("cannot be read: ") == 1
    assert here.ask(status, "--html").code == 0


def test_a_history_with_broken_lines_is_one_note(here):
    here.told("sorter", ago(hours=1), 0)
    with (here.root / "state/history.tsv").open("ab") as file:
        file.write(b"half a li\n\xff\xfe\t\t\t\t\t\n2026-11-22T02:00:01Z\tx\tsorter\tNaN\t1\t\n")
    said = " ".join(here.ask(status).out.split())
    assert "3 lines could not be understood" in said
    assert "code 0: done" in said


def test_a_broken_env_file_is_one_note(here):
    here.records("sorter", "done", "a")
    (here.root / ".env").write_text("this is no setting\n")
    said = here.ask(status)
    assert (said.code, "1 done" in said.out) == (0, True)
    assert "note: .env line 1" in said.out


@pytest.mark.sqlite("the path of a file")
def test_the_ledger_setting_is_respected_for_each_job(here):
    here.job("sorter")
    here.records("sorter", "done", "a", "b", path="elsewhere/sorter.sqlite")
    assert job_of(here)["records"] is None
    for name in ("LEDGER_DB", "LEDGER_DB_SORTER"):
        found = job_of(here, **{name: "elsewhere/{job}.sqlite"})
        assert found["records"]["done"] == 2
    assert "LEDGER_DB" in here.ask(status, LEDGER_DB="one.db").out


def test_a_job_that_was_removed_is_gone_and_its_history_is_kept(here):
    for name in ("gone", "stays"):
        here.ran(name, ago(hours=2), 1)
        here.told(name, ago(hours=2), 1, "RECORDS_DB is not set")
        here.records(name, "dead", "a")
    here.remove("gone")
    (here.root / "state/records.db").write_bytes(b"another program's")
    assert [job["job"] for job in here.json(status)["jobs"]] == ["stays"]
    said = here.ask(status).out
    assert "gone" not in said and "1 dead letter" in said
    assert here.ask(status, "--html").code == 0
    assert "gone" not in (here.root / "reports/status.html").read_text()
    assert [line.split("\t")[2] for line in history_lines(here)] == ["gone", "stays"]
    assert [job["job"] for job in here.json(status, "gone")["jobs"]] == ["gone"]
    asked = here.ask(status, "gone").out
    assert "gone (there is no jobs/gone.py)" in asked and "RECORDS_DB is not set" in asked


def history_lines(here):
    return (here.root / "state/history.tsv").read_text().splitlines()


def test_wrong_usage_was_no_run(here):
    here.told("sorter", ago(hours=3), 0)
    here.told("sorter", ago(hours=1), 2, "argument --limit: 'x' is not a whole number")
    found = job_of(here)
    assert (found["state"], found["last_run"]["code"]) == ("ok", 0)
    assert "Nothing needs you" in here.ask(status).out
    assert "--limit" not in here.ask(status, "sorter").out
    assert sum(day["bad_runs"] for day in found["days"]) == 0


@pytest.mark.sqlite("a demo has files of its own")
def test_the_demo_is_looked_at_instead(here):
    here.records("sorter", "done", "a")
    here.records("sorter", "done", "b", "c", path="state/demo/sorter.db")
    assert here.json(status, "--demo")["jobs"][0]["records"]["done"] == 2
    said = here.ask(status, "--demo", "--html")
    assert said.out.strip() == str(here.root / "state/demo/reports/status.html")


def test_looking_leaves_no_trace(here):
    here.records("sorter", "done", "a")
    here.ran("sorter", ago(hours=1), 0)
    here.told("sorter", ago(hours=1), 0)
    (here.root / "state/sorter.lock").write_text("")
    before = here.files()
    for arguments in ((), ("sorter",), ("--json",)):
        assert here.ask(status, *arguments).code == 0
    assert here.files() == before


def test_a_ledger_that_is_being_written_is_read_with_what_is_committed(here):
    here.records("sorter", "done", "a")
    file = here.databases.open_ledger("sorter")
    with file.transaction():
        file.db.execute("update records set status = 'dead'")
        assert job_of(here)["records"]["done"] == 1
    assert job_of(here)["records"]["dead"] == 1
    file.close()


@pytest.mark.sqlite("SQLite's plans")
def test_no_question_reads_the_table_of_outputs(here, monkeypatch):
    here.records("sorter", "done", "a")
    asked: list[str] = []
    connect = sqlite3.connect

    def connected(*arguments, **options):
        db = connect(*arguments, **options)
        db.set_trace_callback(asked.append)
        return db

    monkeypatch.setattr(sqlite3, "connect", connected)
    here.ask(status)
    monkeypatch.undo()
    questions = [sql for sql in asked if "from records" in sql or "from requests" in sql]
    assert len(questions) == 10
    file = LedgerFile(here.root / "state/sorter.db")
    plans = [
        " ".join(row[3] for row in file.db.execute(f"explain query plan {sql}"))
        for sql in questions
    ]
    file.close()
    for plan in plans:
        assert re.search(
            r"USING (COVERING )?INDEX (records_done|records_unfinished|requests_)", plan
        ), plan
    assert not any("PRIMARY KEY" in plan or "SCAN re" in plan for plan in plans)


@pytest.mark.sqlite("a file of an older version")
def test_an_older_ledger_gets_its_indexes_when_it_is_next_written(here):
    here.records("sorter", "done", "a")
    file = LedgerFile(here.root / "state/sorter.db")
    for name in ("records_done", "records_unfinished", "requests_spent"):
        file.db.execute(f"drop index {name}")
    file.close()
    assert job_of(here)["records"]["done"] == 1  # it is read all the same
    LedgerFile(here.root / "state/sorter.db").close()
    names = {row[0] for row in here.rows("sorter", "select name from sqlite_master")}
    assert {"records_done", "records_unfinished", "requests_spent"} <= names


def test_nothing_slow_is_imported(here):
    here.records("sorter", "done", "a")
    code = (
        "import sys; from pathlib import Path; from ops import status;"
        "status.main(sys.argv[2:], Path(sys.argv[1]), {});"
        "sys.stderr.write(' '.join(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    for arguments in ((), ("--json",), ("--html",)):
        command = [sys.executable, "-c", code, str(here.root), *arguments]
        env = {"PYTHONPATH": str(REPOSITORY / "jobs")}
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        slow = {"anthropic", "pydantic", "asyncio", "httpx", "httpx2", "requests", "celery"}
        assert not slow & set(done.stderr.split())


def test_a_job_still_imports_what_it_needs_from_common():
    import common
    from common.runner.run import run

    assert common.run is run
    with pytest.raises(AttributeError, match="no attribute 'Jobs'"):
        getattr(common, "Jobs")  # noqa: B009 - mypy knows that there is none


def test_the_text_is_no_wider_than_a_terminal_and_has_no_colours_elsewhere(here):
    here.records("sorter", "dead", *(f"a-rather-long-record-id-{n}" for n in range(5)))
    here.told("sorter", ago(hours=1), 69, "word " * 39)
    for arguments in ((), ("sorter",)):
        said = here.ask(status, *arguments).out
        assert max(map(len, said.splitlines())) <= 100
        assert "\x1b" not in said


def test_exit_codes_are_worded_as_the_wrapper_words_them():
    script = (
        f"root={REPOSITORY}; source $root/jobs/wrappers/shared.sh;"
        " for ((n = 0; n < 256; n++)); do words_for $n; printf '%s\\n' \"$REPLY\"; done"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines() == [sentences.code_in_words(code) for code in range(256)]


def test_the_page_is_one_file_that_asks_for_nothing(here):
    here.ran("sorter", ago(days=1), 0, done=5)
    here.ran("sorter", ago(hours=1), 69)
    here.records("sorter", "dead", "a")
    said = here.ask(status, "--html")
    path = here.root / "reports/status.html"
    assert said.out == f"{path}\n"
    page = path.read_text()
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|<script|<link|<img|url\(|@import", page)
    assert page.count("<svg") == 3
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_page_that_cannot_be_written_is_a_line(here):
    (here.root / "reports").write_text("in the way")
    said = here.ask(status, "--html")
    assert said.code == 73
    assert said.err.startswith("status: cannot write ")


def test_the_days_have_what_was_done_spent_and_waited_for(here):
    at = ago(days=2)
    here.ran("sorter", at, 69, seconds=30, done=4)
    here.records("sorter", "done", "a", at=at, usd=0.5)
    days = job_of(here)["days"]
    assert len(days) == 30
    assert days[-3] == {
        "day": at[:10], "runs": 1, "bad_runs": 1, "records": 4, "seconds": 30.0, "usd": 0.5,
    }  # fmt: skip


def test_json_is_one_object(here):
    here.records("sorter", "done", "a")
    assert list(json.loads(here.ask(status, "--json").out))[:4] == ["at", "root", "demo", "jobs"]
