"""What people have filled in: as long as it stands, and no longer."""

from __future__ import annotations

import json

import pytest

from common.ledger.corrections import FILLED_IN, corrected_fields
from common.ledger.ledger import Ledger
from common.ledger.set_aside import Answer
from common.ledger.states import Purpose, RequestStatus
from rigs.ledgers import JOB, ended, intent, ledger_in


@pytest.fixture
def book(tmp_path, databases):
    with ledger_in(databases, tmp_path / "state") as opened:
        yield opened


def correct(book, request_id: str, saved: bool = True, **fields) -> None:
    """A person gives these records (a={"label": …}) these fields."""
    ledger = Ledger(book.file, JOB, "run-1", "v1", Purpose.CORRECTION)
    answer = json.dumps({"type": "message", FILLED_IN: fields})
    with ledger.transaction():
        ledger.intend([intent(request_id, *fields)])
        ledger.answered([Answer(request_id, [*fields], answer)])
    if saved:
        book.apply(request_id, RequestStatus.DONE, done=dict.fromkeys(fields, "{}"), corrected=True)


def test_a_record_that_nobody_corrected_has_no_filled_in_fields(book):
    book.submit("q", "a")
    book.answer("q", "a")
    book.finish("q", "a")
    assert corrected_fields(book.file, JOB) == {}


def test_the_fields_that_a_person_filled_in_are_told_as_json_values_by_record(book):
    correct(book, "q", a={"label": "refund", "tags": ["x", "é"]}, b={"urgent": False, "n": None})
    assert corrected_fields(book.file, JOB) == {
        "a": {"label": "refund", "tags": ["x", "é"]},
        "b": {"urgent": False, "n": None},
    }
    assert corrected_fields(book.file, "another") == {}


def test_a_correction_that_is_not_saved_yet_stands_already(book):
    correct(book, "q", saved=False, a={"label": "refund"})
    assert corrected_fields(book.file, JOB) == {"a": {"label": "refund"}}


def test_a_correction_that_another_one_replaced_stands_no_more(book):
    correct(book, "q1", a={"label": "refund"}, b={"label": "spam"})
    correct(book, "q2", a={"label": "praise"})
    assert corrected_fields(book.file, JOB) == {"a": {"label": "praise"}, "b": {"label": "spam"}}


def test_a_correction_that_was_asked_about_again_stands_no_more(book):
    correct(book, "q1", a={"label": "refund"})
    book.submit("q2", "a")
    assert corrected_fields(book.file, JOB) == {}
    with book.ledger.transaction():
        book.ledger.answered([Answer("q2", ["a"], "{}")])
        book.ledger.apply([ended("q2", done={"a": "{}"})])
    assert corrected_fields(book.file, JOB) == {}
