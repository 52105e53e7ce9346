"""The billing log: what the real API would have charged for, one line per generation."""

import json
from pathlib import Path
from typing import Any, TextIO


class Bills:
    """Keeps a line per billed generation, in memory and, if `path` is given, in that file."""

    def __init__(self, path: Path | None) -> None:
        self.lines: list[dict[str, Any]] = []
        self._file: TextIO | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8")

    def add(self, line: dict[str, Any]) -> None:
        self.lines.append(line)
        if self._file:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def close(self) -> None:
        if self._file:
            self._file.close()
