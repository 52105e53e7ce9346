"""Disk space kept beside a ledger, so that answers in flight find a place on a full disk.

The file is locked together with the ledger, so that a ledger that is replaced in the middle of a
run is not taken for a free one. Its first block, which stays, says who has them.
"""

from __future__ import annotations

import os
from pathlib import Path

from common import times
from common.process.files import open_ours
from common.process.lock import hold_byte

LEAST = 1 << 20  # bytes
_SIGNATURE = 4096  # bytes at its beginning
_STEP = 1 << 18  # bytes that are taken or given back at once, at least


def path_of(ledger: Path) -> Path:
    """Where the ballast of a ledger stands."""
    return ledger.with_name(f"{ledger.name.removesuffix('.db')}.ballast")


class Ballast:
    """The open file."""

    def __init__(self, ledger: Path) -> None:
        """Open it, or make it empty. Raises JobExit (73)."""
        self._path = path_of(ledger)
        self._descriptor = open_ours(self._path, os.O_RDWR | os.O_CREAT)
        self._held = False

    def hold(self) -> bool:
        """Lock it until it is closed; False where another run has it."""
        self._held = hold_byte(self._descriptor)
        return self._held

    @property
    def bytes(self) -> int:
        """How much it holds now."""
        return os.fstat(self._descriptor).st_size

    def keep(self, needed: int) -> None:
        """Make it hold so many bytes at least. Raises OSError where the disk has not got them."""
        if self.bytes < needed:
            steps = -(-needed // _STEP)
            os.posix_fallocate(self._descriptor, 0, steps * _STEP)

    def release(self, needed: int) -> bool:
        """Give back so many bytes, or what is left of it; False where nothing was.

        Not all at once: on a full disk others take what is free.
        """
        left = self.bytes
        if left <= _SIGNATURE:
            return False
        os.ftruncate(self._descriptor, max(_SIGNATURE, left - max(needed, _STEP)))
        return True

    def sign(self) -> None:
        """Write into it who has the ledger now."""
        root = Path(__file__).resolve().parents[3]
        words = f"pid {os.getpid()} in {root} since {times.stamp()}"
        os.pwrite(self._descriptor, words.encode().ljust(_SIGNATURE), 0)

    def signature(self) -> str:
        """Who opened the ledger last, "" where that is not known."""
        words = os.pread(self._descriptor, _SIGNATURE, 0).decode("utf-8", "replace")
        return words.strip(" \0") if words.startswith("pid ") else ""

    def close(self) -> None:
        """Let go of the file; remove one that was never filled: no ledger stands beside it."""
        if self._held and not self.bytes:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
