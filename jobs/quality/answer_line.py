"""How long answers are, by the length of their records: fitted to the records of a try.

Closed forms throughout: least squares, and Student's t for how far off a mean may be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

_CONFIDENCE = 0.95
OF_ONE = 0.5  # how far off one record may be, which says nothing about the spread
_ENOUGH = 6  # records, to tell how answers grow with the length of their records
# Answers grow with their record, as a translation does, or level off, as a summary does.
_POWERS = (1.0, 0.5)


@dataclass(frozen=True)
class Line:
    """The tokens of an answer about a record of weight w: `base + slope * w ** power`.

    `off` says how far the mean of all others may be off, either way, as a part of it, where these
    are as long as the tried ones; `steepness` how much more where they are not.
    """

    base: float
    slope: float = 0.0
    power: float = 1.0
    off: float = OF_ONE
    steepness: float = 0.0
    middle: float = 0.0  # the mean of w ** power of the tried records

    def tokens(self, weights: Sequence[float]) -> float:
        """The tokens of the answers about records of these weights."""
        return self.base * len(weights) + self.slope * self.grown(weights)

    def grown(self, weights: Iterable[float]) -> float:
        """The sum of w ** power."""
        return math.fsum(weight**self.power for weight in weights)

    def off_at(self, middle: float) -> float:
        """How far off the mean may be for records whose mean of w ** power is `middle`."""
        return math.hypot(self.off, self.steepness * (middle - self.middle))


def fitted(weights: Sequence[float], outputs: Sequence[float]) -> Line:
    """The line that leaves the least squares over these records.

    An answer neither gets shorter with its record, nor grows faster than it: outside of that a few
    records only seem to say so. Of very few, the mean alone counts.
    """
    if not outputs:
        return Line(0.0)
    mean = fmean(outputs)
    if len(outputs) < 2 or not mean:
        return Line(mean)
    if len(outputs) < _ENOUGH or max(weights) == min(weights):
        return Line(mean, off=mean_is_off(outputs) / mean)
    return min(
        (_least_squares(weights, outputs, power) for power in _POWERS), key=lambda one: one.off
    )


def _least_squares(weights: Sequence[float], outputs: Sequence[float], power: float) -> Line:
    xs, count = [weight**power for weight in weights], len(outputs)
    x_mean, y_mean = fmean(xs), fmean(outputs)
    square = math.fsum((x - x_mean) ** 2 for x in xs)
    product = math.fsum((x - x_mean) * y for x, y in zip(xs, outputs, strict=True))
    slope = min(max(0.0, product / square), y_mean / x_mean)
    base = y_mean - slope * x_mean
    left = math.fsum((y - base - slope * x) ** 2 for x, y in zip(xs, outputs, strict=True))
    error = quantile_of_t(count - 2) * math.sqrt(left / (count - 2)) / y_mean
    return Line(base, slope, power, error / math.sqrt(count), error / math.sqrt(square), x_mean)


def mean_is_off(values: Sequence[float]) -> float:
    """How far the mean of two or more values may be off, either way, by their spread."""
    mean, count = fmean(values), len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    return quantile_of_t(count - 1) * math.sqrt(variance / count)


def quantile_of_t(freedom: int) -> float:
    """How many standard errors either way hold the mean in 95 of 100 cases, by Student's t.

    Exact for 1 and 2 degrees of freedom, within two thousandths from 3 on (the expansion by
    Cornish and Fisher around the normal quantile).
    """
    share = (1 + _CONFIDENCE) / 2
    if freedom == 1:
        return math.tan(math.pi * (share - 0.5))
    if freedom == 2:
        return (2 * share - 1) * math.sqrt(2 / (4 * share * (1 - share)))
    z = NormalDist().inv_cdf(share)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return z + math.fsum(term / freedom**power for power, term in enumerate(terms, 1))
