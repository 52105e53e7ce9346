"""Records set aside on disk while their requests are under way.

A SELECT that stayed open for as long as Claude takes would keep a lock on the user's database all
night. So it is read to its end at once, into a file that has no name and vanishes with the process.
"""

from __future__ import annotations

import pickle
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Generic, Self, TypeVar

from common.process import exits
from common.process.exits import JobExit

_IN_MEMORY = 8 << 20  # bytes kept in memory before a file is used

T = TypeVar("T")


class Spool(Generic[T]):
    """Things written once and then read in order, in little memory however many they are."""

    def __init__(self, things: Iterable[T], folder: Path) -> None:
        """Read all of `things`.

        The file, if one is needed, is made in `folder`, where there is one.
        """
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - it lives on
            _IN_MEMORY, dir=str(folder) if folder.is_dir() else None
        )
        self._places = array("Q")  # where each of them begins in the file
        try:
            for thing in things:
                self.add(thing)
        except BaseException:
            self.close()
            raise

    def add(self, thing: T) -> None:
        """Write one more, before reading begins. Raises JobExit (74) where the disk is full."""
        try:
            place = self._file.tell()
            pickle.dump(thing, self._file, pickle.HIGHEST_PROTOCOL)
        except OSError as error:
            raise JobExit(
                exits.CANNOT_WRITE, f"cannot set records aside: {error.strerror}"
            ) from error
        self._places.append(place)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[T]:
        self._file.seek(0)
        for _ in range(len(self)):
            yield pickle.load(self._file)  # noqa: S301 - written by this very process

    def backwards(self) -> Iterator[T]:
        """The last one first."""
        return self.at(reversed(range(len(self))))

    def at(self, numbers: Iterable[int]) -> Iterator[T]:
        """Those with these numbers, counted from 0, in this order."""
        for number in numbers:
            self._file.seek(self._places[number])
            yield pickle.load(self._file)  # noqa: S301 - written by this very process

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
