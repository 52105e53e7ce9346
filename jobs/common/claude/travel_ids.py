"""The ids under which records travel to Claude and come back: short, and written exactly.

An id is paid for in the request, and again in each place of an answer that names its record; a UUID
costs more than a label does. And a model does not repeat an odd one faithfully: it trims blanks,
composes accents, drops what cannot be seen. So such ids stay here, and the alias of a record's
place in its request travels: r1, r2, … It is made of the request's ids and their order alone, as
they stand in the ledger: whoever reads the answer later makes the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LONGEST = 8  # characters of an id that travels as it is
_PLAIN = re.compile(r"[A-Za-z0-9](?:(?: ?[A-Za-z0-9_.:@/+-])*[A-Za-z0-9])?").fullmatch


def travel_ids(record_ids: Sequence[str]) -> list[str]:
    """For each record of a request, in order, the id that stands in it: its own, or an alias.

    No alias is the id of any record of the request, not even of one that travels under an alias.
    """
    ids = {*record_ids}
    prefix = "r"
    while any(f"{prefix}{number}" in ids for number in range(1, len(record_ids) + 1)):
        prefix += "r"
    return [
        one if len(one) <= _LONGEST and _PLAIN(one) else f"{prefix}{number}"
        for number, one in enumerate(record_ids, 1)
    ]


def ids_by_name(record_ids: Sequence[str]) -> dict[str, str]:
    """The ids of a request's records, by all names that its answer can have for them.

    A record's own id is always one of them: longer ids travelled as they are before.
    """
    own = {one: one for one in record_ids}
    return own | dict(zip(travel_ids(record_ids), record_ids, strict=True))
