"""The chances behind "looks wrong", each figure recomputed another way."""

from __future__ import annotations

from fractions import Fraction
from math import comb, sqrt

import pytest

from quality.chances import (
    Wandering,
    beta_binomial_tail,
    chi_square,
    mean_chance,
    share_chance,
    wandering,
)


def beta_binomial(x: int, n: int, a: int, b: int) -> Fraction:
    """The chance of x of n, by exact products."""

    def rising(start: int, times: int) -> Fraction:
        product = Fraction(1)
        for step in range(times):
            product *= start + step
        return product

    return comb(n, x) * rising(a, x) * rising(b, n - x) / rising(a + b, n)


@pytest.mark.parametrize(("x", "n", "a", "b"), [(9, 20, 2, 8), (0, 30, 3, 9), (60, 60, 5, 7)])
def test_a_tail_of_the_beta_binomial_is_the_exact_sum(x, n, a, b):
    above = x * (a + b) >= n * a
    far = range(x, n + 1) if above else range(x + 1)
    exact = float(sum(beta_binomial(one, n, a, b) for one in far))
    assert beta_binomial_tail(x, n, a, b) == pytest.approx(exact, rel=1e-9)


# From tables: degrees of freedom, standard deviations of the normal quantile, chi-square quantile.
@pytest.mark.parametrize(
    ("degrees", "at", "quantile"),
    [(13, 0.0, 12.340), (13, -1.6449, 5.892), (13, 1.6449, 22.362), (2, 1.2816, 4.605)],
)
def test_a_quantile_of_chi_square_is_near_the_one_in_the_tables(degrees, at, quantile):
    assert chi_square(degrees, at) == pytest.approx(quantile, rel=0.01)


def test_nights_that_differ_by_luck_alone_have_a_factor_near_1():
    # 14 nights of 100, each as far from 20 as the standard deviation of a binomial draw: 4.
    [alone] = wandering([[(24 if night % 2 else 16, 100) for night in range(14)]])
    assert alone.degrees == 13
    assert alone.factor == pytest.approx(14 / 13, rel=0.01)


def test_a_value_that_wanders_more_than_the_others_keeps_its_own_factor():
    calm = [(22 if night % 2 else 18, 100) for night in range(14)]
    wild = [(40 if night % 2 else 0, 100) for night in range(14)]
    values = wandering([calm, calm, calm, wild])
    assert values[3].factor > 15 * min(1.0, values[0].factor)
    assert values[3].degrees < values[0].degrees + 1


def test_where_the_factor_is_well_known_the_chance_is_that_of_the_binomial():
    sure = Wandering(1.0, 1e9)
    far = sum(comb(300, x) * 0.1**x * 0.9 ** (300 - x) for x in range(50, 301))
    many = [(10_000, 100_000)] * 14
    assert share_chance((50, 300), many, sure) == pytest.approx(2 * far, rel=0.05)


def test_a_mean_that_few_nights_are_known_of_has_about_the_chance_that_students_t_gives():
    # Five nights whose means differ far more than luck: 4 degrees of freedom.
    nights = [(10_000, 100.0 + by, 1.0) for by in (-6, -3, 0, 3, 6)]
    spread = sqrt(sum(by * by for by in (-6, -3, 0, 3, 6)) / 4)
    t = 20 / (spread * sqrt(1 + 1 / 5))
    # Student's t with 4 degrees of freedom has a closed form.
    inside = t / sqrt(t * t + 4) * (1 + 2 / (t * t + 4))
    assert mean_chance((10_000, 120.0, 1.0), nights) == pytest.approx(1 - inside, rel=0.4)


def test_nights_that_were_all_alike_make_any_other_mean_unlikely():
    same = [(60, 5.0, 0.0)] * 14
    assert mean_chance((60, 5.0, 0.0), same) == 1
    assert mean_chance((60, 7.0, 0.0), same) == 0
    assert share_chance((60, 60), [(300, 300)] * 14, wandering([[(300, 300)] * 14])[0]) == 1
    assert share_chance((20, 60), [(300, 300)] * 14, wandering([[(300, 300)] * 14])[0]) < 1e-12
