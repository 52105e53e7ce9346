"""The caps on cost: nothing is sent that could pass one, whatever is still on its way."""

from __future__ import annotations

import random
from math import inf

import pytest

from common.budget import Budget


def budget(
    run_cap: float | None = None, day_cap: float | None = None, spent: float = 0.0
) -> Budget:
    return Budget(run_cap, day_cap, lambda day: spent)


def test_without_a_cap_everything_may_be_spent():
    free = budget()
    assert not free.capped
    assert free.reserve(1e9)
    assert free.reached() == ""


@pytest.mark.parametrize(
    "caps", [{"run_cap": 1.0}, {"day_cap": 1.0}, {"run_cap": 1.0, "day_cap": 5.0}]
)
def test_a_cap_may_be_reached_and_not_passed(caps):
    capped = budget(**caps)
    assert capped.capped
    assert capped.reserve(0.5) and capped.reserve(0.5)
    assert not capped.reserve(0.001)


def test_what_was_reserved_and_not_spent_comes_back():
    capped = budget(run_cap=1.0)
    assert capped.reserve(1.0)
    assert not capped.reserve(0.5)
    capped.settle(1.0, 0.25)
    assert capped.reserve(0.75)
    assert not capped.reserve(0.001)


def test_what_can_have_been_billed_never_comes_back():
    capped = budget(run_cap=1.0)
    capped.reserve(0.5)
    capped.settle(0.5, 0.5)
    assert capped.reserve(0.5)
    assert not capped.reserve(0.001)


def test_a_refused_reservation_reserves_nothing():
    capped = budget(run_cap=1.0)
    assert not capped.reserve(1.5)
    assert capped.reserve(1.0)


def test_a_day_begins_with_what_the_ledger_says_was_spent():
    assert budget(day_cap=1.0, spent=0.5).reserve(0.5)
    assert not budget(day_cap=1.0, spent=0.75).reserve(0.5)
    assert budget(run_cap=1.0, spent=99.0).reserve(1.0)


def test_a_new_utc_day_begins_with_its_own_spending():
    asked: list[str] = []
    spending = [0.9, 0.1]

    def spent_in(day: str) -> float:
        asked.append(day)
        return spending[len(asked) - 1]

    capped = Budget(None, 1.0, spent_in)
    assert not capped.reserve(0.5)
    assert not capped.reserve(0.5)
    assert len(asked) == 1  # once a day, not once a request
    capped._day = "2000-01-01"  # as if it had been asked last on another day
    assert capped.reserve(0.5)
    assert len(asked) == 2


def test_a_month_has_a_cap_of_its_own_which_a_new_day_leaves_as_it_is():
    spent = {10: 0.25, 7: 5.0}
    capped = Budget(None, 1.0, lambda when: spent[len(when)], 6.0)
    assert capped.capped and capped.left == 0.75
    assert capped.reserve(0.75) and not capped.reserve(0.01)
    capped.settle(0.75, 0.5)
    spent |= {10: 0.0, 7: 5.75}
    capped.read_again()
    assert not capped.reserve(0.5) and capped.reserve(0.25)
    words = "$0.0000 of MAX_COST_USD $1 today, $5.7500 of MAX_COST_USD_MONTH $6 this month"
    assert capped.reached() == words
    assert Budget(None, None, lambda when: 0.0, 6.0).capped
    assert Budget(None, None, lambda when: 9.0).left == inf


def test_both_caps_are_named_with_what_was_spent_of_them():
    capped = budget(run_cap=2.0, day_cap=10.0, spent=4.0)
    capped.reserve(1.0)
    capped.settle(1.0, 0.5)
    words = "$0.5000 of --max-cost $2 in this run, $4.5000 of MAX_COST_USD $10 today"
    assert capped.reached() == words


def test_no_order_of_reserving_and_settling_passes_a_cap():
    numbers = random.Random(5)
    for _ in range(200):
        capped, open_, spent = budget(run_cap=10.0), [], 0.0
        for _ in range(100):
            most = numbers.uniform(0, 3)
            if numbers.random() < 0.6 and capped.reserve(most):
                open_.append(most)
            elif open_:
                reserved = open_.pop(numbers.randrange(len(open_)))
                cost = numbers.uniform(0, reserved)
                capped.settle(reserved, cost)
                spent += cost
            assert spent + sum(open_) <= 10.0 + 1e-9
