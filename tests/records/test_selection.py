"""Which records a run takes up: each once, suspects last and alone, no more than --limit."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace
from itertools import groupby
from types import SimpleNamespace
from typing import Any

import pytest

import daily_report
from common import settings
from common.job_code import JobCode
from common.ledger.apart import KeptAnswers, name_of
from common.ledger.ledger import Ledger
from common.ledger.states import Purpose, RecordState, RequestStatus
from common.options import parse
from common.process.log import log
from common.process.mark import Mark
from common.records import selection
from common.tally import Tally
from rigs.ledgers import JOB, Book, ledger_in


@pytest.fixture
def book(tmp_path, databases):
    with ledger_in(databases, tmp_path / "state") as opened:
        yield opened


@pytest.fixture
def run(book, tmp_path):
    """A function that makes a run's context from its command line."""

    def context(*arguments: str, run_id: str = "run-2") -> Any:
        job = replace(daily_report.JOB, attributes=())
        return SimpleNamespace(
            run_id=run_id,
            job=job,
            options=parse(job, arguments),
            settings=settings.load(job.name, demo=False, root=tmp_path, environ={}),
            ledger=book.ledger,
            kept=KeptAnswers(book.ledger.database, job.name, "version 1"),
            versions=("version 1",),
            tally=(tally := Tally()),
            code=JobCode(job.name, book.dead_letters, tally, Mark(None)),
        )

    return context


def records(*record_ids: str) -> list[dict[str, str]]:
    return [
        {"record_id": record_id, "content": f"text {n}"} for n, record_id in enumerate(record_ids)
    ]


def select(context: Any, stream: Any) -> selection.Selected:
    return selection.select(context, stream, selection.room_left(context))


def sent(context: Any, *record_ids: str) -> list[str]:
    """Select records and count them as sent; returns their ids."""
    with closing(select(context, records(*record_ids))) as selected:
        context.tally.sent(1, selected.new)
        return [record["record_id"] for record, _ in selected]


def chunks(context: Any, *record_ids: str) -> list[tuple[list[str], int]]:
    with closing(select(context, records(*record_ids))) as spool:
        return [
            ([record["record_id"] for record in chunk.records], chunk.wave)
            for chunk in selection.chunks(context, spool)
        ]


def crash(book: Book, request_id: str, *record_ids: str) -> None:
    book.submit(request_id, *record_ids)
    book.recover()


STATES = (
    "fresh",
    "submitted",
    "answered",
    "done",
    "stale",
    "failed",
    "waiting",
    "dead",
    "corrected",
)


def put_every_state(book: Book) -> None:
    for status in STATES[1:]:
        book.submit(f"run-1-{status}", status)
    book.answer("run-1-answered", "answered")
    book.finish("run-1-done", "done")
    done = RequestStatus.DONE
    book.apply("run-1-stale", done, done={"stale": "{}"}, version="version 0")
    book.apply("run-1-corrected", done, done={"corrected": "{}"}, version="", corrected=True)
    book.judge("run-1-failed", failed={"failed": "why"})
    book.judge("run-1-dead", dead={"dead": "why"})
    book.lose("run-1-waiting", "waiting")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["fresh", "failed", "waiting"]),
        (["--retry-dead"], ["dead"]),
        (["--reprocess"], ["fresh", "done", "stale", "failed", "waiting", "corrected"]),
        (
            ["--reprocess", "--retry-dead"],
            ["fresh", "done", "stale", "failed", "waiting", "dead", "corrected"],
        ),
        (["--stale"], ["fresh", "failed", "waiting", "stale"]),
        (["--stale", "--retry-dead"], ["fresh", "failed", "waiting", "dead", "stale"]),
    ],
)
def test_fresh_failed_and_waiting_records_are_sent_and_others_where_asked_for(
    book, run, arguments, expected
):
    put_every_state(book)
    context = run(*arguments)
    assert sent(context, *STATES) == expected
    assert context.tally.records == len(expected)


def test_dead_letters_of_this_very_run_are_asked_on(book, run):
    put_every_state(book)
    again = run("--retry-dead", run_id="run-1")
    assert sent(again, *STATES) == ["failed", "waiting"], "this run has sent them itself"
    later = run("--retry-dead")
    later.tally.failed["failed"] = "its answer was read again, and is of no use"
    assert sent(later, "failed", "waiting", "dead") == ["failed", "dead"]


def test_what_this_very_run_has_done_is_not_done_again(book, run):
    put_every_state(book)
    assert sent(run("--reprocess", "--retry-dead", run_id="run-1"), "done", "dead") == []
    # Another run, whose id has the same beginning.
    assert sent(run("--reprocess", run_id="run-"), "done") == ["done"]


@pytest.mark.parametrize(("limit", "expected"), [("1", 1), ("3", 3), ("5", 5), ("6", 5)])
def test_a_limit_counts_records_over_all_windows_of_a_run(run, limit, expected):
    context = run("--limit", limit)
    assert len(sent(context, "a", "b")) + len(sent(context, "c", "d", "e")) == expected
    assert context.tally.records == expected


def test_a_limit_does_not_count_what_is_not_wanted(book, run):
    put_every_state(book)
    assert sent(run("--limit", "1"), "done", "dead", "answered", "fresh", "failed") == ["fresh"]


def test_the_source_is_read_to_its_end_so_that_nothing_stays_locked(run):
    stream = iter(records("a", "b", "c"))
    select(run("--limit", "1"), stream).close()
    assert next(stream, None) is None


def test_more_records_than_are_looked_up_at_once_keep_their_order(book, run):
    numbers = [str(n) for n in range(1_234)]
    book.submit("q", *numbers[::7])
    expected = [n for i, n in enumerate(numbers) if i % 7]
    assert sent(run(), *numbers) == expected


def test_suspects_go_last_by_halves_of_what_was_in_flight_together(book, run):
    for request_id, *record_ids in ("q1", "b", "d"), ("q2", "e"), ("q3", "g"):
        book.submit(request_id, *record_ids)
    book.recover()
    assert chunks(run(), *"abcdefg") == [
        (["a", "c", "f"], 0),
        (["b", "d"], 1),
        (["e"], 1),
        (["g"], 2),
    ]


def test_one_chunk_that_was_in_flight_alone_goes_in_two_halves_one_after_the_other(book, run):
    crash(book, "q1", "a", "b", "c")
    assert chunks(run(), *"abcd") == [(["d"], 0), (["a", "b"], 1), (["c"], 2)]


def test_suspects_of_earlier_deaths_go_out_together_after_those_of_the_last(book, run):
    for number, record_ids in enumerate((["a", "b"], ["c"], ["d", "e"])):
        book.ledger.run_id = f"run-1-{number}"
        for record_id in record_ids:
            book.submit(f"q-{record_id}", record_id)
        book.recover()
    assert chunks(run(), *"abcde") == [
        (["d"], 1),
        (["e"], 2),
        (["a"], 3),
        (["b"], 3),
        (["c"], 3),
    ]


def test_a_suspect_that_was_alone_at_a_death_is_asked_all_by_itself(book, run):
    crash(book, "q1", "a", "b")
    crash(book, "q2", "a")
    assert chunks(run(), *"abc") == [(["c"], 0), (["b"], 1), (["a"], 2)]


def test_halves_of_fifty_requests_find_the_one_that_ends_the_process(book, run):
    names = [f"r{number:02}" for number in range(50)]
    flying, deaths = names, 0
    dead: list[RecordState] = []
    while not dead and deaths < 12:
        deaths += 1
        book.ledger.run_id = f"run-1-{deaths}"
        for name in flying:
            book.submit(f"{deaths}-{name}", name)
        lost, dead = book.recover()
        assert lost == len(flying)
        for wave, together in groupby(chunks(run(), *names), key=lambda chunk: chunk[1]):
            flying = [name for record_ids, _ in together for name in record_ids]
            if "r33" in flying or not wave:
                break
            for name in flying:
                book.submit(f"{deaths}-again-{name}", name)
                book.answer(f"{deaths}-again-{name}", name)
                book.finish(f"{deaths}-again-{name}", name)
    assert [state.record_id for state in dead] == ["r33"]
    assert deaths == 9, "six to find it, and three at which it was alone"
    assert "dead" not in {book.statuses()[name] for name in names if name != "r33"}


def test_a_record_that_failed_without_a_crash_is_no_suspect(book, run):
    book.submit("q", "a")
    book.lose("q", "a")
    assert chunks(run(), *"ab") == [(["a", "b"], 0)]


def test_of_two_rows_with_one_id_the_first_is_sent(book, run, caplog, monkeypatch):
    monkeypatch.setattr(log, "propagate", True)
    crash(book, "q", "s")
    with caplog.at_level(logging.WARNING):
        assert chunks(run(), "a", "b", "a", "s", "s") == [(["a", "b"], 0), (["s"], 1)]
    (said,) = {record.getMessage() for record in caplog.records}
    assert "2 rows of the SELECT have a record_id that came before, such as a:" in said


def test_chunks_are_as_large_as_asked_for(run):
    made = chunks(run("--chunk-size", "2"), *"abcde")
    assert [names for names, _ in made] == [["a", "b"], ["c", "d"], ["e"]]


def test_the_log_says_which_chunk_of_how_many(book, run):
    crash(book, "q", "c")
    context = run("--chunk-size", "1")
    with closing(select(context, records(*"abc"))) as spool:
        labels = [chunk.label for chunk in selection.chunks(context, spool)]
    assert labels == ["chunk 1/3", "chunk 2/3", "chunk 3/3 (suspected)"]


def stale(book: Book, *record_ids: str) -> None:
    for record_id in record_ids:
        book.submit(f"q-{record_id}", record_id)
        book.apply(
            f"q-{record_id}", RequestStatus.DONE, done={record_id: "{}"}, version="version 0"
        )


def test_stale_records_come_last_from_the_end_of_the_select(book, run):
    stale(book, *"acd")
    assert sent(run("--stale"), *"abcde") == ["b", "e", "d", "c", "a"]
    assert sent(run("--stale", "--limit", "3"), *"abcde") == ["b", "e", "d"]
    assert sent(run("--stale", "--limit", "1"), *"abcde") == ["b"]
    assert sent(run("--limit", "3"), *"abcde") == ["b", "e"]


def test_a_row_that_comes_twice_is_stale_once(book, run):
    stale(book, *"ab")
    assert sent(run("--stale"), *"abab") == ["b", "a"]


def keep(book: Book, version: str, request_id: str, *record_ids: str) -> None:
    """An answer that stands apart, of a version."""
    apart = Book(book.file, book.folder)
    apart.ledger = Ledger(book.file, name_of(JOB, version), "run-1", version, Purpose.TRY)
    apart.submit(request_id, *record_ids)
    apart.answer(request_id, *record_ids)
    apart.apply(request_id, RequestStatus.DONE, done=dict.fromkeys(record_ids, "{}"))


def test_what_is_answered_apart_by_this_version_is_kept_and_not_sent(book, run):
    put_every_state(book)
    keep(book, "version 1", "try-1", *STATES)
    keep(book, "version 2", "try-2", "else")
    context = run("--stale", "--limit", "1")
    with closing(select(context, records(*STATES, "else", "more"))) as selected:
        assert [record["record_id"] for record, _ in selected] == ["else"]
        assert selected.kept == dict.fromkeys(("fresh", "stale", "failed", "waiting"), "try-1")
    with closing(select(run(), records(*STATES))) as selected:
        assert selected.kept == dict.fromkeys(("fresh", "failed", "waiting"), "try-1")
    with closing(select(run("--reprocess"), records(*STATES))) as selected:
        assert selected.kept == dict.fromkeys(("fresh", "failed", "waiting"), "try-1")


def test_a_kept_answer_that_was_of_no_use_is_not_taken_over_again(book, run):
    keep(book, "version 1", "try-1", "a", "b")
    with book.ledger.transaction():
        run().kept.take_over({"a": "try-1"})
    book.apply("try-1", RequestStatus.ANSWERED, failed={"a": "why"})
    with closing(select(run(), records("a", "b"))) as selected:
        assert [record["record_id"] for record, _ in selected] == ["a"]
        assert selected.kept == {"b": "try-1"}


def test_an_answer_that_nobody_has_read_yet_is_kept_too(book, run):
    apart = Book(book.file, book.folder)
    apart.ledger = Ledger(book.file, name_of(JOB, "version 1"), "run-1", "version 1", Purpose.TRY)
    apart.submit("try-1", "a", "b")
    apart.answer("try-1", "a", "b")
    apart.submit("try-2", "c")
    with closing(select(run(), records(*"abc"))) as selected:
        assert selected.kept == {"a": "try-1", "b": "try-1"}


def test_a_kept_answer_that_was_pruned_is_none(book, run):
    keep(book, "version 1", "try-1", "a")
    book.file.db.execute("update requests set answer = null")
    assert sent(run(), "a") == ["a"]
