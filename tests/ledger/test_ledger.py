"""What the ledger remembers: every change of state there is, and no other."""

from __future__ import annotations

import pytest

from common.ledger.set_aside import Answer
from common.ledger.states import RecordStatus, RequestStatus, StoredRequest
from rigs.ledgers import REFUSED, ended, intent, ledger_in, plan


@pytest.fixture
def book(tmp_path, databases):
    with ledger_in(databases, tmp_path / "state") as opened:
        yield opened


def put(book, status: str) -> None:
    """Record "a" in that state, in request "q"; a bystander in each state beside it."""
    for name, state in [("a", status), *((f"other-{s}", s) for s in STATES)]:
        if state == "fresh":
            continue
        request = "q" if name == "a" else f"q-{name}"
        book.submit(request, name)
        if state in ("answered", "done", "corrected"):
            book.answer(request, name)
        if state in ("done", "corrected"):
            corrected = state == "corrected"
            book.apply(request, RequestStatus.DONE, done={name: "{}"}, corrected=corrected)
        if state in ("failed", "dead"):
            book.judge(request, alone=True, **{state: {name: "why"}})
        if state == "waiting":
            book.lose(request, name)


STATES = ("fresh", *RecordStatus)
FAILED = RequestStatus.FAILED
MOVES = {
    "submitted": lambda ledger: ledger.intend([intent("q2", "a")]),
    "answered": lambda ledger: ledger.answered([Answer("q", ["a"], "{}")]),
    "done": lambda ledger: ledger.apply([ended("q", done={"a": "{}"})]),
    "corrected": lambda ledger: ledger.apply([ended("q", done={"a": "{}"}, corrected=True)]),
    "failed": lambda ledger: ledger.apply([ended("q", FAILED, failed={"a": "why"})]),
    "dead": lambda ledger: ledger.apply([ended("q", FAILED, dead={"a": "why"})]),
    "lost": lambda ledger: ledger.lost("q", ["a"]),
    "forgiven": lambda ledger: ledger.apply([ended("q", FAILED, forgiven=["a"])]),
}


@pytest.mark.parametrize(
    ("move", "before", "after"),
    [
        ("submitted", "fresh", "submitted"),
        ("submitted", "failed", "submitted"),
        ("submitted", "waiting", "submitted"),
        ("submitted", "dead", "submitted"),  # --retry-dead
        ("submitted", "done", "submitted"),  # --reprocess, --stale
        ("submitted", "corrected", "submitted"),  # --reprocess
        ("answered", "submitted", "answered"),
        ("done", "answered", "done"),
        ("corrected", "answered", "corrected"),
        ("failed", "submitted", "failed"),
        ("failed", "answered", "failed"),
        ("dead", "submitted", "dead"),
        ("dead", "answered", "dead"),
        ("forgiven", "dead", "waiting"),
        ("forgiven", "failed", "waiting"),
        *(
            ("forgiven", state, state)
            for state in ("fresh", "submitted", "answered", "done", "waiting", "corrected")
        ),
        ("lost", "submitted", "waiting"),
        # A request that is lost takes no record with it that has moved on.
        *(("lost", state, state) for state in STATES if state != "submitted"),
        # What has no row is fresh, and stays so until it is submitted.
        *((move, "fresh", "fresh") for move in MOVES if move != "submitted"),
    ],
)  # fmt: skip
def test_a_record_moves_from_state_to_state_and_takes_no_other_along(book, move, before, after):
    put(book, before)
    others = {name: state for name, state in book.statuses().items() if name != "a"}
    with book.ledger.transaction():
        MOVES[move](book.ledger)
    now = book.statuses()
    assert now.pop("a", "fresh") == after
    assert now == others


def test_a_state_that_is_none_cannot_be_written(book):
    book.submit("q", "a")
    for table in ("records", "requests"):
        with pytest.raises(REFUSED):
            book.file.db.execute(f"update {table} set status = 'skipped'")


def test_a_request_goes_from_submitted_to_answered_to_done(book):
    book.submit("q", "a", "b", most_usd=0.5)
    assert book.ledger.request("q") is None
    assert book.rows("select status, attempts, unsettled_usd from requests") == [
        ("submitted", 1, 0.5)
    ]
    with book.ledger.transaction():
        book.ledger.attempted("q", 2, 1.0)
    assert book.rows("select status, attempts, unsettled_usd from requests") == [
        ("submitted", 2, 1.0)
    ]
    book.answer("q", "a", "b")
    stored = StoredRequest(
        "q", "run-1", ["a", "b"], b'{"about": "q"}', "version 1", "claude-haiku-5-5"
    )
    assert list(book.ledger.unsaved()) == [stored]
    assert book.rows(
        "select input_tokens, output_tokens, cache_write_tokens, cache_read_tokens, usd, "
        "unsettled_usd from requests"
    ) == [(100, 10, 3, 3, 0.25, 0.0)]
    book.finish("q", "a", "b")
    assert list(book.ledger.unsaved()) == []
    assert book.ledger.request("q") == stored
    assert book.statuses("requests") == {"q": "done"}


def test_a_request_made_again_under_its_id_keeps_what_the_one_before_can_have_cost(book):
    book.submit("merge-abc", most_usd=0.5)
    assert book.recover() == (1, [])
    book.submit("merge-abc", most_usd=0.7)
    assert book.rows("select status, unsettled_usd from requests order by status") == [
        ("lost", 0.5),
        ("submitted", 0.7),
    ]
    assert book.statuses("requests")["merge-abc"] == "submitted"


def test_a_transaction_that_fails_leaves_nothing_behind(book):
    # The request can be written, its record cannot.
    with pytest.raises(REFUSED), book.ledger.transaction():
        book.ledger.intend([intent("q", "a", None)])  # type: ignore[arg-type]
    assert book.statuses() == {} == book.statuses("requests")
    book.submit("q", "a")  # and the next one can begin


def test_recover_takes_up_what_was_in_flight_and_only_that(book):
    put(book, "submitted")
    before = book.statuses()
    assert book.recover() == (2, [])
    now = book.statuses()
    assert now == before | {"a": "waiting", "other-submitted": "waiting"}
    known = book.ledger.states(list(now))
    assert {name: one.crashes for name, one in known.items() if one.crashes} == {
        "a": 1,
        "other-submitted": 1,
    }
    assert book.recover() == (0, [])


def test_a_suspect_that_is_alone_in_flight_at_three_deaths_is_a_dead_letter(book):
    for death in range(4):
        book.submit(f"q{death}", "a", *(["b"] if death == 0 else []))
        lost, dead = book.recover()
        assert lost == 1
        assert [known.record_id for known in dead] == (["a"] if death == 3 else [])
    assert book.statuses() == {"a": "dead", "b": "waiting"}
    assert book.ledger.states(["a"])["a"].error == "alone in flight in 3 runs that died"
    book.judge("q3", forgiven=["a"])
    assert book.ledger.states(["a"])["a"].crashes == 0


@pytest.mark.parametrize("record_ids", ["a", "ab"])
def test_three_deaths_blame_none_that_was_never_alone_as_a_suspect(book, record_ids):
    for death in range(3):
        book.submit(f"q{death}", *record_ids)
        assert book.recover() == (1, [])
    assert set(book.statuses().values()) == {"waiting"}


def test_a_record_that_is_answered_is_no_suspect_any_more(book):
    book.submit("q1", "a")
    book.recover()
    book.submit("q2", "a")
    book.answer("q2", "a")
    assert book.ledger.states(["a"])["a"].crashes == 0


@pytest.mark.parametrize("status", ["fresh", "answered", "failed", "done"])
def test_a_record_whose_function_ends_the_process_three_times_is_a_dead_letter(book, status):
    put(book, status)
    for death in range(3):
        book.mark.set("save()", ["a"])
        dead = book.recover()[1]
        assert [state.record_id for state in dead] == (["a"] if death == 2 else [])
    (state,) = dead
    assert (state.status, state.error) == ("dead", "save() ended the process in 3 runs")
    assert book.recover() == (0, [])
    if status == "answered":
        assert book.statuses("requests")["q"] == "failed", "nobody waits for its answer any more"


def test_of_records_that_were_prepared_together_none_is_surely_to_blame(book):
    for _ in range(5):
        book.mark.set("prepare()", ["a", "b"])
        assert book.recover() == (0, [])
    assert {state.crashes for state in book.ledger.states("ab").values()} == {1}


def test_a_run_that_stops_in_order_blames_no_record(book):
    book.submit("q", "a")
    book.lose("q", "a")
    known = book.ledger.states(["a"])["a"]
    assert (known.status, known.crashes, known.failures) == ("waiting", 0, 0)


def test_failures_add_up_and_an_output_clears_the_reason(book):
    book.submit("q", "a")
    for _ in range(2):
        book.judge("q", failed={"a": "cut off"}, alone=True)
    known = book.ledger.states(["a"])["a"]
    assert (known.failures, known.error) == (2, "cut off")
    book.finish("q", "a")
    assert book.ledger.states(["a"])["a"].error == ""


def test_ids_are_text_whatever_they_hold(book):
    ids = ["17", "017", "a'b", 'a"b', "a b", "", "名前", "a\nb", "null", "%", "NULL", "x" * 10_000]
    book.submit("q", *ids)
    assert sorted(book.ledger.states([*ids, "18"])) == sorted(ids)


def test_another_jobs_records_are_not_known(book):
    book.submit("q", "a")
    book.file.db.execute("update records set job = 'other'")
    book.file.db.execute("update requests set job = 'other'")
    assert book.ledger.states(["a"]) == {}
    assert book.recover() == (0, [])
    assert list(book.ledger.unsaved()) == []


@pytest.mark.sqlite("SQLite's plans")
def test_with_a_hundred_thousand_records_done_nothing_is_searched_from_end_to_end(book):
    db = book.file.db
    with book.ledger.transaction():
        numbers = (
            "with recursive n(i) as (values (1) union all select i + 1 from n where i < 100000)"
        )
        db.execute(
            f"{numbers} insert into records (job, record_id, status, updated_at)"
            " select 'daily_report', i, 'done', '' from n"
        )
        db.execute(
            f"{numbers} insert into requests (request_id, job, run_id, delivery, status, "
            "record_ids, attempts,"
            " model, created_at) select i, 'daily_report', 'r', 'live', 'done', '[]', 1, 'm', "
            "'2026' from n where i <= 2000"
        )  # fmt: skip
    said: list[str] = []
    db.set_trace_callback(said.append)
    assert len(book.ledger.states([str(n) for n in range(1, 1_201)])) == 1_200
    assert list(book.ledger.unsaved()) == []
    assert book.recover() == (0, [])
    book.runs.spent_in("2026-11-21")
    db.set_trace_callback(None)
    plans = [plan(db, statement) for statement in said if statement.startswith("select")]
    assert len([p for p in plans if p.startswith("SEARCH records USING PRIMARY KEY")]) == 3
    assert len([p for p in plans if "USING INDEX requests_under_way" in p]) == 2
    assert not [p for p in plans if "SCAN" in p]


@pytest.mark.parametrize(
    ("first", "then", "status"),
    [
        ({"forgiven": ["a"]}, {"failed": {"a": "why"}}, "failed"),
        ({"failed": {"a": "why"}}, {"forgiven": ["a"]}, "waiting"),
    ],
    ids=["forgiven before", "forgiven after"],
)
def test_of_endings_that_are_noted_together_the_later_one_counts(book, first, then, status):
    put(book, "dead")
    with book.ledger.transaction():
        book.ledger.apply([ended("q", FAILED, **first), ended("q", FAILED, **then)])
    assert book.statuses()["a"] == status
