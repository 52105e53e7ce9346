"""The mark of what a process does: whatever a record is called, the next run reads it."""

from __future__ import annotations

import pytest

from common.process.mark import Doing, Mark


@pytest.mark.parametrize(
    "record_ids",
    [
        (),
        ("1",),
        ("1", "2"),
        ('a "b"', "c\\d"),
        ("line\nbreak", "\0"),
        ("größe", "\U0001f600", "\ud83d"),
    ],
    ids=["none", "one", "two", "quoted", "control characters", "other than ASCII"],
)
def test_the_next_run_reads_what_the_process_was_doing(tmp_path, record_ids):
    mark = Mark(tmp_path / "labels.doing")
    mark.set("a validator", ("x" * 5_000,))
    mark.set("save()", record_ids, 2)
    assert Mark(tmp_path / "labels.doing").left() == Doing("save()", record_ids, 3)
    mark.clear()
    assert Mark(tmp_path / "labels.doing").left() is None
