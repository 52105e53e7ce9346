"""The billing log: what the real API would have charged for, one line per generation."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, TextIO

TOKENS = ("input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens")


class Bills:
    """Keeps a line per billed generation, in memory and, if `path` is given, in that file."""

    def __init__(self, path: Path | None) -> None:
        self.lines: list[dict[str, Any]] = []
        self.totals: Counter[str] = Counter()  # of the lines' tokens
        self._file: TextIO | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8")

    def add(self, line: dict[str, Any]) -> None:
        self.lines.append(line)
        for name in TOKENS:
            self.totals[name] += line[name]
        if self._file:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def close(self) -> None:
        if self._file:
            self._file.close()
