"""The ids under which records travel to Claude and come back: short, and written exactly.

An id of many characters would be paid for again in every answer, and a model does not repeat an odd
one faithfully: it trims blanks, composes accents, drops what cannot be seen. Such an id stays here,
and an alias travels in its place. The aliases are made of the request's ids and their order alone:
whoever reads the answer later makes the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LONGEST = 40  # characters of an id that travels as it is
_PLAIN = re.compile(r"[A-Za-z0-9](?:(?: ?[A-Za-z0-9_.:@/+-])*[A-Za-z0-9])?").fullmatch


def travel_ids(record_ids: Sequence[str]) -> list[str]:
    """For each record of a request, in order, the id that stands in it: its own, or an alias."""
    own = {one for one in record_ids if len(one) <= _LONGEST and _PLAIN(one)}
    prefix = "r"
    while any(f"{prefix}{number}" in own for number in range(1, len(record_ids) + 1)):
        prefix += "r"
    return [one if one in own else f"{prefix}{number}" for number, one in enumerate(record_ids, 1)]


def ids_by_name(record_ids: Sequence[str]) -> dict[str, str]:
    """The ids of a request's records, by all names that its answer can have for them.

    Requests made before there were aliases travelled under the ids themselves.
    """
    return {one: one for one in record_ids} | dict(
        zip(travel_ids(record_ids), record_ids, strict=True)
    )
