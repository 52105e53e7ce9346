"""Log lines on stderr, one per event.

    2026-11-22T02:00:01Z INFO  [20261122T020001Z-4711] chunk 3/10: …

The wrapper appends stderr to logs/JOB.log. Times are UTC. A message always becomes one line,
without control characters and without a secret.
"""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import time
from collections.abc import Callable
from typing import BinaryIO, TextIO

from common.process.redaction import redacted

log = logging.getLogger("job")

# Halves of surrogate pairs too: no file and no database takes them.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")


class _Line(logging.Formatter):
    """Formats a message as one line. Only a bug adds more lines: those of its traceback."""

    def __init__(self, run_id: str, mark: str) -> None:
        super().__init__()
        self._run_id = run_id
        self._mark = mark

    def format(self, record: logging.LogRecord) -> str:
        message = redacted(one_line(record.getMessage()))
        time_and_level = f"{self.formatTime(record)} {record.levelname:<5}"
        line = f"{time_and_level} [{self._run_id}] {self._mark}{message}"
        if record.exc_info:
            traceback = self.formatException(record.exc_info).split("\n")
            line += "\n" + redacted("\n".join(map(one_line, traceback)))
        return line

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to stderr, and calls `before` first, which clears the progress line."""

    def __init__(self, before: Callable[[], None]) -> None:
        super().__init__(sys.stderr)
        self._before = before

    def emit(self, record: logging.LogRecord) -> None:
        self._before()
        super().emit(record)


class StrayPrints(io.StringIO):
    """Stands in for stdout while a job runs: what it prints goes to stderr, without secrets."""

    def write(self, text: str) -> int:
        sys.stderr.write(redacted(text))
        return len(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def fileno(self) -> int:
        return sys.stderr.fileno()

    @property
    def buffer(self) -> BinaryIO:
        """For what writes bytes to stdout."""
        return sys.stderr.buffer


def configure(run_id: str, *, demo: bool, before: Callable[[], None] = lambda: None) -> None:
    """Send the log of this process to stderr, and call `before` ahead of each line.

    With `demo`, every message begins with `demo: `.
    """
    handler = _Handler(before)
    handler.setFormatter(_Line(run_id, "demo: " if demo else ""))
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    logging.addLevelName(logging.WARNING, "WARN")
    log.propagate = False
    # The SDK's own loggers print whole prompts at DEBUG, which ANTHROPIC_LOG=debug would turn on.
    os.environ.pop("ANTHROPIC_LOG", None)


def one_line(text: str) -> str:
    """`text` with one space for each run of line breaks and control characters."""
    return _CONTROL.sub(" ", text)


def brief(record_id: str) -> str:
    """A record's id as a line of the log names it, be it as long as it likes."""
    return shortened(record_id, 80)


def shortened(text: str, limit: int = 200) -> str:
    """`text` on one line of at most `limit` characters, and without secrets: half of one is one."""
    text = redacted(one_line(text).strip())
    return text if len(text) <= limit else text[: limit - 1] + "…"
