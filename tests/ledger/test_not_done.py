"""Which of a great many records are not done: by any version, or by today's, up to a number."""

from __future__ import annotations

from typing import Any

import pytest

from common.ledger import not_done
from common.ledger.states import RequestStatus
from common.row import SEPARATOR
from rigs.ledgers import ledger_in

IDS = [str(n) for n in range(100)]
LISTS = [IDS[first : first + 3] for first in range(0, 100, 3)]
WAIT = {"2", "50", "98"}
CORRECTED = {"97", "99"}
NEWER = {"10", "60", "95", "96"}


@pytest.fixture
def book(tmp_path: Any, databases: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """All records are done by an older version, but for those above."""
    monkeypatch.setattr(not_done, "_MANY", 10)
    done = RequestStatus.DONE
    with ledger_in(databases, tmp_path / "state") as opened:
        older = [one for one in IDS if one not in WAIT | CORRECTED | NEWER]
        opened.submit("q", *IDS)
        opened.apply("q", done, done=dict.fromkeys(older, "{}"), version="version 0")
        opened.apply("q", done, done=dict.fromkeys(NEWER, "{}"))
        opened.apply("q", done, done=dict.fromkeys(CORRECTED, "{}"), version="", corrected=True)
        yield opened


def found(book: Any, *given: Any, lists: Any = LISTS) -> set[str]:
    find = book.ledger.not_done(*given)
    assert find is not None
    given_back = list(find(iter(lists)))
    assert len({*given_back}) == len(given_back)
    return {*given_back}


def older(count: int) -> set[str]:
    return {*[one for one in IDS if one not in WAIT | CORRECTED | NEWER][-count:]}


def test_what_any_version_has_done_is_done_where_none_is_named(book):
    assert found(book) == WAIT


@pytest.mark.parametrize("room", [0, 1, 2, 3, 7, 20, 91, 500])
def test_of_what_others_have_done_the_last_ones_are_given_and_no_more_than_there_is_room(
    book, room
):
    assert found(book, ("version 1",), room) == WAIT | (older(room) if room else set())
    assert found(book, ("version 1", "version 0"), room) == WAIT


def test_without_a_number_all_of_it_is_given_where_today_s_are_many(book, monkeypatch):
    assert book.ledger.not_done(("version 1",)) is None, "few are done by it: all rows are read"
    monkeypatch.setattr(not_done, "_MANY", 3)
    assert found(book, ("version 1",)) == WAIT | older(100)


def test_ids_that_hold_the_sign_between_them_are_given_and_hide_no_others(book):
    odd = f"a{SEPARATOR}b"
    lists = [*LISTS[:-1], [odd], ["99", odd + "c"]]
    assert found(book, ("version 1",), 5, lists=lists) == WAIT | older(5) | {odd, odd + "c"}
    assert found(book, lists=lists) == WAIT | {odd, odd + "c"}
    assert found(book, ("version 1",), 5, lists=[[odd], [odd + "c"]]) == {odd, odd + "c"}
    assert found(book, ("version 1",), 5, lists=[]) == set()


def test_whether_anything_is_stale_is_known_without_looking_for_it(book):
    assert book.ledger.has_stale(("version 1",))
    assert not book.ledger.has_stale(("version 1", "version 0"))
