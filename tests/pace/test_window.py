"""How many may be in flight where no header says what the account carries."""

from __future__ import annotations

import pytest

from common.pace.window import FIRST, MOST, Window


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def answered(window: Window, time: Time, count: int, seconds: float = 10.0) -> None:
    """So many answers of the same length came, in a second."""
    for _ in range(count):
        window.answered(seconds, 500)
    time.now += 1


def refused(window: Window, time: Time, began: float | None = None, foreseen: bool = False) -> None:
    window.refused(time.now if began is None else began, window.size, foreseen=foreseen)
    time.now += 1


def test_it_begins_with_few_and_doubles_with_each_round_trip(time):
    window = Window(time, None)
    sizes = [window.size]
    for _ in range(5):
        answered(window, time, window.size)
        sizes.append(window.size)
    assert sizes == [8, 16, 32, 64, 128, 128]
    assert (FIRST, MOST) == (8, 128)


@pytest.mark.parametrize("most", [1, 3, 50, 300])
def test_a_number_that_was_asked_for_is_where_it_begins_and_never_passed(time, most):
    window = Window(time, most)
    assert window.size == most
    answered(window, time, 500)
    assert (window.size, window.held_by) == (most, "concurrency")


def test_it_stays_where_answers_become_slower(time):
    window = Window(time, None)
    answered(window, time, 8)
    answered(window, time, 16, seconds=40)
    size = window.size
    answered(window, time, 100, seconds=40)
    assert window.size <= size + 3
    assert window.held_by == "latency"


def test_an_answer_that_is_longer_is_not_slower(time):
    window = Window(time, None)
    for tokens in (100, 3_000) * 8:
        window.answered(1.5 + tokens / 150, tokens)
    assert window.size == 24


def test_what_is_slower_for_good_is_usual_after_a_while(time):
    window = Window(time, None)
    answered(window, time, 8)
    answered(window, time, 2_000, seconds=40)
    assert window.size == 128


def test_refusals_halve_it_once_a_round_trip(time):
    window = Window(time, None)
    answered(window, time, 56)
    time.now = began = 100.0
    refused(window, time)
    assert window.size == 32
    for _ in range(20):  # they were sent at the same time as the first
        refused(window, time, began - 5)
    assert (window.size, window.held_by) == (32, "errors")
    refused(window, time)
    assert window.size == 16


def test_it_is_never_smaller_than_one_and_recovers(time):
    window = Window(time, None)
    for _ in range(20):
        refused(window, time)
    assert window.size == 1
    for _ in range(12):
        answered(window, time, window.size)
    assert 8 <= window.size <= 30


@pytest.mark.parametrize(("foreseen", "sizes"), [(True, [64, 128]), (False, [43, 50])])
def test_it_grows_slowly_again_only_where_nobody_knows_what_was_too_much(time, foreseen, sizes):
    window = Window(time, None)
    answered(window, time, 56)
    refused(window, time, foreseen=foreseen)
    found = []
    for _ in range(2):
        answered(window, time, window.size)
        found.append(window.size)
    assert all(abs(size - wanted) <= 3 for size, wanted in zip(found, sizes, strict=True)), found


def test_headers_let_it_grow_within_seconds_and_not_at_once(time):
    window = Window(time, None)
    window.told(True)
    sizes = []
    for _ in range(6):
        sizes.append(window.size)
        time.now += 0.25
    assert sizes == [8, 40, 72, 104, 128, 128]
    assert not window.grows
