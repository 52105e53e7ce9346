"""Nights of a job whose outputs are drawn by chance: labels, a runner-up, texts, numbers."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace

import bulk_classifier
from quality.looks import Counting, FieldType, Looks, read, types_of
from quality.unusual import RUNS, unusual

LABELS = [*bulk_classifier.LABELS]
SHARES = (0.22, 0.16, 0.13, 0.11, 0.09, 0.08, 0.06, 0.05, 0.04, 0.03, 0.02, 0.01)
LANGUAGES = ("en", "de", "fr", "es")
TYPES = {
    **types_of(bulk_classifier.Labelled),
    "language": FieldType(),
    "is_urgent": FieldType({False: "false", True: "true"}),
    "confidence": FieldType(),
    "products": FieldType(is_list=True),
}


class Nights:
    """What comes back night after night.

    `alike` is how much two records of one night have in common: 0 where nights differ by luck
    alone; with 0.002 a share of 12 % has a standard deviation of 1.5 points from night to night.
    """

    def __init__(self, seed: int, alike: float = 0.0) -> None:
        self._random = Random(seed)
        self._alike = alike
        self.history: list[Looks] = []

    def of(self, outputs: int, shares: tuple[float, ...] = SHARES) -> Looks:
        """One night's outputs."""
        draw = self._random
        labels = self._tonight(shares)
        runners_up = self._tonight((0.7, *(0.3 * share for share in SHARES)))
        languages = self._tonight((0.8, 0.12, 0.05, 0.03))
        urgent = self._tonight((0.9, 0.1))
        counting = Counting(TYPES)
        columns = zip(
            draw.choices(LABELS, labels, k=outputs),
            draw.choices(["", *LABELS], runners_up, k=outputs),
            draw.choices(LANGUAGES, languages, k=outputs),
            draw.choices((False, True), urgent, k=outputs),
            strict=True,
        )
        for number, (label, runner_up, language, is_urgent) in enumerate(columns):
            words = max(1, round(draw.lognormvariate(4.3, 0.5)))
            one = SimpleNamespace(
                label=label,
                runner_up=runner_up,
                explanation="" if draw.random() < 0.01 else f"{number} ".ljust(words, "x"),
                language=language,
                is_urgent=is_urgent,
                confidence=draw.betavariate(8, 2),
                products=[""] * int(draw.expovariate(1.0)),
            )
            counting.add(one)
        reasons = [draw.choice(("refused (x)", "cut off")) for _ in range(outputs // 40)]
        looks = read(counting.as_json(version="v1", reasons=reasons))
        assert looks is not None
        return looks

    def judged(self, night: Looks) -> list[str]:
        """What looks wrong in a night, which belongs to the history from then on."""
        lines = unusual(night, self.history, TYPES, alone=False)
        self.history = [night, *self.history][: RUNS + 6]
        return lines

    def _tonight(self, shares: tuple[float, ...]) -> list[float]:
        if not self._alike:
            return [*shares]
        weight = 1 / self._alike - 1
        return [self._random.gammavariate(share * weight, 1.0) for share in shares]


def moved(share: float, number: int = 9) -> tuple[float, ...]:
    """The shares of labels, with another one for one of them (3 % before)."""
    rest = (1 - share) / (1 - SHARES[number])
    return tuple(share if at == number else one * rest for at, one in enumerate(SHARES))
