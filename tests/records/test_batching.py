"""Chunks: limited by records and by tokens. No record is lost, or read before it is needed."""

from __future__ import annotations

import random
from itertools import count

import pytest

from common import Job
from common.claude.envelope import CHUNK_TOKENS, envelope, estimated_tokens
from common.process.exits import JobExit
from common.records.chunks import packed


def job(**more) -> Job:
    return Job("labels", "select 1", "", object, lambda *_: None, **more)  # type: ignore[arg-type]


JOB = job()


def record(number: int, size: int = 10) -> dict[str, object]:
    return {"record_id": str(number), "content": "x" * size}


def sizes(records, size: int = 50) -> list[int]:
    return [len(chunk) for chunk in packed(weighed(records), size)]


def weighed(records):
    """Each record with its estimated tokens."""
    return ((item, estimated_tokens(envelope(JOB, item))) for item in records)


@pytest.mark.parametrize(
    ("records", "size", "expected"),
    [
        (0, 50, []),
        (1, 50, [1]),
        (50, 50, [50]),
        (51, 50, [50, 1]),
        (100, 50, [50, 50]),
        (3, 1, [1, 1, 1]),
    ],
)
def test_chunks_are_filled_by_count(records, size, expected):
    assert sizes((record(n) for n in range(records)), size) == expected


def test_chunks_are_filled_by_tokens_too():
    third = CHUNK_TOKENS  # characters: a third as many tokens
    assert sizes([record(n, third) for n in range(7)]) == [2, 2, 2, 1]


def test_a_record_over_the_limit_travels_alone():
    large = CHUNK_TOKENS * 4
    assert sizes([record(1), record(2, large), record(3), record(4)]) == [1, 1, 2]
    assert sizes([record(1, large), record(2, large)]) == [1, 1]


def test_no_record_is_lost_doubled_or_moved_and_no_chunk_is_over_the_limit():
    numbers = random.Random(4)
    for _ in range(20):
        records = [record(n, int(numbers.paretovariate(0.6)) % 90_000) for n in range(200)]
        chunks = list(packed(weighed(records), 50))
        assert [item for chunk in chunks for item in chunk] == records
        for chunk in chunks:
            tokens = sum(estimated_tokens(envelope(JOB, item)) for item in chunk)
            assert len(chunk) == 1 or (len(chunk) <= 50 and tokens <= CHUNK_TOKENS)


def test_no_record_is_read_before_its_chunk_is_wanted():
    read = []

    def endless():
        for n in count(1):
            read.append(n)
            yield record(n)

    chunks = packed(weighed(endless()), 5)
    next(chunks)
    assert len(read) == 5
    next(chunks)
    assert len(read) == 10


@pytest.mark.parametrize("text", ["hello world", "名前" * 100, "😀" * 100, "\ud83d", ""])
def test_tokens_are_estimated_on_the_high_side(text):
    assert estimated_tokens(text) > len(text.encode("utf-8", "replace")) / 4


def test_a_column_that_the_select_does_not_give_is_78_by_name():
    for lacking, name in ((job(attributes=("created_at",)), "created_at"), (JOB, "content")):
        with pytest.raises(JobExit) as refused:
            envelope(lacking, {"record_id": "1", **({"content": ""} if name != "content" else {})})
        assert refused.value.code == 78
        assert name in refused.value.message
