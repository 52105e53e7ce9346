"""How likely chance alone is to move a share, or a mean, so far from where the runs before had it.

Runs differ by more than luck: on some nights more parcels are late. So the runs before also tell by
how much a share wanders from night to night. They are few, and so this is not well known: a chance
is the mean of those for all that it may be, as likely as each is. All of it are closed forms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import erfc, exp, lgamma, sqrt

# The quantiles of a chi-square distribution over which a mean is taken, as those of a normal one in
# standard deviations, and how much each of them counts.
_QUANTILES = [step / 2 - 4.5 for step in range(15)]
_WEIGHTS = [exp(-(at**2) / 2) for at in _QUANTILES]
# Two outputs of one night have no more in common than this, and the true factor is no more times
# the estimate than that, whatever few nights leave open.
_MOST_ALIKE = 0.05
_FAR = 20

Night = tuple[int, int]  # how many outputs of a run had the value, of how many
Mean = tuple[int, float, float]  # how many texts or numbers a run had, their mean, their variance


@dataclass(frozen=True)
class Wandering:
    """By what factor nights vary more than by luck: an estimate of so many degrees of freedom."""

    factor: float
    degrees: float

    def mean(self, chance: Callable[[float], float], most: float) -> float:
        """The mean of a chance that depends on the true factor.

        It is 1 at least; and `most` at most, unless the estimate comes near that.
        """
        whole = 0.0
        for at, weight in zip(_QUANTILES, _WEIGHTS, strict=True):
            true = self.factor * self.degrees / chi_square(self.degrees, at)
            whole += weight * chance(max(1.0, min(true, max(most, _FAR * self.factor))))
        return min(1.0, whole / sum(_WEIGHTS))


def whole_share(nights: Sequence[Night]) -> float:
    """The share in all nights together, kept a little away from 0 and from 1."""
    return (sum(x for x, _ in nights) + 0.5) / (sum(n for _, n in nights) + 1)


def wandering(values: Sequence[Sequence[Night]]) -> list[Wandering]:
    """How much each value of a field wanders from night to night.

    Each value has the same nights, two or more. Values of a field mostly wander alike, and the own
    estimate of each is a poor one. So it is drawn towards that of all, the more so the less they
    differ; never below that of all.
    """
    degrees = len(values[0]) - 1
    own = [_dispersion(nights) / degrees for nights in values]
    shares = [whole_share(nights) for nights in values]
    outputs = sum(n for _, n in values[0])
    # That of a rare value is luck itself. With these weights the sum is Pearson's chi-square.
    weights = [1 - share if share * outputs >= 5 else 0.0 for share in shares]
    whole = sum(weights)
    if len(values) < 3 or whole <= 1:
        return [Wandering(factor, degrees) for factor in own]
    middle = _mean(own, weights)
    luck = 3 / degrees  # 2 is theirs by the formula; those of rare values differ by more
    apart = _mean([(factor / middle - 1) ** 2 for factor in own], weights) if middle else 0.0
    part = 1 - luck / max(apart, luck)  # of their differences that is more than luck
    together = degrees * max(1.0, whole - 1)
    freedom = 1 / (part / degrees + (1 - part) / together)
    return [Wandering(middle + part * max(0.0, factor - middle), freedom) for factor in own]


def _dispersion(nights: Sequence[Night]) -> float:
    share = whole_share(nights)
    return sum((x - n * share) ** 2 / (n * share * (1 - share)) for x, n in nights)


def _mean(numbers: Sequence[float], weights: Sequence[float]) -> float:
    return sum(map(float.__mul__, numbers, weights)) / sum(weights)


def share_chance(now: Night, nights: Sequence[Night], wanders: Wandering) -> float:
    """The chance of a share at least as far from that of the nights before, on either side of it.

    The true shares of nights are taken to follow a beta distribution, so that the counts follow a
    beta-binomial one. `wanders` is what wandering() says of this value.
    """
    (x, n), share, degrees = now, whole_share(nights), len(nights) - 1
    outputs = sum(size for _, size in nights)
    squares = sum(size * size for _, size in nights) / outputs
    room = max(1.0, outputs - squares - degrees) / degrees

    def chance(factor: float) -> float:
        # How much two outputs of a night have in common …
        alike = min(0.9, (factor - 1) / room)
        # … and what nobody knows about the share itself.
        alike = min(0.95, alike + (1 - alike) / outputs + alike * squares / outputs)
        weight = 1 / alike - 1
        return min(1.0, 2 * beta_binomial_tail(x, n, share * weight, (1 - share) * weight))

    return wanders.mean(chance, 1 + _MOST_ALIKE * room)


def beta_binomial_tail(x: int, n: int, a: float, b: float) -> float:
    """The chance of x or more of n where x is above the mean, else of x or fewer."""
    if x * (a + b) < n * a:
        x, a, b = n - x, b, a
    term = exp(
        lgamma(n + 1) - lgamma(x + 1) - lgamma(n - x + 1)
        + lgamma(x + a) + lgamma(n - x + b) - lgamma(n + a + b)
        + lgamma(a + b) - lgamma(a) - lgamma(b)
    )  # fmt: skip
    total = term
    for more in range(x, n):
        term *= (n - more) / (more + 1) * (more + a) / (n - more - 1 + b)
        total += term
        if term < total * 1e-12:
            break
    return min(1.0, total)


def chi_square(degrees: float, deviations: float) -> float:
    """A quantile of the chi-square distribution by Wilson and Hilferty.

    It is the one that a normal distribution has so many standard deviations from its mean.
    """
    ninth = 2 / (9 * degrees)
    return float(degrees * max(0.01, 1 - ninth + deviations * sqrt(ninth)) ** 3)


def mean_chance(now: Mean, nights: Sequence[Mean]) -> float:
    """The chance of a mean at least as far from that of the nights before, on either side of it.

    There are two nights or more, each of one text or number at least.
    """
    (count, mean, variance), degrees = now, len(nights) - 1
    outputs = sum(n for n, _, _ in nights)
    before = sum(n * m for n, m, _ in nights) / outputs
    within = sum((n - 1) * v for n, _, v in nights) / max(1, outputs - len(nights))
    squares = sum(n * n for n, _, _ in nights) / outputs
    room = max(1.0, outputs - squares) / degrees
    spread = sum(n * (m - before) ** 2 for n, m, _ in nights) / degrees
    luck = within or spread  # where all were alike within a night, nights alone can differ

    def chance(factor: float) -> float:
        between = luck * (factor - 1) / room
        error = between * (1 + squares / outputs) + luck / outputs + max(within, variance) / count
        if not error:  # all were alike on all nights
            return float(mean == before)
        return erfc(abs(mean - before) / sqrt(2 * error))

    wanders = Wandering(spread / luck if luck else 1.0, degrees)
    return wanders.mean(chance, 1 + _MOST_ALIKE * room)
