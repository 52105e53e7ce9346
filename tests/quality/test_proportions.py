"""Intervals and tests, each against another way to the same figure."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest

from quality.proportions import Z_95, sign_test, wilson


def by_bisection(right: int, n: int, *, up: bool) -> float:
    """An end of the interval: where the share is Z_95 standard errors of its own away from p."""
    share = right / n

    def too_far(p: float) -> bool:
        return (share - p) ** 2 > Z_95**2 * p * (1 - p) / n

    near, far = share, 1.0 if up else 0.0
    for _ in range(200):
        middle = (near + far) / 2
        near, far = (near, middle) if too_far(middle) else (middle, far)
    return near


@pytest.mark.parametrize("n", [1, 2, 3, 10, 50, 500, 10_003])
def test_the_interval_is_where_the_quadratic_has_its_roots(n):
    for right in {0, 1, n // 3, n // 2, n - 1, n}:
        low, high = wilson(right, n)
        assert 0 <= low <= right / n <= high <= 1
        assert low == pytest.approx(by_bisection(right, n, up=False), abs=1e-12)
        assert high == pytest.approx(by_bisection(right, n, up=True), abs=1e-12)


def test_the_interval_is_the_one_of_the_textbooks():
    # Newcombe (1998): 81 of 263, and 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_z_leaves_five_of_a_hundred_outside():
    assert math.erfc(Z_95 / math.sqrt(2)) == pytest.approx(0.05, abs=1e-15)


def test_nothing_is_known_from_nothing():
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("right", "n"), [(-1, 3), (4, 3), (1, 0)])
def test_counts_that_cannot_be_are_refused(right, n):
    with pytest.raises(ValueError, match=f"{right} of {n}"):
        wilson(right, n)


def by_enumeration(first: int, second: int) -> Fraction:
    """The share of all outcomes of fair tosses that are at least as one-sided as this one."""
    n = first + second
    lead = abs(first - second)
    outcomes = itertools.product((1, -1), repeat=n)
    return Fraction(sum(abs(sum(one)) >= lead for one in outcomes), 2**n)


@pytest.mark.parametrize("pairs", range(13))
def test_p_is_the_share_of_all_outcomes_that_are_as_extreme(pairs):
    for first in range(pairs + 1):
        expected = by_enumeration(first, pairs - first)
        assert sign_test(first, pairs - first) == float(expected)


@pytest.mark.parametrize(("first", "second"), [(30, 50), (0, 200), (999, 1101), (1_500, 1_503)])
def test_p_of_many_pairs_is_the_sum_of_fractions(first, second):
    n = first + second
    tail = sum(Fraction(math.comb(n, k), 2**n) for k in range(min(first, second) + 1))
    assert sign_test(first, second) == float(min(Fraction(1), 2 * tail))


def test_p_is_the_same_whichever_comes_first_and_one_where_nothing_differs():
    assert sign_test(3, 11) == sign_test(11, 3)
    assert sign_test(0, 0) == sign_test(4, 4) == 1.0
