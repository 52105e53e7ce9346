"""The marks that git leaves in a file where two versions of it conflict."""

from __future__ import annotations

from pathlib import Path

_MARKS = (b"<<<<<<< ", b">>>>>>> ")  # "=======" may be a heading, and stands between these two


def conflict_in(path: Path) -> str:
    """What is to be done about a file with such marks, with the line of the first one.

    Returns "" for a file without any, or one that cannot be read.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return ""
    for number, line in enumerate(lines, start=1):
        if line.startswith(_MARKS):
            mark = line[:7].decode()
            return f"has a conflict that nobody has resolved (line {number}: {mark}): edit it there"
    return ""
