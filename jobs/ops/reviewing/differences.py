"""In what the answers of several versions and models about one record differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from common.process.log import shortened
from ops.ledger.other_answers import Asked
from quality.agreement import same
from quality.cell_values import ABSENT
from quality.fields import RUNNER_UP, Field, Kind, shown

_LETTERS = 60  # of a value

Output = Mapping[str, Any]


def compared(fields: Sequence[Field]) -> list[Field]:
    """The fields whose values say whether two answers differ.

    Texts differ each time, so that they count only where there is nothing else. A runner-up is no
    answer.
    """
    firm = (Kind.VALUES, Kind.NUMBER)
    others = [field for field in fields if field.name != RUNNER_UP]
    return [field for field in others if field.kind in firm] or others


def differ(field: Field, one: Output, other: Output) -> bool:
    """Whether two outputs differ in a field that both of them have."""
    if any(field.written_in(output, ABSENT) is ABSENT for output in (one, other)):
        return False
    return not same(field.of(one), field.of(other))


def in_words(fields: Sequence[Field], answers: Sequence[tuple[Asked, Output]]) -> str:
    """In what the first one differs from the others; "" where it does in nothing.

    `label refund by claude-haiku-5-5 version 0123456789ab, delivery by …`; each value once.
    """
    (by, saved), *others = answers
    parts = []
    for field in fields:
        unlike = [one for one in others if differ(field, saved, one[1])]
        told = {_shown(field, saved): by}
        for asked, output in unlike:
            told.setdefault(_shown(field, output), asked)
        if unlike:
            values = (
                f"{value} by {asked.model or 'the job'} version {asked.version or 'unknown'}"
                for value, asked in told.items()
            )
            parts.append(f"{field.name} {', '.join(values)}")
    return "; ".join(parts)


def _shown(field: Field, output: Output) -> str:
    return shortened(shown(field.of(output)), _LETTERS)
