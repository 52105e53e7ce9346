"""Looks wrong, by simulation: unchanged shares raise no alarm, a real shift does at once."""

from __future__ import annotations

from random import Random

import pytest

from quality.unusual import unusual
from rigs.nights import TYPES, Nights, moved


@pytest.mark.parametrize("alike", [0.0, 0.001], ids=["luck alone", "nights that differ"])
def test_two_hundred_nights_of_unchanged_shares_raise_one_alarm_at_most(alike):
    nights, sizes = Nights(1, alike), Random(2)
    alarms = [nights.judged(nights.of(sizes.choice((60, 300, 1_000)))) for _ in range(200)]
    assert sum(map(bool, alarms)) <= 1, [lines for lines in alarms if lines]


@pytest.mark.parametrize("alike", [0.0, 0.001], ids=["luck alone", "nights that differ"])
def test_a_share_that_goes_from_3_to_15_percent_is_found_the_first_night(alike):
    found = 0
    for seed in range(10):
        nights = Nights(seed, alike)
        for _ in range(14):
            nights.judged(nights.of(300))
        for _ in range(10):
            lines = unusual(nights.of(300, moved(0.15)), nights.history, TYPES)
            found += any('label "complaint" ' in line for line in lines)
    assert found >= 95


def test_a_shift_that_stays_is_what_is_usual_before_two_weeks_are_over():
    nights = Nights(3)
    for _ in range(14):
        nights.judged(nights.of(300))
    told = [bool(nights.judged(nights.of(300, moved(0.30)))) for _ in range(14)]
    assert told[0] and not any(told[7:])
