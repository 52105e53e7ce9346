"""What is imported for good is out of the garbage collector's sight."""

from __future__ import annotations

import gc

import pytest

from rigs.harness import python


def test_the_collector_looks_through_nothing_that_is_imported_for_good():
    code = """
import gc
from common.process.imports import for_good
before = gc.get_freeze_count()
with for_good():
    assert not gc.isenabled()
    import asyncio, email.message, http.client
assert gc.isenabled()
print(gc.get_freeze_count() - before > 10_000, len(gc.get_objects()) < 100)
gc.disable()
with for_good():
    pass
print(gc.isenabled())
"""
    assert gc.isenabled()
    assert python(code).stdout.split() == ["True", "True", "False"]


@pytest.mark.parametrize("mode", ["w", "w+", "wb", "w+b", "r+b"])
def test_a_file_that_went_out_of_its_sight_is_written_in_the_end(tmp_path, mode):
    file = tmp_path / "kept"
    file.touch()
    code = f"""
from common.process.imports import for_good, write_out_in_the_end
kept = [open({str(file)!r}, {mode!r})]
kept[0].write({"b" if "b" in mode else ""}"saved")
kept.append(kept)
with for_good():
    import decimal
write_out_in_the_end()
del kept
"""
    python(code)
    assert file.read_text() == "saved"
