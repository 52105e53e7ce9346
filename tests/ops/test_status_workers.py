"""`./run_job.sh status` where Celery's workers do the asking: who waits, who works, who stopped."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any, cast

import pytest

from common.ledger.for_workers import work_queue
from ops import status
from ops.ledger import work_claims
from rigs.shared_ledger import Shared
from rigs.status_site import StatusSite

SILENT = "no worker has claimed anything"


@pytest.fixture
def here(tmp_path, postgres):
    site = StatusSite(tmp_path, cast("Any", Shared(postgres, tmp_path)))
    site.job("sorter")
    with closing(site.databases.open_ledger("sorter")):
        pass
    return site


def waiting(here: StatusSite, *request_ids: str, minutes: float = 12) -> None:
    """Requests that have been in the queue for so long."""
    work = [
        work_queue.Work(one, f"chunk {one}", "m", '{"a": "Dear Anna"}', 0.5, False)
        for one in request_ids
    ]
    with closing(here.databases.open_ledger("sorter")) as ledger, ledger.transaction():
        work_queue.add(ledger.db, "sorter", "emails", work)
        ledger.db.execute(
            "update queue set created_at = created_at - ? * interval '1 minute',"
            " not_before = not_before - ? * interval '1 minute'",
            (minutes, minutes),
        )


def worker(here: StatusSite, name: str = "w1", *, heard: float = 0, claimed: float | None) -> None:
    """A worker that was heard of, and claimed something, so many minutes ago."""
    with here.databases.ledger("sorter") as db:
        work_claims.check_in(plain(db), name, "farm-1", 4711, "emails", 8)
        db.execute(
            "update workers set heartbeat_at = clock_timestamp() - %s * interval '1 minute',"
            " claimed_at = clock_timestamp() - %s::float8 * interval '1 minute', answered = 1234"
            " where worker = %s",
            (heard, claimed, name),
        )


def plain(db: Any) -> Any:
    """psycopg's connection, which takes SQLite's placeholders."""

    class Statements:
        def execute(self, sql: str, values: Any = ()) -> Any:
            return db.execute(sql.replace("?", "%s"), values)

    return Statements()


def queue_of(here: StatusSite) -> dict[str, Any]:
    (found,) = here.json(status)["jobs"][0]["queues"]
    return cast("dict[str, Any]", found)


def test_requests_that_nobody_claims_are_told_on_top_and_how_to_mend_it(here):
    waiting(here, "a", "b", "c")
    worker(here, heard=20, claimed=21)
    said = " ".join(here.ask(status).out.split())
    assert re.search(rf"{SILENT} of sorter since \S+ \S+, 21m ago", said)
    assert re.search(
        r"3 waiting, 0 with workers; the oldest waits since \S+ \S+, for 12m \(queue emails", said
    )
    assert f"{SILENT} since 20" in said and "./run_job.sh worker --queue emails" in said
    assert "farm-1 pid 4711" in said and "silent" in said
    assert "Dear Anna" not in said
    here.ask(status, "--html")
    page = (here.root / "reports/status.html").read_text()
    assert re.search(f'<h1 class="look">{SILENT} of sorter since <time>.+</time>, 21m ago<', page)
    assert '<span class="look"><b>no worker has claimed' in page
    assert "farm-1 pid 4711" in page and "Dear Anna" not in page
    found = queue_of(here)
    assert (found["waiting"], found["claimed"]) == (3, 0)
    assert 719 < found["age_seconds"] < 800
    assert found["unclaimed_since"] == found["last_claim"] != ""


def test_workers_that_live_and_claim_nothing_are_to_be_looked_at(here):
    waiting(here, "a")
    worker(here, claimed=9)
    said = " ".join(here.ask(status).out.split())
    assert "1 worker alive: is Redis? ./run_job.sh doctor; restart them" in said
    assert "start one" not in said


def test_where_no_worker_ever_was_it_is_since_the_oldest_request(here):
    waiting(here, "a")
    found = queue_of(here)
    assert found["last_claim"] == ""
    assert found["unclaimed_since"] == found["oldest_since"] != ""
    assert here.json(status)["workers"] == []


def test_requests_that_have_just_come_are_no_trouble(here):
    waiting(here, "a", minutes=2)
    said = here.ask(status).out
    assert "1 waiting" in said and SILENT not in said and "Nothing needs you" in said


def test_a_long_queue_that_workers_work_on_is_no_trouble(here):
    waiting(here, "a", "b")
    worker(here, claimed=1)
    assert queue_of(here)["unclaimed_since"] == ""
    with here.databases.ledger("sorter") as db:
        db.execute("update workers set claimed_at = null")
        assert queue_of(here)["unclaimed_since"] != ""
        # A worker says only now and then what it claimed last; the row itself knows at once.
        db.execute(
            "update queue set worker = 'w1', lease_until = clock_timestamp() + interval '1 minute'"
            " where request_id = 'a'"
        )
    found = queue_of(here)
    assert (found["waiting"], found["claimed"], found["unclaimed_since"]) == (1, 1, "")


@pytest.mark.parametrize(
    "told", ["insert into pace values ('account', 'm', clock_timestamp() + interval '1 minute')",
             "update queue set not_before = clock_timestamp() + interval '1 minute'"],
)  # fmt: skip
def test_requests_that_were_told_to_wait_are_no_trouble(here, told):
    waiting(here, "a")
    with here.databases.ledger("sorter") as db:
        db.execute(told)
    found = queue_of(here)
    assert (found["waiting"], found["age_seconds"], found["unclaimed_since"]) == (1, None, "")


def test_a_claim_whose_worker_died_is_waiting_again(here):
    waiting(here, "a")
    with here.databases.ledger("sorter") as db:
        db.execute("update queue set worker = 'dead', lease_until = clock_timestamp()")
    found = queue_of(here)
    assert (found["waiting"], found["claimed"]) == (1, 0)
    assert found["unclaimed_since"] != ""


def test_what_has_ended_waits_for_no_worker(here):
    waiting(here, "a")
    with here.databases.ledger("sorter") as db:
        db.execute("update queue set ended = 'answered'")
    assert here.json(status)["jobs"][0]["queues"] == []


def test_workers_are_listed_with_what_they_were_last_heard_to_do(here):
    worker(here, "old", heard=3, claimed=None)
    worker(here, "new", claimed=2)
    worker(here, "long gone", heard=60 * 24 * 8, claimed=None)
    new, old = here.json(status)["workers"]
    assert (new["worker"], new["alive"], new["queue"], new["concurrency"]) == (
        "new", True, "emails", 8,
    )  # fmt: skip
    assert (old["worker"], old["alive"], old["claimed_at"]) == ("old", False, "")
    said = " ".join(here.ask(status).out.split())
    assert re.search(
        r"queue emails, 8 at once; last heard of \S+ \S+, \d+s ago; last claim \S+ \S+, 2m ago",
        said,
    )
    assert "1,234 answered" in said
    assert "3m ago; last claim never" in said
