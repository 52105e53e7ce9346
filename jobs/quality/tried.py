"""A try with all that it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from common.context import Context
from quality.changes import Change
from quality.forecast import Rest
from quality.sample import Taken
from quality.shares import Share


@dataclass
class Tried:
    """One record of a try, with what it got."""

    record_id: str
    shown: str
    output: dict[str, Any] | None = None
    error: str = ""  # why there is no output
    no_text: bool = False  # nothing was sent about it
    left: bool = False  # the try had to end before it was answered
    share: Share = field(default_factory=Share)
    change: Change | None = None  # None: there is nothing to compare with
    compared_with: str = ""

    @property
    def from_ledger(self) -> bool:
        """Whether its answer was there already."""
        return self.output is not None and not self.no_text and not self.share.paid_now


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A try with all that it shows."""

    context: Context
    taken: Taken
    records: list[Tried]
    rest: Rest | None  # None: it had to end before
    stale: Rest | None  # where nothing else waits: what --stale would ask again
    summary: dict[str, Any]
