"""--stale: what an older version of the job has done is asked again, within every bound."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from common import Job
from common.delivery import deliver
from common.ledger.ledger import Ledger
from common.runner.saving import Saving
from rigs.bills import usd_of
from rigs.harness import Result, Site, json_of, run_numbers
from rigs.message_batch_kills import Instant, around
from rigs.message_batch_site import CREATE, calls, standin_db, tiers
from rigs.own_jobs import labels
from rigs.record_jobs import DELIVERIES, events

CHUNK = 5
MODEL = "claude-haiku-5-5"
OLDER, NEWER = labels(), labels(instructions="Label each record well.")
STAYS = {"kind": "stay_in_progress", "times": 1}


def night(site: Site, *arguments: str, job: Job = NEWER, code: int = 0, **environ: Any) -> Result:
    options = ("--chunk-size", str(CHUNK), "--wait", "20h", *arguments)
    result = site.run(job, *options, **environ)
    assert result.code == code, result.log
    return result


def done_by(site: Site, version: str = "") -> set[str]:
    """The records that a version has done; that of the newer job, where none is said."""
    version = version or NEWER.version(MODEL)
    return {
        row[0]
        for row in site.ledger(
            "select record_id from records where status in ('done', 'corrected')"
            f" and version = '{version}'",
            "labels",
        )
    }


def billed(site: Site) -> list[str]:
    return [record for line in site.billed() for record in line["records"]]


@pytest.fixture
def older(claude: Any) -> Site:
    """A site with 30 records that an older version has done."""
    site: Site = claude(message_batch_seconds=0)
    events(site, 30)
    night(site, job=OLDER)
    return site


def test_without_stale_a_changed_prompt_asks_for_nothing(older):
    ended = night(older)
    assert "nothing to do" in ended.log and len(billed(older)) == 30
    events_before = older.saved("select record_id, saved from labels")
    assert {saved for _, saved in events_before} == {1}


@DELIVERIES
def test_three_nights_with_a_limit_bring_all_up_to_date_the_newest_first(older, delivery):
    for first, last in (30, 19), (18, 7), (6, 1):
        before = len(billed(older))
        ended = night(older, "--stale", "--limit", "12", delivery)
        wanted = [str(n) for n in range(first, last - 1, -1)]
        assert {*billed(older)[before:]} == {*wanted}, ended.log
        if delivery == "--live":
            assert billed(older)[before : before + CHUNK] == wanted[:CHUNK]
        assert done_by(older) == {str(n) for n in range(last, 31)}
    ended = night(older, "--stale", "--limit", "12", delivery)
    assert "nothing to do" in ended.log and len(billed(older)) == 60
    assert older.saved("select distinct saved from labels") == [(2,)]


def test_few_stale_records_go_by_message_batch_where_that_is_asked_for(older):
    before = len(tiers(older))
    night(older, "--stale", "--message-batch")
    assert sorted(tiers(older)[before:]) == ["batch"] * 5 + ["standard"]


def test_what_waits_comes_first_and_stale_records_fill_the_room(older):
    events(older, 0)
    older.events([(n, f"Where is my parcel {n}?", "2026-11-21 00:00:00") for n in range(31, 35)])
    before = len(billed(older))
    night(older, "--stale", "--limit", "6")
    assert billed(older)[before:] == ["31", "32", "33", "34", "30", "29"]


@pytest.mark.parametrize("cap", ["--max-cost", "MAX_COST_USD"])
def test_what_a_cap_leaves_unsent_stays_done_as_it_was(claude, cap):
    site = claude()
    events(site, 150)
    night(site, job=OLDER)
    # More than a request can cost at most, and less than all of them do.
    spent = usd_of(site.billed())
    options, environ = ["--stale", "--live"], dict[str, Any]()
    if cap == "--max-cost":
        options += [cap, str(0.7 * spent)]
    else:
        environ[cap] = str(1.7 * spent)
    ended = night(site, *options, code=4, **environ)
    again = len(billed(site)) - 150
    assert 0 < again < 150, ended.log
    assert done_by(site) == {str(n) for n in range(150, 150 - again, -1)}
    assert len(done_by(site, OLDER.version(MODEL))) == 150 - again
    outputs = site.ledger("select count(*) from records where output is null", "labels")
    assert outputs == [(0,)]
    night(site, "--stale")
    assert len(billed(site)) == 300 and len(done_by(site)) == 150


def test_a_window_bounds_it(older):
    windowed: dict[str, Any] = {"select": "select id as record_id, content, created_at from events"
                " where within(created_at, :start, :end) order by id"}  # fmt: skip
    older.events([(99, "Where is my parcel?", "2026-11-24 10:00:00")])
    night(older, job=labels(**windowed))
    newer = labels(**windowed, instructions="Label each record well.")
    night(older, "--stale", "--since", "2026-11-23", "--until", "2026-11-25", job=newer)
    assert done_by(older) == {"99"}
    night(older, "--stale", job=newer)
    assert len(done_by(older)) == 31


def test_another_model_is_another_version(older):
    night(older, "--stale", "--limit", "5", "--model", "claude-sonnet-5-5", job=OLDER)
    assert len(done_by(older, OLDER.version("claude-sonnet-5-5"))) == 5
    night(older, "--stale", job=OLDER, CLAUDE_MODEL="claude-sonnet-5-5")
    assert len(done_by(older, OLDER.version("claude-sonnet-5-5"))) == 30
    assert len(billed(older)) == 60


def test_an_answer_under_way_while_the_prompt_is_edited_is_saved_and_counts_as_older(
    claude, tmp_path
):
    folder = tmp_path / "standin"
    site = claude(state=folder, faults=[STAYS])
    events(site, 15)
    night(site, "--message-batch", "--wait", "0", job=OLDER, code=75)
    with standin_db(folder) as db:
        db.execute("update message_batches set duration = 0")
    before = len(billed(site))
    site = claude(state=folder, message_batch_seconds=0)
    night(site, "--message-batch")
    assert before + len(billed(site)) == 15, "nothing is asked by itself"
    assert done_by(site) == set() and len(done_by(site, OLDER.version(MODEL))) == 15
    assert site.saved("select count(*) from labels") == [(15,)]
    asked = site.ledger("select distinct version from requests", "labels")
    assert asked == [(OLDER.version(MODEL),)]
    night(site, "--stale", "--message-batch")
    assert len(done_by(site)) == 15


def test_a_stale_answer_that_comes_late_is_saved_by_a_run_without_stale(claude, tmp_path):
    folder = tmp_path / "standin"
    site = claude(state=folder, message_batch_seconds=0)
    events(site, 15)
    night(site, job=OLDER)
    site = claude(state=folder, faults=[STAYS])
    night(site, "--stale", "--message-batch", "--wait", "0", code=75)
    with standin_db(folder) as db:
        db.execute("update message_batches set duration = 0")
    site = claude(state=folder, message_batch_seconds=0)
    night(site)
    assert len(done_by(site)) == 15 and calls(site, CREATE) == 0


def test_records_without_a_text_cost_nothing_and_are_up_to_date_afterwards(claude):
    site = claude()
    events(site, 6, e2="", e5="")
    older, newer = (labels(empty="Other", instructions=text) for text in ("Label.", "Label well."))
    night(site, job=older)
    assert len(billed(site)) == 4
    night(site, "--stale", job=newer)
    assert len(billed(site)) == 8
    assert len(done_by(site, newer.version(MODEL))) == 6
    assert "nothing to do" in night(site, "--stale", job=newer).log


def test_records_that_lost_their_text_stay_as_they_are_and_keep_no_others_back(older):
    older.change("update events set content = '' where id > 20")
    for last in (26, 21, 16):
        night(older, "--stale", "--limit", "5")
        assert len(done_by(older)) == 31 - last
    assert sorted(map(int, billed(older)[30:])) == [*range(16, 21)]
    outputs = older.ledger("select count(*) from records where output is null", "labels")
    assert outputs == [(0,)] and older.saved("select count(*) from labels") == [(30,)]


def test_a_dry_run_counts_them_where_they_are_asked_for(older):
    assert json_of(night(older, "--dry-run", "--json"))["records"] == 0
    assert json_of(night(older, "--dry-run", "--json", "--stale"))["records"] == 30
    limited = night(older, "--dry-run", "--json", "--stale", "--limit", "7")
    assert json_of(limited)["records"] == 7


def test_an_edit_of_the_script_during_a_run_does_not_change_its_version(claude, tmp_path):
    site = claude()
    events(site, 15)
    script = Path(tmp_path / "edited.py")
    script.write_text("def show(record):\n    return record['content']\n")
    found: dict[str, Any] = {}
    exec(compile(script.read_text(), str(script), "exec"), found)
    job = labels(show=found["show"])
    version = job.version(MODEL)

    def editing(db: Any, record: Any, output: Any) -> None:
        script.write_text("def show(record):\n    return 'another'\n")
        OLDER.save(db, record, output)

    night(site, job=labels(show=found["show"], save=editing))
    assert site.ledger("select distinct version from records", "labels") == [(version,)]
    assert site.ledger("select distinct version from requests", "labels") == [(version,)]


INSTANTS = [
    *around(deliver, "select"),
    *around(Ledger, "intend"),
    *around(Ledger, "intend", 2),
    *around(Ledger, "answered"),
    *around(Ledger, "answered", 3),
    *around(Saving, "use", 2),
    *around(Saving, "use", 3),
    *around(Ledger, "apply", 2),
    *around(Ledger, "apply", 3),
]


@pytest.mark.parametrize("instant", INSTANTS, ids=str)
def test_killed_at_any_moment_nothing_is_lost_and_paid_twice_but_what_was_in_flight(older, instant):
    options = ("--stale", "--limit", "15", "--live", "--concurrency", "1")
    killed(older, instant, "--chunk-size", str(CHUNK), *options)
    states = dict(older.ledger("select status, count(*) from records group by 1", "labels"))
    assert sum(states.values()) == 30 and states.get("done", 0) >= 15
    for _ in range(4):
        night(older, *options)
    again = Counter(billed(older)[30:])
    assert done_by(older) == {str(n) for n in range(1, 31)} == {*again}
    assert sum(again.values()) <= 30 + CHUNK
    assert len(older.saved("select record_id from labels")) == 30
    assert "nothing to do" in night(older, "--stale").log


def killed(site: Site, instant: Instant, *arguments: str) -> None:
    """Run the newer job in a process of its own that dies at that instant."""
    os.environ["RUN_ID"] = f"20261122T020000Z-{next(run_numbers)}"
    sys.stderr.flush()
    if (child := os.fork()) == 0:
        try:
            instant.arm()
            site.run(NEWER, *arguments)
        finally:
            os._exit(0)
    del os.environ["RUN_ID"]
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL, "it ended before"
