"""Of two long sorted lists: what stands in the one and not in the other, a part at a time."""

from __future__ import annotations

import random

import pytest

from common.source.sorted_ids import missing


def parts(ids: list[str], size: int) -> list[list[str]]:
    return [ids[first : first + size] for first in range(0, len(ids), size)]


@pytest.mark.parametrize("sizes", [(1, 1), (3, 7), (7, 3), (100, 5), (5, 100), (1000, 1000)])
def test_what_is_not_known_is_found_however_both_lists_are_cut(sizes):
    chance = random.Random(7)
    for _ in range(50):
        ids = sorted(str(chance.randrange(300)) for _ in range(chance.randrange(200)))
        known = sorted({str(chance.randrange(300)) for _ in range(chance.randrange(300))})
        found: set[str] = set()
        for some in missing(iter(parts(ids, sizes[0])), iter(parts(known, sizes[1]))):
            found |= some
        assert found == {*ids} - {*known}
