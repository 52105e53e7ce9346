"""The figures of a report, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from common.report import phrases
from rigs.sample_report import DAY, FOOTER, sample


@pytest.mark.parametrize(
    ("records", "previous", "said"),
    [
        (714, (638,) * 7, "12 % more than the average of the previous 7 days (638)"),
        (561, (638,) * 7, "12 % fewer than the average of the previous 7 days (638)"),
        (638, (638,) * 2, "as many as the average of the previous 2 days (638)"),
        (639, (638,) * 7, "about as many as the average of the previous 7 days (638)"),
        (3, (2, 3), "20 % more than the average of the previous 2 days (2.5)"),
        (2170, (638,) * 7, "3.4 times the average of the previous 7 days (638)"),
        (0, (638,) * 7, "against the average of the previous 7 days (638)"),
        (9, (0, 0), "after none in the previous 2 days"),
        (9, (0,), "after none on the day before"),
        (0, (0, 0), "as many as the average of the previous 2 days (0)"),
        (9, (6,), "50 % more than the day before (6)"),
        (9, (), ""),
    ],
)
def test_a_day_is_compared_in_words(records: int, previous: tuple[int, ...], said: str) -> None:
    days = tuple(
        (date.fromordinal(DAY.toordinal() - len(previous) + place), count)
        for place, count in enumerate(previous)
    )
    assert phrases.compared(replace(sample(), records=records, previous=days)) == said


def test_a_share_is_never_nought_of_something_nor_all_of_less() -> None:
    assert phrases.share(128, 714) == "18 %"
    assert phrases.share(1, 714) == "under 1 %"
    assert phrases.share(713, 714) == "over 99 %"
    assert phrases.share(714, 714) == "100 %"
    assert phrases.share(0, 714) == phrases.share(0, 0) == ""


@pytest.mark.parametrize(
    ("usd", "said"),
    [(0.0788, "$0.0788"), (0.0, "$0"), (0.00001, "under $0.0001"), (1234.5, "$1,234.50")],
)
def test_a_cost_is_said_in_dollars(usd: float, said: str) -> None:
    assert phrases.cost(replace(FOOTER, usd=usd)) == said
