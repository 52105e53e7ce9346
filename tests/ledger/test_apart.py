"""What stands apart of a job belongs to it: what it cost, what it proved, and what came late."""

from __future__ import annotations

import pytest

from common import times
from common.claude.pricing import Tokens
from common.ledger.apart import job_of, name_of, names
from common.ledger.ledger import Ledger
from common.ledger.recovery import Recovery
from common.ledger.runs import Runs
from common.ledger.set_aside import Answer, set_aside
from common.ledger.states import Purpose, RequestStatus
from rigs.ledgers import JOB, Book, ledger_in

VERSION, OTHER = "aaaaaaaaaaaa", "bbbbbbbbbbbb"


@pytest.fixture
def book(tmp_path, databases):
    with ledger_in(databases, tmp_path / "state") as opened:
        yield opened


def apart(book: Book, version: str, job: str = JOB) -> Book:
    """What stands apart of a version, with a run of its own."""
    other = Book(book.file, book.folder)
    name = name_of(job, version)
    other.ledger = Ledger(book.file, name, "run-1", version, Purpose.EVAL)
    other.runs = Runs(book.file, name, "run-1")
    other.runs.start("live", "claude-haiku-5-5")
    return other


def spend(book: Book, request_id: str, usd: float) -> None:
    book.submit(request_id, f"record of {request_id}")
    book.answer(request_id, f"record of {request_id}", usd=usd)


def test_a_name_leads_to_its_job_and_a_job_to_its_names(book):
    book.runs.start("live", "m")
    for version in (OTHER, VERSION):
        apart(book, version)
    for job in ("daily", "daily_report_2", "daily_reports", "a"):
        apart(book, VERSION, job)
    assert names(book.file.db, JOB) == [JOB, f"{JOB}@{VERSION}", f"{JOB}@{OTHER}"]
    assert {job_of(name) for name in names(book.file.db, JOB)} == {JOB}
    assert names(book.file.db, "unheard_of") == ["unheard_of"]


def test_what_was_spent_apart_on_a_day_counts_for_the_job_and_for_no_other(book):
    today = times.stamp()[:10]
    one, two = apart(book, VERSION), apart(book, OTHER)
    other_job = apart(book, VERSION, "daily_reports")
    for number, (of, usd) in enumerate([(book, 1.0), (one, 0.25), (two, 0.5), (other_job, 8.0)]):
        spend(of, f"q{number}", usd)
    two.submit("q-open", "x", most_usd=0.125)
    assert {of.runs.spent_in(today) for of in (book, one, two)} == {1.875}
    assert other_job.runs.spent_in(today) == 8.0
    assert book.runs.spent_in("2026-11-21") == 0.0


def prove(book: Book, version: str) -> None:
    with book.ledger.transaction():
        book.runs.prove(version)


def test_a_version_that_proved_itself_apart_is_proven_for_the_job(book):
    book.runs.start("live", "m")
    one = apart(book, VERSION)
    assert not book.runs.is_proven(VERSION) and not one.runs.is_proven(VERSION)
    prove(one, VERSION)
    assert book.runs.is_proven(VERSION) and one.runs.is_proven(VERSION)
    assert not book.runs.is_proven(OTHER) and not apart(book, OTHER).runs.is_proven(OTHER)
    prove(book, OTHER)
    assert apart(book, OTHER).runs.is_proven(OTHER), "what the night has proven, a try need not"
    assert not Runs(book.file, "another", "run-1").is_proven(VERSION)


def late(request_id: str, *record_ids: str) -> Answer:
    return Answer(request_id, [*record_ids], '{"late": 1}', "api", Tokens(input=1), 0.25, 0.0)


def test_an_answer_that_was_set_aside_comes_to_the_name_that_asked(book, tmp_path, monkeypatch):
    one, other_job = apart(book, VERSION), apart(book, VERSION, "daily_reports")
    book.submit("q-own", "a")
    one.submit("q-apart", "a", "b")
    one.submit("q-again", "b")
    other_job.submit("q-other", "a")
    book.ledger.aside = tmp_path / "late.answers"
    set_aside(
        book.ledger.aside,
        [late("q-own", "a"), late("q-apart", "a", "b"), late("q-other", "a"), late("q-none", "a")],
    )
    Recovery(book.file, book.ledger, book.dead_letters, book.mark).take_up()
    assert not book.ledger.aside.exists()
    rows = book.rows("select job, record_id, status, request_id from records order by 1, 2")
    assert rows == [
        (JOB, "a", "answered", "q-own"),
        (f"{JOB}@{VERSION}", "a", "answered", "q-apart"),
        (f"{JOB}@{VERSION}", "b", "submitted", "q-again"),
        (f"daily_reports@{VERSION}", "a", "submitted", "q-other"),
    ]
    kept = dict(book.rows("select request_id, answer from requests where answer is not null"))
    assert kept.keys() == {"q-own", "q-apart"}
    assert [stored.request_id for stored in one.ledger.unsaved()] == ["q-apart"]


def test_what_runs_died_of_is_taken_up_under_each_name_by_itself(book):
    one = apart(book, VERSION)
    book.submit("q-own", "a")
    one.submit("q-apart", "a")
    assert book.recover() == (1, [])
    assert [status for (status,) in book.rows("select status from requests order by 1")] == [
        "lost",
        "submitted",
    ]
    assert one.recover() == (1, [])


def test_a_request_that_stands_apart_is_not_closed_by_the_job_that_took_it_over(book):
    one = apart(book, VERSION)
    one.submit("q-apart", "a")
    one.answer("q-apart", "a")
    book.ledger.database.db.execute(
        "insert into records (job, record_id, status, request_id, updated_at)"
        " values (?, 'a', 'answered', 'q-apart', '')",
        (JOB,),
    )
    with book.ledger.transaction():
        assert book.ledger.reopen("a")
        book.ledger.closed(["q-apart"], RequestStatus.DONE)
    assert book.statuses("requests") == {"q-apart": "answered"}
    with one.ledger.transaction():
        one.ledger.closed(["q-apart"], RequestStatus.DONE)
    with book.ledger.transaction():
        assert book.ledger.reopen("a")
    assert book.statuses("requests") == {"q-apart": "done"}
    book.file.db.execute("update requests set answer = null")
    with book.ledger.transaction():
        assert book.ledger.reopen("a")
    own = f"select status from records where job = '{JOB}'"
    assert book.rows(own) == [("waiting",)], "its answer was pruned"
