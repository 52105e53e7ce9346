"""What a job's ledger must know of: where there is none, or not that one, it is lost."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from common.process import exits
from common.process.files import check_ours

_NEWEST = 4 << 20  # bytes of history.tsv: 40,000 lines or so
# A run that ended so had a ledger. One that failed may never have come so far.
_CODES = {str(code) for code in (exits.DONE, exits.RECORDS_FAILED, exits.COST_CAP)}


@dataclass(frozen=True)
class Told:
    """A run that must stand in the ledger of its job; `words` say who tells of it."""

    job: str
    run_id: str
    words: str


def told_in_history(path: Path, job: str) -> Told | None:
    """The newest run that had one, as state/history.tsv tells; None where it knows of none.

    Raises JobExit (73) where something else stands in the file's place.
    """
    check_ours(path)
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _NEWEST))
            lines = file.read(_NEWEST).decode("utf-8", "replace").split("\n")
    except OSError:
        return None
    for line in reversed(lines):
        parts = line.split("\t")
        if len(parts) == 6 and parts[2] == job and parts[3] in _CODES:
            words = f"{path} tells of a run of {job} that ended with {parts[3]} at {parts[0]}"
            return Told(job, parts[1], words)
    return None
