"""`./run_job.sh prune` on PostgreSQL: under the lease, some rows at a time."""

from __future__ import annotations

from contextlib import closing
from typing import Any, cast

import pytest

from common.ledger.postgres_ledger import PostgresLedger
from ops import prune
from ops.ledger import retention
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
