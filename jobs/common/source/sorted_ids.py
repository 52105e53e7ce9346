"""What stands in one sorted list and not in another, when both are too long for memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator


def missing(ids: Iterator[list[str]], known: Iterator[list[str]]) -> Iterator[set[str]]:
    """Of sorted ids those that are not known, for each list of `ids` a set or some.

    Both come in lists, in the order of their letters' numbers.
    """
    page: list[str] = []
    there: set[str] = set()
    ended = False
    for given in ids:
        block = given
        while block:
            while not ended and not (page and block[0] <= page[-1]):
                page = next(known, [])
                ended, there = not page, set(page)
            cut = len(block) if ended else bisect_right(block, page[-1])
            yield set(block[:cut]) - there
            block = block[cut:]
