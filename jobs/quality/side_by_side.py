"""Two versions on the same records, paired: how often they differ, and which one was right then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from quality.fields import Field
from quality.proportions import sign_test
from quality.scores import Answers, Expected, headline_of, is_right, same


@dataclass(frozen=True)
class Differing:
    """A record that two versions answer differently, in the fields that the accuracy is about."""

    record_id: str
    expected: dict[str, Any]
    first: dict[str, Any]
    second: dict[str, Any]
    right: str  # first, second or neither


@dataclass(frozen=True)
class SideBySide:
    """The records that both have answered, by who was right."""

    both: int
    only_first: int
    only_second: int
    neither: int
    differing: tuple[Differing, ...]
    unpaired: int  # records that one of them has no answer about

    @property
    def n(self) -> int:
        """The records that both have answered."""
        return self.both + self.only_first + self.only_second + self.neither

    @cached_property
    def p(self) -> float:
        """How probable it is by chance alone that one is so much more often right: sign test."""
        return sign_test(self.only_first, self.only_second)


def side_by_side(
    fields: Sequence[Field], expected: Expected, first: Answers, second: Answers
) -> SideBySide:
    """Two sets of answers, compared in the fields that the accuracy is about."""
    headline = headline_of(fields)
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    differing, unpaired = [], 0
    for record_id, values in expected.items():
        labelled = [one for one in headline if one.name in values]
        if not labelled or record_id not in first:
            continue
        answer, other = first[record_id], second[record_id]
        if answer is None or other is None:
            unpaired += 1
            continue
        right = is_right(labelled, values, answer), is_right(labelled, values, other)
        counts[right] += 1
        if not all(same(one, one.of(answer), one.of(other)) for one in labelled):
            differing.append(
                Differing(
                    record_id,
                    {one.name: values[one.name] for one in labelled},
                    {one.name: one.of(answer) for one in labelled},
                    {one.name: one.of(other) for one in labelled},
                    "first" if right[0] else "second" if right[1] else "neither",
                )
            )
    return SideBySide(
        both=counts[True, True],
        only_first=counts[True, False],
        only_second=counts[False, True],
        neither=counts[False, False],
        differing=tuple(differing),
        unpaired=unpaired,
    )
