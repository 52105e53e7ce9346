"""The ids under which records travel: short, exact, and the same for whoever reads the answer."""

from __future__ import annotations

import random

import pytest

from common.claude.travel_ids import ids_by_name, travel_ids

PLAIN = [*("1", "007", "a", "A", "12345678", "A-12/b", "a@b.de", "17 bc", "x" * 8)]
# What travelled as it is before ids were short.
LONGER = [
    *("4f9c2b1e-7c1d-4a55-9d0a-6f2b8a1c3d4e", "17@2026-11-21 10:00:00", "123456789"),
    *("https://shop.example/o/1", "me@example.com", "x" * 40, "r12345678"),
]
ODD = [
    *("x" * 41, "e" * 450, " 1", "1 ", "\n1", "a\0b", "e\u0301", "\u00e9", "名前", "😀", "\u200b"),
    *('"', "<1>", "a&b", "\ufeff1", "1\u202e", "-", "{}", " "),
]


@pytest.mark.parametrize("record_id", PLAIN)
def test_a_short_plain_id_travels_as_it_is(record_id):
    assert travel_ids([record_id]) == [record_id]


@pytest.mark.parametrize("record_id", [*LONGER, *ODD], ids=repr)
def test_a_long_or_an_odd_id_travels_as_an_alias(record_id):
    assert travel_ids(["1", record_id]) == ["1", "r2"]


def test_an_alias_is_never_the_id_of_another_record():
    assert travel_ids(["r1", "x" * 99, "r2"]) == ["r1", "rr2", "r2"]
    assert travel_ids(["x" * 99, "rr1", "r1"]) == ["rrr1", "rr1", "r1"]


def test_an_alias_is_not_even_the_id_of_a_record_that_travels_under_one_itself():
    # An answer of the version before may name such a record by its own id.
    chain = [f"{'r' * n}1" for n in range(1, 9)]
    names = travel_ids(["x" * 99, *chain])
    assert names == ["rrrrrrrrr1", *chain[:7], "rrrrrrrrr9"]
    assert ids_by_name(["x" * 99, *chain])[chain[-1]] == chain[-1]


def test_every_name_leads_back_to_its_own_record_whatever_the_ids_are():
    numbers = random.Random(1)
    some = [*PLAIN, *LONGER, *ODD, "r1", "r2", "rr1"]
    for _ in range(2_000):
        ids = [*{numbers.choice(some) for _ in range(9)}]
        names = travel_ids(ids)
        assert len(set(names)) == len(ids)
        assert all(len(name) <= 8 for name in names)
        back = ids_by_name(ids)
        assert [back[name] for name in names] == ids
        assert [back[record_id] for record_id in ids] == ids, "as before there were aliases"
        assert [back[name] for name in _names_of_the_version_before(ids)] == ids


def _names_of_the_version_before(ids):
    """The names under which records travelled when ids of 40 characters were short enough."""
    plain = [one for one in ids if one in (*PLAIN, *LONGER, "r1", "r2", "rr1")]
    prefix = "r"
    while any(f"{prefix}{number}" in plain for number in range(1, len(ids) + 1)):
        prefix += "r"
    return [one if one in plain else f"{prefix}{number}" for number, one in enumerate(ids, 1)]
