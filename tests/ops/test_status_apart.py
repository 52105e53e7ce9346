"""`status` about versions, and about what stands apart: --try, --eval, second opinions."""

from __future__ import annotations

import fcntl
import json
import os
import re

import pytest

from common import times
from ops import status
from rigs.status_site import StatusSite, ago, run_id

OLD, OLDER, NEW = "000000000001", "000000000000", "00000000000f"
SCRIPT = '''"""Sorts."""

from pathlib import Path

from pydantic import BaseModel

from common import Job


class Sorted(BaseModel):
    label: str


JOB = Job(
    name="sorter",
    select="select 1 as record_id, 'x' as content",
    instructions="{instructions}",
    output=Sorted,
    save=lambda db, record, output: None,
)
'''


@pytest.fixture
def here(tmp_path, databases):
    return StatusSite(tmp_path, databases)


def job_of(here, *arguments, **environ):
    return here.json(status, "sorter", *arguments, **environ)["jobs"][0]


def words(here, *arguments, **environ):
    return " ".join(here.ask(status, *arguments, **environ).out.split())


def edited(here, instructions="Sort.", name="jobs/sorter.py"):
    """Change the script, later than all that was asked so far."""
    path = here.root / name
    path.write_text(SCRIPT.format(instructions=instructions) if name.endswith(".py") else "")
    at = times.now().timestamp() + 5
    os.utime(path, (at, at))


def unchanged(here, days):
    """The script is as old as that: only its mtime can be set, so that alone is looked at."""
    path = here.root / "jobs/sorter.py"
    at = times.now().timestamp() - 86400 * days
    os.utime(path, (at, at))


def test_records_done_by_older_versions_are_counted_with_the_way_to_ask_them_again(here):
    here.records("sorter", "done", "a", "b", version=OLDER, at=ago(days=3))
    here.records("sorter", "done", "c", version=OLD, at=ago(days=2))
    here.records("sorter", "done", "d", version=NEW)
    assert job_of(here)["versions"] == {
        "today": [NEW], "older": 3, "older_versions": 2, "unknown": 0,
    }  # fmt: skip
    said = words(here)
    assert "3 of 4 records done by an older version (2 versions)" in said
    assert "ask them again: ./run_job.sh sorter --stale" in said
    here.ask(status, "--html")
    page = (here.root / "reports/status.html").read_text()
    assert "3 of 4 records done by an older version (2 versions)" in page


def test_a_report_tells_how_days_that_it_no_longer_looks_at_are_asked_again(here):
    here.records("sorter", "done", "a", version=OLD, at=ago(days=30))
    here.records("sorter", "done", "b", version=NEW)
    here.change(
        "sorter",
        'insert into windows (job, "window", records, made_from, updated_at)'
        " values ('sorter', '2026-11-21', 1, '', '')",
    )
    assert "--stale (for a day older than a week add --date YYYY-MM-DD)" in words(here)


def test_where_all_agree_nothing_is_said_of_versions(here):
    here.records("sorter", "done", "a", "b")
    assert "version" not in words(here)


def test_a_record_whose_version_nobody_noted_counts_as_older_and_is_told_of_apart(here):
    here.records("sorter", "done", "a", "b", version="", at=ago(days=3))
    here.records("sorter", "done", "c", version=NEW)
    found = job_of(here)["versions"]
    assert (found["older"], found["unknown"]) == (0, 2)
    said = words(here)
    assert "2 of 3 records done by a version that nobody noted" in said
    assert "an older version" not in said and "--stale" in said


def test_a_corrected_record_is_counted_by_itself_and_is_never_older(here):
    here.records("sorter", "corrected", "a", "b", version=OLD, purpose="correction")
    here.records("sorter", "done", "c", version=NEW)
    found = job_of(here)
    assert (found["records"]["done"], found["records"]["corrected"]) == (1, 2)
    assert found["versions"]["older"] == 0
    assert "2 corrected by a person" in words(here)
    here.ask(status, "--html")
    assert "<span>corrected by a person</span>" in (here.root / "reports/status.html").read_text()


def test_what_another_model_was_asked_by_hand_is_not_the_version_of_today(here):
    here.records("sorter", "done", "a", version=NEW, at=ago(hours=2))
    here.records("sorter", "done", "b", version=OLD, at=ago(hours=1))
    here.change("sorter", "update requests set model = 'another' where version = ?", OLD)
    assert job_of(here)["versions"]["today"] == [NEW]


def ran_with(here, model, at):
    run = here.ran("sorter", at, 0, done=5)
    sql = "update runs set model = ?, requests = 1 where run_id = ?"
    here.change("sorter", sql, model, run)


def test_a_model_that_the_crontab_names_is_that_of_today(here):
    for days, model in ((9, "claude-haiku-5-5"), (2, "from the crontab"), (1, "from the crontab")):
        ran_with(here, model, ago(days=days))
    here.records("sorter", "done", "a", version=OLD, at=ago(days=9))
    here.records("sorter", "done", "b", "c", version=NEW, at=ago(days=1))
    here.change("sorter", "update requests set model = 'from the crontab' where version = ?", NEW)
    assert job_of(here)["versions"] == {
        "today": [NEW], "older": 1, "older_versions": 1, "unknown": 0,
    }  # fmt: skip
    # One that a person asked once by hand is not.
    ran_with(here, "claude-haiku-5-5", ago(hours=1))
    assert job_of(here)["versions"]["today"] == [NEW]
    ran_with(here, "claude-haiku-5-5", ago(minutes=1))
    assert job_of(here)["versions"]["today"] == [OLD]


def test_where_runs_asked_different_models_the_configured_one_counts(here):
    for hours, model in ((2, "claude-haiku-5-5"), (1, "another")):
        ran_with(here, model, ago(hours=hours))
    here.records("sorter", "done", "a", version=NEW, at=ago(hours=2))
    here.records("sorter", "done", "b", version=OLD, at=ago(hours=1))
    here.change("sorter", "update requests set model = 'another' where version = ?", OLD)
    assert job_of(here)["versions"]["today"] == [NEW]


def test_a_try_after_an_edit_tells_the_version_of_today(here):
    here.records("sorter", "done", "a", version=OLD, at=ago(hours=2))
    here.records(f"sorter@{NEW}", "done", "b", version=NEW, purpose="try")
    here.ran(f"sorter@{NEW}", ago(minutes=5), 0)
    found = job_of(here)
    assert found["versions"] == {"today": [NEW], "older": 1, "older_versions": 1, "unknown": 0}
    assert found["records"]["done"] == 1


def test_with_a_second_opinion_there_are_two_versions_of_today(here):
    here.records("sorter", "done", "a", version=NEW)
    here.records("sorter", "done", "b", version=OLD)
    here.records(f"sorter@{OLD}", "done", "b", version=OLD, purpose="second opinion")
    here.ran(f"sorter@{OLD}", ago(minutes=5), 0)
    here.change("sorter", "update requests set model = 'the second' where version = ?", OLD)
    found = job_of(here)["versions"]
    assert (found["today"], found["older"]) == ([OLD, NEW], 0)


@pytest.mark.parametrize("changed", ["jobs/sorter.py", ".env"])
def test_a_script_that_was_changed_since_is_asked_for_its_version(here, changed):
    here.records("sorter", "done", "a", version=OLD, at=ago(hours=1))
    edited(here)
    if changed == ".env":
        unchanged(here, days=1)
        edited(here, name=".env")
    before = here.files()
    (today,) = job_of(here)["versions"]["today"]
    assert here.files() == before
    assert today not in (OLD, "") and len(today) == 12
    assert "1 of 1 record done by an older version (1 version)" in words(here)
    here.records("sorter", "done", "b", version=today)
    here.root.joinpath("jobs/sorter.py").write_text(SCRIPT.format(instructions="Sort."))
    assert job_of(here)["versions"]["older"] == 1


def test_the_model_of_the_settings_is_part_of_the_version_of_today(here):
    here.records("sorter", "done", "a", version=OLD, at=ago(hours=1))
    edited(here)
    one = job_of(here)["versions"]["today"]
    other = job_of(here, CLAUDE_MODEL="claude-opus-5-5")["versions"]["today"]
    assert len(one) == len(other) == 1 and one != other


def test_a_script_that_cannot_be_imported_has_the_version_of_its_newest_request(here):
    here.records("sorter", "done", "a", version=OLD, at=ago(hours=2))
    here.records("sorter", "done", "b", version=NEW, at=ago(hours=1))
    edited(here)
    (here.root / "jobs/sorter.py").write_text("import no_such_module")
    assert job_of(here)["versions"] == {
        "today": [NEW], "older": 1, "older_versions": 1, "unknown": 0,
    }  # fmt: skip


def test_costs_beside_the_runs_are_in_the_sums_and_are_named(here):
    here.records("sorter", "done", "a", usd=0.25)
    for purpose, usd in (("try", 0.125), ("eval", 0.5), ("second opinion", 2.0)):
        here.records(f"sorter@{NEW}", "done", purpose, usd=usd, purpose=purpose, version=NEW)
    here.ran(f"sorter@{NEW}", ago(minutes=5), 0)
    here.records("sorter", "corrected", "c", usd=0.0, purpose="correction")
    cost = job_of(here)["cost"]
    assert (cost["today"], cost["month"]) == (2.875, 2.875)
    assert sorted((one["purpose"], one["usd"], one["requests"]) for one in cost["purposes"]) == [
        ("eval", 0.5, 1), ("second opinion", 2.0, 1), ("try", 0.125, 1),
    ]  # fmt: skip
    assert cost["models"] == [{"model": "claude-haiku-5-5", "usd": 2.875, "requests": 4}]
    said = words(here)
    assert "$0.1250 for --try (1 request)" in said
    assert "$2.00 for second opinions (1 request)" in said
    here.ask(status, "--html")
    assert "$0.5000 for --eval" in (here.root / "reports/status.html").read_text()


def test_what_is_under_way_has_cost_nothing_so_far_and_what_has_no_price_is_said(here):
    here.ran("sorter", ago(hours=1), 0)
    here.ran(f"sorter@{NEW}", ago(hours=1), None)
    here.records(f"sorter@{NEW}", "submitted", "a", usd=0.5, purpose="second opinion", version=NEW)
    assert [one["usd"] for one in job_of(here)["cost"]["purposes"]] == [0]
    assert "$0 for second opinions (1 request)" in words(here)
    here.change("sorter", "update requests set unsettled_usd = 0, status = 'done'")
    assert [one["usd"] for one in job_of(here)["cost"]["models"]] == [None]
    assert "no known price for second opinions" in words(here)


def test_a_message_batch_of_an_evaluation_is_shown_as_one(here):
    here.ran(f"sorter@{NEW}", ago(hours=3), None)
    here.records(f"sorter@{NEW}", "submitted", "a", purpose="eval", version=NEW)
    here.change("sorter", "update requests set message_batch_id = 'msgbatch_1'")
    here.change(
        "sorter",
        "insert into message_batches (message_batch_id, run_id, job, status, requests, created_at)"
        f" values ('msgbatch_1', 'r', 'sorter@{NEW}', 'submitted', 12, ?)",
        ago(hours=3),
    )
    assert re.search("msgbatch_1, 12 requests for --eval, submitted made .{19}, 3h 0m", words(here))
    assert job_of(here)["records"]["waiting"] == 0


@pytest.mark.parametrize("code", [0, 3, 75, 78])
@pytest.mark.parametrize("known_by", ["its answers apart", "the wrapper's word"])
def test_a_try_or_an_evaluation_is_not_the_last_run_of_the_job(here, code, known_by):
    night = ago(days=1)
    here.ran("sorter", night, 0, done=3)
    here.told("sorter", night, 0)
    at, reason = ago(hours=1), "accuracy 0.82 is below --min-accuracy 0.9"
    if known_by == "its answers apart":
        here.ran(f"sorter@{NEW}", at, code)
        here.records(f"sorter@{NEW}", "done", "a", purpose="eval", version=NEW)
        here.change("sorter", "update requests set run_id = (select run_id from runs"
                              " where job like '%@%')")  # fmt: skip
    else:
        reason = f"--eval: {reason}"
    here.told("sorter", at, code, reason)
    found = job_of(here)
    assert (found["state"], found["last_run"]["code"]) == ("ok", 0)
    assert found["last_run"]["started_at"] == found["last_success"]["started_at"]
    assert sum(day["bad_runs"] for day in found["days"]) == 0
    assert [(run["measure"], run["code"]) for run in found["runs"]] == [("--eval", code), ("", 0)]
    assert "Nothing needs you" in words(here)
    if code:
        assert "--eval, saved nothing: accuracy 0.82" in words(here, "sorter")


def test_a_try_under_way_does_not_hide_that_the_last_run_failed(here):
    night, at = ago(hours=9), ago(minutes=1)
    here.ran("sorter", night, 69)
    here.told("sorter", night, 69, "the network was gone")
    here.ran(f"sorter@{NEW}", at, None)
    with (here.root / "state/sorter.lock").open("w+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"4711 {at} {run_id(at)}\n")
        lock.flush()
        assert job_of(here)["state"] == "failed"
        said = words(here, "sorter")
    assert "--try or --eval, pid 4711, holds state/sorter.lock" in said
    assert "code 69" in said and "FAILED" in said


def test_a_run_that_also_asked_for_second_opinions_is_a_run_of_the_job(here):
    at = ago(hours=1)
    here.ran("sorter", at, 3, done=3)
    here.ran(f"sorter@{NEW}", at, 0)
    here.told("sorter", at, 3, "2 records became dead letters")
    assert (job_of(here)["state"], job_of(here)["runs"][0]["measure"]) == ("failed", "")


def test_what_looks_wrong_in_the_last_run_that_could_be_judged_needs_a_look(here):
    for days, texts in ((3, ["older"]), (2, ["label: complaint 15 %, usually 3 %", "\x1b[2J x"])):
        run = here.ran("sorter", ago(days=days), 0, done=60)
        here.change(
            "sorter", "update runs set warnings = ? where run_id = ?", json.dumps(texts), run
        )
    here.ran("sorter", ago(days=1), 0)  # it had nothing to do
    here.ran("sorter", ago(hours=3), 0, done=49)  # too few to tell
    found = job_of(here)
    assert found["warnings"][0] == "label: complaint 15 %, usually 3 %"
    assert found["state"] == "ok"
    said = here.ask(status).out
    assert "looks wrong    label: complaint 15 %, usually 3 %" in said
    assert "sorter: answers look wrong" in said and "\x1b" not in said
    here.ran("sorter", ago(hours=1), 0, done=60)
    assert job_of(here)["warnings"] == []
    assert "Nothing needs you" in words(here)


@pytest.mark.parametrize("text", ["no JSON", "{}", "3", ""])
def test_warnings_that_cannot_be_read_are_none(here, text):
    here.ran("sorter", ago(days=1), 0, done=60)
    here.change("sorter", "update runs set warnings = ?", text)
    assert job_of(here)["warnings"] == []
