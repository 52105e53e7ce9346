"""Which records a run takes up: each once, suspects last and alone, no more than --limit."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

import daily_report
from common import settings
from common.options import parse
from common.process.log import log
from common.records import selection
from common.tally import Tally
from rigs.ledgers import Book, ledger_at


@pytest.fixture
def book(tmp_path):
    with ledger_at(tmp_path / "state" / "daily_report.db") as opened:
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
            tally=Tally(),
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


def chunks(context: Any, *record_ids: str) -> list[tuple[list[str], bool]]:
    with closing(select(context, records(*record_ids))) as spool:
        return [
            ([record["record_id"] for record in chunk.records], chunk.alone)
            for chunk in selection.chunks(context, spool)
        ]


def crash(book: Book, request_id: str, *record_ids: str) -> None:
    book.submit(request_id, *record_ids)
    book.ledger.recover()


STATES = ("fresh", "submitted", "answered", "done", "failed", "waiting", "dead")


def put_every_state(book: Book) -> None:
    for status in STATES[1:]:
        book.submit(f"run-1-{status}", status)
    book.answer("run-1-answered", "answered")
    book.finish("run-1-done", "done")
    book.judge("run-1-failed", failed={"failed": "why"})
    book.judge("run-1-dead", dead={"dead": "why"})
    book.lose("run-1-waiting", "waiting")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["fresh", "failed", "waiting"]),
        (["--retry-dead"], ["fresh", "failed", "waiting", "dead"]),
        (["--reprocess"], ["fresh", "done", "failed", "waiting"]),
        (["--reprocess", "--retry-dead"], ["fresh", "done", "failed", "waiting", "dead"]),
    ],
)
def test_fresh_failed_and_waiting_records_are_sent_and_others_where_asked_for(
    book, run, arguments, expected
):
    put_every_state(book)
    context = run(*arguments)
    assert sent(context, *STATES) == expected
    assert context.tally.records == len(expected)


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


def test_suspects_go_last_in_the_chunk_they_were_in_with_nothing_beside_it(book, run):
    crash(book, "q1", "b", "d")
    crash(book, "q2", "e")
    assert chunks(run(), *"abcdef") == [
        (["a", "c", "f"], False),
        (["b", "d"], True),
        (["e"], True),
    ]


def test_a_record_that_two_runs_died_of_is_asked_all_by_itself(book, run):
    crash(book, "q1", "a", "b", "c")
    crash(book, "q2", "a", "b")
    assert chunks(run(), *"abcd") == [(["d"], False), (["a"], True), (["b"], True), (["c"], True)]


def test_a_record_that_failed_without_a_crash_is_no_suspect(book, run):
    book.submit("q", "a")
    book.lose("q", "a")
    assert chunks(run(), *"ab") == [(["a", "b"], False)]


def test_of_two_rows_with_one_id_the_first_is_sent(book, run, caplog, monkeypatch):
    monkeypatch.setattr(log, "propagate", True)
    crash(book, "q", "s")
    with caplog.at_level(logging.WARNING):
        assert chunks(run(), "a", "b", "a", "s", "s") == [(["a", "b"], False), (["s"], True)]
    assert "record a comes twice" in caplog.text and "record s comes twice" in caplog.text


def test_chunks_are_as_large_as_asked_for(run):
    made = chunks(run("--chunk-size", "2"), *"abcde")
    assert [names for names, _ in made] == [["a", "b"], ["c", "d"], ["e"]]


def test_the_log_says_which_chunk_of_how_many(book, run):
    crash(book, "q", "c")
    context = run("--chunk-size", "1")
    with closing(select(context, records(*"abc"))) as spool:
        labels = [chunk.label for chunk in selection.chunks(context, spool)]
    assert labels == ["chunk 1/3", "chunk 2/3", "chunk 3/3 (alone)"]
