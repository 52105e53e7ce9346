"""How sure a share is, and whether one of two is better: closed forms, exact where they can be."""

from __future__ import annotations

import math

Z_95 = 1.959963984540054  # 95 % of a normal distribution lie within so many standard deviations


def wilson(right: int, n: int) -> tuple[float, float]:
    """The interval in which the share behind `right` of `n` lies, by Wilson's score (95 %).

    It stays between 0 and 1, and means something where n is small or the share is 0 or 1; of
    nothing it is (0, 1). Raises ValueError for counts that cannot be.
    """
    if not 0 <= right <= n:
        raise ValueError(f"{right} of {n}")
    if n == 0:
        return 0.0, 1.0
    share, square = right / n, Z_95**2
    middle = share + square / (2 * n)
    half = Z_95 * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    low, high = ((middle + sign * half) / (1 + square / n) for sign in (-1, 1))
    # Exactly, where rounding would leave a hair.
    return (0.0 if right == 0 else low), (1.0 if right == n else high)


def sign_test(only_first: int, only_second: int) -> float:
    """The exact two-sided p of the sign test: how probable a difference that large is by chance.

    `only_first` and `only_second`: pairs in which one alone was right. Pairs in which both were
    right, or both wrong, say nothing about which one is better.
    """
    pairs, fewer = only_first + only_second, min(only_first, only_second)
    tail, ways = 0, 1
    for number in range(fewer + 1):
        tail += ways
        ways = ways * (pairs - number) // (number + 1)
    # Whole numbers are divided exactly, however large they are.
    return min(1.0, float(2 * tail / (1 << pairs)))
