"""A mark of what the process is doing for which record, which outlives a process that dies of it.

The mark is written to a small file and not synced: what kills a process does not take back what it
wrote. A power cut does, and blames nobody.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.process import exits
from common.process.exits import JobExit

_MOST = 1 << 20  # bytes read of a mark
_text = json.encoder.encode_basestring_ascii


@dataclass(frozen=True)
class Doing:
    """What a process that died was doing: a function of the job's, and the records it was for."""

    function: str
    record_ids: tuple[str, ...]
    deaths: int = 1  # in a row, at it


class Mark:
    """The mark of one job's runs, whose lock the caller holds. Without a path it marks nothing."""

    def __init__(self, path: Path | None) -> None:
        """Raises JobExit (73) where the file cannot be made."""
        self._path = path
        self._file: int | None = None
        if path is None:
            return
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JobExit(exits.CANNOT_CREATE, f"cannot write {path}: {error.strerror}") from error

    def left(self) -> Doing | None:
        """What the process before was doing when it died, if it died of anything of the kind."""
        if self._file is None:
            return None
        try:
            line = os.pread(self._file, _MOST, 0).partition(b"\n")[0]
            deaths, function, *record_ids = json.loads(line)
            return Doing(str(function), tuple(map(str, record_ids)), int(deaths) + 1)
        except (OSError, ValueError, TypeError):
            return None

    def set(self, function: str, record_ids: Sequence[str], deaths: int = 0) -> None:
        """The process is in `function` for these records now; it died in it `deaths` times."""
        # JSON, made by hand since a run does it several times for each record.
        ids = "".join([f", {_text(one)}" for one in record_ids])
        self._write(f"[{deaths}, {_text(function)}{ids}]\n".encode("ascii"))

    def clear(self) -> None:
        """The process is out of it."""
        self._write(b"\n")

    def _write(self, line: bytes) -> None:
        if self._file is not None:
            try:
                os.pwrite(self._file, line, 0)
            except OSError:
                return  # a full disk: the answers matter, and the mark does not

    def close(self) -> None:
        """Remove the file: the run ends in order."""
        if self._file is not None and self._path is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None
