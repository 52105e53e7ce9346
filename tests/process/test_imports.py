"""What is imported for good is out of the garbage collector's sight."""

from __future__ import annotations

import gc

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
