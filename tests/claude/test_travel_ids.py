"""The ids under which records travel: short, exact, and the same for whoever reads the answer."""

from __future__ import annotations

import random

import pytest

from common.claude.travel_ids import ids_by_name, travel_ids

PLAIN = [
    *("1", "007", "a", "A", "4f9c2b1e-7c1d-4a55-9d0a-6f2b8a1c3d4e", "17@2026-11-21 10:00:00"),
    *("https://shop.example/o/1", "me@example.com", "x" * 40),
]
ODD = [
    *("x" * 41, "e" * 450, " 1", "1 ", "\n1", "a\0b", "e\u0301", "\u00e9", "名前", "😀", "\u200b"),
    *('"', "<1>", "a&b", "\ufeff1", "1\u202e", "-", "{}", " "),
]


@pytest.mark.parametrize("record_id", PLAIN)
def test_an_ordinary_id_travels_as_it_is(record_id):
    assert travel_ids([record_id]) == [record_id]


@pytest.mark.parametrize("record_id", ODD, ids=repr)
def test_a_long_or_an_odd_id_travels_as_an_alias(record_id):
    assert travel_ids(["1", record_id]) == ["1", "r2"]


def test_an_alias_is_never_the_id_of_another_record():
    assert travel_ids(["r1", "x" * 99, "r2"]) == ["r1", "rr2", "r2"]
    assert travel_ids(["x" * 99, "rr1", "r1"]) == ["rrr1", "rr1", "r1"]


def test_every_name_leads_back_to_its_own_record_whatever_the_ids_are():
    numbers = random.Random(1)
    for _ in range(2_000):
        ids = [*{numbers.choice([*PLAIN, *ODD, "r1", "r2", "rr1"]) for _ in range(9)}]
        names = travel_ids(ids)
        assert len(set(names)) == len(ids)
        assert all(len(name) <= 40 for name in names)
        back = ids_by_name(ids)
        assert [back[name] for name in names] == ids
        assert [back[record_id] for record_id in ids] == ids, "as before there were aliases"
