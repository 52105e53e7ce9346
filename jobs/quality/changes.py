"""What changed between two outputs about the same record, field by field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Output = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """One record's two outputs, compared. `changed`: what was and what is, by field."""

    changed: dict[str, tuple[Any, Any]]
    # Fields that only one of them has, since the output model was edited.
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass
class Changes:
    """The changes of all records that could be compared."""

    compared: int = 0
    same: int = 0
    fields: Counter[str] = field(default_factory=Counter)  # how many changed in it
    added: dict[str, None] = field(default_factory=dict)
    removed: dict[str, None] = field(default_factory=dict)


def change(before: Output, now: Output) -> Change:
    """Compare two outputs about a record."""
    return Change(
        {
            name: (before[name], value)
            for name, value in now.items()
            if name in before and before[name] != value
        },
        tuple(name for name in now if name not in before),
        tuple(name for name in before if name not in now),
    )


def total(changes: Iterable[Change]) -> Changes:
    """Count changes. A record is the same where every field is that both outputs have."""
    found = Changes()
    for one in changes:
        found.compared += 1
        found.same += not one.changed
        found.fields.update(one.changed.keys())
        found.added |= dict.fromkeys(one.added)
        found.removed |= dict.fromkeys(one.removed)
    return found


def in_words(changes: Changes) -> str:
    """`7 of 10 the same; label changed in 2, explanation in 3; severity is new`."""
    parts = [f"{changes.same} of {changes.compared} the same"]
    counts = [*changes.fields.items()]
    if counts:
        name, count = counts[0]
        others = [f"{name} in {count}" for name, count in counts[1:]]
        parts.append(", ".join([f"{name} changed in {count}", *others]))
    for names, became in ((changes.added, "new"), (changes.removed, "gone")):
        if names:
            parts.append(f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} {became}")
    return "; ".join(parts)
