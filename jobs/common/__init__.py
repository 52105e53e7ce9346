"""What a job imports: the definition of a job, the types of what its functions get, and the function that runs it.

Each is fetched when it is first asked for: `status` and its like live in this package too, and need neither pydantic
nor the runner.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from common.job import Job, Origin
    from common.runner.run import run
    from common.source.sqlite_source import Record
else:
    # Hidden from mypy, which would take any misspelt name for one that this function knows.
    def __getattr__(name: str) -> Any:
        if name not in _ROOM_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_ROOM_OF[name]), name)


_ROOM_OF = {
    "Job": "common.job",
    "Origin": "common.job",
    "Record": "common.source.sqlite_source",
    "run": "common.runner.run",
}

__all__ = ["Job", "Origin", "Record", "run"]
