"""`./run_job.sh prune` on PostgreSQL: under the lease, some rows at a time."""

from __future__ import annotations

from contextlib import closing
from typing import Any, cast

import pytest

from common.ledger.for_workers import work_queue
from common.ledger.postgres.postgres_ledger import PostgresLedger
from ops import prune
from ops.ledger import retention, work_claims
from rigs.shared_ledger import Shared
from rigs.status_site import StatusSite, ago


@pytest.fixture
def here(tmp_path, postgres):
    return StatusSite(tmp_path, cast("Any", Shared(postgres, tmp_path)))


def old(here: StatusSite, job: str, *record_ids: str, **more: Any) -> None:
    here.records(job, "done", *record_ids, at=ago(days=100), **more)


def kept(here: StatusSite) -> list[tuple[Any, ...]]:
    sql = "select job, record_id, status, output is not null from records order by 1, 2"
    return here.rows("", sql)


def test_what_is_old_goes_and_the_server_gives_the_space_back(here):
    old(here, "sorter", "old")
    here.records("sorter", "done", "new", at=ago(days=3))
    here.records("sorter", "failed", "failed", at=ago(days=101))
    said = here.ask(prune, "--older-than", "90d")
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        "sorter: 2 answers, 1 output removed; 440 B for what comes next, once the server has"
        " vacuumed\n"
    )
    assert kept(here) == [
        ("sorter", "failed", "failed", False),
        ("sorter", "new", "done", True),
        ("sorter", "old", "done", False),
    ]
    again = here.ask(prune, "--older-than", "90d")
    assert again.out == "sorter: nothing that old\n"


def test_a_job_that_runs_on_another_machine_is_skipped_with_75(here, tmp_path):
    old(here, "sorter", "a")
    old(here, "other", "b")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with closing(PostgresLedger(here.databases.url, "sorter", state=elsewhere)):
        said = here.ask(prune, "--older-than", "90d")
        assert said.code == 0
        assert "sorter: skipped, already running: " in said.out
        assert "other: 1 answer, 1 output removed" in said.out
        assert here.ask(prune, "sorter", "--older-than", "90d").code == 75
        dry = here.ask(prune, "sorter", "--older-than", "90d", "--dry-run")
        assert (dry.code, "1 answer, 1 output would be removed" in dry.out) == (0, True)
    assert [row[3] for row in kept(here)] == [False, True]


def test_only_the_jobs_of_this_installation_are_pruned_unless_one_is_named(here):
    old(here, "sorter", "a")
    old(here, "theirs", "b")
    here.remove("theirs")
    assert "theirs" not in here.ask(prune, "--older-than", "90d").out
    assert [row[3] for row in kept(here)] == [False, True]
    assert "theirs: 1 answer" in here.ask(prune, "theirs", "--older-than", "90d").out
    assert [row[3] for row in kept(here)] == [False, False]


def test_no_transaction_takes_more_than_some_rows(here, monkeypatch):
    monkeypatch.setattr(retention, "_AT_ONCE", 3)
    for n in range(7):
        old(here, "sorter", f"{n}-a", f"{n}-b")
    before = commits(here)
    said = here.ask(prune, "--older-than", "90d")
    assert "7 answers, 14 outputs removed" in said.out
    # Answers by three, outputs by three, runs and workers.
    assert commits(here) - before == 3 + 5 + 1 + 1
    assert not any(row[3] for row in kept(here))


def commits(here: StatusSite) -> int:
    (row,) = here.rows("", "select commits from leases where job = 'sorter'")
    return int(row[0])


def test_a_server_that_is_not_there_is_a_line_for_each_job_and_69(here):
    here.job("sorter")
    url = "postgresql://me:aSecretPassword@127.0.0.1:1/ledger"
    said = here.ask(prune, "--older-than", "90d", LEDGER_DB=url)
    assert said.code == 69
    assert said.out.startswith("sorter: LEDGER_DB postgresql://me@127.0.0.1:1/ledger could not be")
    assert "aSecretPassword" not in said.out + said.err


def test_what_workers_left_goes_unless_a_run_has_still_to_take_it_over(here):
    here.records("sorter", "done", "gone", at=ago(days=100))
    here.records("sorter", "answered", "kept", at=ago(days=100))
    here.records("sorter", "submitted", "waits", at=ago(days=100))
    with closing(here.databases.open_ledger("sorter")) as ledger, ledger.transaction():
        ids = dict(ledger.db.execute("select record_ids, request_id from requests").fetchall())
        for record_id, ended in (("gone", "answered"), ("kept", "answered"), ("waits", None)):
            work = work_queue.Work(ids[f'["{record_id}"]'], "chunk", "m", "{}", 0.5, False)
            work_queue.add(ledger.db, "sorter", "emails", [work])
            ledger.db.execute(
                "update queue set ended = ? where request_id = ?", (ended, work.request_id)
            )
        for name in ("w1", "w2"):
            work_claims.check_in(ledger.db, name, "farm-1", 4711, "emails", 8)
        ledger.db.execute("update queue set created_at = created_at - interval '99 days'")
        ledger.db.execute(
            "update workers set heartbeat_at = now() - interval '99 days' where worker = 'w1'"
        )
    assert here.ask(prune, "--older-than", "90d").code == 0
    left = {row[0] for row in here.rows("", "select request_id from queue")}
    assert left == {ids['["kept"]'], ids['["waits"]']}
    assert here.rows("", "select worker from workers") == [("w2",)]
