"""What the ledger adds up: what a day and a set of requests cost, when a run last succeeded, what
has been reported.
"""

from __future__ import annotations

import pytest

from rigs.ledgers import ledger_in


@pytest.fixture
def book(tmp_path, databases):
    with ledger_in(databases, tmp_path / "state") as opened:
        yield opened


def date(book, request_id: str, created_at: str) -> None:
    book.file.db.execute(
        "update requests set created_at = ? where request_id = ?", (created_at, request_id)
    )


def test_a_day_has_spent_what_its_requests_cost_and_what_they_can_have_cost(book):
    book.submit("answered", "a", most_usd=8.0)
    book.answer("answered", "a", usd=0.25)
    book.submit("in flight", "b", most_usd=0.5)
    book.submit("without a price", "c", most_usd=4.0)
    book.answer("without a price", "c", usd=None)
    for request in ("answered", "in flight", "without a price"):
        date(book, request, "2026-11-21T12:00:00Z")
    assert book.runs.spent_in("2026-11-21") == 0.75
    assert book.runs.spent_in("2026-11-20") == 0.0


def test_a_day_of_spending_ends_at_midnight_utc(book):
    for number, at in enumerate(
        ["2026-11-20T23:59:59Z", "2026-11-21T00:00:00Z", "2026-11-21T23:59:59Z",
        "2026-11-22T00:00:00Z"]
    ):  # fmt: skip
        book.submit(f"q{number}", f"r{number}", most_usd=10.0**number)
        date(book, f"q{number}", at)
    assert [book.runs.spent_in(f"2026-11-{day}") for day in (20, 21, 22)] == [1.0, 110.0, 1000.0]


def test_a_month_has_spent_what_its_days_have(book):
    for number, day in enumerate(["2026-10-31", "2026-11-01", "2026-11-30", "2026-12-01"]):
        book.submit(f"q{number}", f"r{number}", most_usd=10.0**number)
        date(book, f"q{number}", f"{day}T12:00:00Z")
    assert [book.runs.spent_in(f"2026-{month}") for month in (10, 11, 12)] == [1.0, 110.0, 1000.0]


def test_the_last_answers_of_a_model_tell_of_how_many_records_and_tokens_they_were(book):
    for number in range(4):
        ids = [f"{number}-{record}" for record in range(number)]
        book.submit(f"q{number}", *ids)
        date(book, f"q{number}", f"2026-11-21T12:00:0{number}Z")
        if number != 3:
            book.answer(f"q{number}", *ids)
    model = book.file.db.execute("select model from requests").fetchone()[0]
    assert [found[1:] for found in book.runs.answers(model, 9)] == [(2, 10), (1, 10), (0, 10)]
    assert len(book.runs.answers(model, 1)) == 1 and not book.runs.answers("another", 9)


def test_another_jobs_spending_is_its_own(book):
    book.submit("q", "a")
    date(book, "q", "2026-11-21T12:00:00Z")
    book.file.db.execute("update requests set job = 'other'")
    assert book.runs.spent_in("2026-11-21") == 0.0


def test_totals_add_up_whole_prompts_and_usd(book):
    for request in ("q1", "q2"):
        book.submit(request, request)
        book.answer(request, request, usd=0.25)
    assert book.runs.totals(["q1", "q2"]) == {
        "requests": 2,
        "input_tokens": 2 * 106,
        "output_tokens": 20,
        "usd": 0.5,
    }
    assert book.runs.totals([])["usd"] == 0.0


def test_a_total_with_one_unknown_price_is_unknown(book):
    book.submit("q1", "a")
    book.answer("q1", "a", usd=0.25)
    book.submit("q2", "b")
    book.answer("q2", "b", usd=None)
    assert book.runs.totals(["q1", "q2"])["usd"] is None
    assert book.runs.totals(["q2", "q1"])["usd"] is None


def test_only_a_run_that_ended_with_0_is_a_success(book):
    book.runs.start("live", "claude-haiku-5-5")
    assert book.runs.last_success() == ""
    book.runs.end(3, {"records": 5, "dead": 1})
    assert book.runs.last_success() == ""
    book.runs.end(0, {"records": 5})
    assert book.runs.last_success() == book.rows("select started_at from runs")[0][0]
    assert book.rows("select exit_code, records, dead from runs") == [(0, 5, 1)]


def test_a_window_is_remembered_with_what_its_report_was_made_from(book):
    for made_from in ("abc", "def"):
        with book.ledger.transaction():
            book.runs.set_reported("2026-11-21", 714, made_from)
    assert book.runs.reported_days() == {"2026-11-21": "def"}
