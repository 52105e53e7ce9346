"""One evaluation: what was expected, and what the answers of one model or two are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.context import Context
from quality.labels import Labels
from quality.scores import Scores
from quality.side_by_side import SideBySide


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The answers of one version."""

    version: str
    model: str
    scores: Scores
    answers: Mapping[str, dict[str, Any] | None]  # of the records that the SELECT gives
    usd: float | None  # what these answers cost, whenever; None: there is no price
    paid: float  # by this run
    requests: int  # of this run

    @property
    def usd_per_1000(self) -> float | None:
        """USD per 1,000 records."""
        if self.usd is None or not self.answers:
            return None
        return 1000 * self.usd / len(self.answers)


@dataclass(kw_only=True)
class Evaluation:
    """All of it. `models` has one entry or two; `page` is the file that holds it."""

    context: Context
    labels: Labels
    models: list[Evaluated]
    missing: list[str]  # ids with a label that the SELECT does not give
    seconds: float
    texts: Mapping[str, str]  # the beginning of those that are wrong, by record id
    side_by_side: SideBySide | None = None
    page: Path | None = None  # None where it could not be written
