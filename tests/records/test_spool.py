"""The spool, which sets records aside on disk."""

from __future__ import annotations

import pytest

from common.records.spool import Spool
from rigs.harness import python


@pytest.mark.parametrize(
    "things", [[], [1], list(range(1_000)), [None, "x", b"\xff", {"a": 1.5}, ("t", None)]]
)
def test_what_goes_in_comes_out_in_order(tmp_path, things):
    spool = Spool(iter(things), tmp_path)
    assert len(spool) == len(things)
    assert list(spool) == things
    spool.close()


def test_much_goes_to_a_file_without_a_name(tmp_path):
    texts = [f"{n:07}" * 1_000 for n in range(2_000)]  # 14 MB
    spool = Spool(iter(texts), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert all(one == other for one, other in zip(spool, texts, strict=True))
    spool.close()


def test_it_is_read_to_the_end_at_once_and_given_back_piece_by_piece(tmp_path):
    left = iter(range(100))
    spool = Spool(left, tmp_path)
    assert next(left, None) is None
    pieces = iter(spool)
    assert [next(pieces), next(pieces)] == [0, 1]
    spool.close()


def test_a_folder_that_is_missing_matters_only_where_a_file_is_needed(tmp_path):
    spool = Spool(["x"], tmp_path / "missing")
    assert list(spool) == ["x"]
    spool.close()


def test_a_full_disk_ends_the_run_with_74(tmp_path):
    done = python(
        """
import resource, signal, sys
from pathlib import Path
from common.process.exits import JobExit
from common.records.spool import Spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (9 << 20, 9 << 20))
try:
    Spool(("x" * 100_000 for _ in range(200)), Path(sys.argv[1]))
except JobExit as end:
    print(end.code, end.message)
""",
        str(tmp_path),
    )
    assert done.stdout.startswith("74 cannot set records aside: "), done.stderr
