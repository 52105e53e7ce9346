"""Records set aside on disk while their requests are under way.

A SELECT that stayed open for as long as Claude takes would keep a lock on the user's database all night. So it is read
to its end at once, into a file that has no name and vanishes with the process.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Generic, TypeVar

_IN_MEMORY = 8 << 20  # bytes kept in memory before a file is used

T = TypeVar("T")


class Spool(Generic[T]):
    """Things written once and then read in order, in little memory however many they are."""

    def __init__(self, things: Iterable[T], folder: Path) -> None:
        """Read all of `things`. The file, if one is needed, is made in `folder`."""
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - it lives on
            _IN_MEMORY, dir=str(folder)
        )
        self._count = 0
        for thing in things:
            pickle.dump(thing, self._file, pickle.HIGHEST_PROTOCOL)
            self._count += 1
        self._file.seek(0)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[T]:
        for _ in range(self._count):
            yield pickle.load(self._file)  # noqa: S301 - written by this very process
        self._file.close()
