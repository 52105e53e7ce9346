"""How much room answers get near a cost cap, by what answers before them needed. No database."""

from __future__ import annotations

import random

import pytest

from common.delivery.near_a_cap.rooms import LEAST_RECORDS, room_for

ENOUGH = [(50, 1_000)] * 8  # twenty tokens a record


def test_nothing_is_learned_from_too_few_answers():
    assert room_for(50, [], []) is None
    assert room_for(50, ENOUGH[:3], []) is None
    assert room_for(50, [(50, 1_000)] * (LEAST_RECORDS // 50), []) is not None


def test_answers_about_many_more_or_fewer_records_say_nothing():
    assert room_for(1, ENOUGH, []) is None and room_for(24, ENOUGH, []) is None
    assert room_for(101, ENOUGH, []) is None
    assert room_for(25, ENOUGH, []) and room_for(100, ENOUGH, [])


def test_a_new_version_of_a_job_believes_older_answers_once_one_of_its_own_needs_no_more():
    assert room_for(50, [], ENOUGH * 9) is None
    alike = room_for(50, [(50, 1_000)], ENOUGH * 9)
    longer = room_for(50, [(50, 3_000)], ENOUGH * 9)
    assert alike and 1_000 < alike < 1_700
    assert longer and longer > 3_000


def test_the_answers_of_this_version_alone_count_where_there_are_enough():
    assert room_for(50, ENOUGH, [(50, 9_000)] * 99) == room_for(50, ENOUGH, [])


@pytest.mark.parametrize("size", [1, 10, 50])
def test_hardly_any_answer_is_cut_off_and_little_room_is_wasted(size):
    dice = random.Random(size)

    def answer() -> tuple[int, int]:
        return size, sum(round(dice.lognormvariate(3.4, 0.4)) for _ in range(size))

    for before in (LEAST_RECORDS // size, 2_000):
        room = room_for(size, [answer() for _ in range(before)], [])
        assert room is not None
        others = [answer()[1] for _ in range(4_000)]
        assert sum(tokens > room for tokens in others) <= len(others) / 100
        if size == 50:
            assert room < 1.5 * sum(others) / len(others)
