"""Answers that PostgreSQL could not take: a file for each, until it does.

They were paid for. A worker that starts stores what others have left in the same folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from common.claude.pricing import Tokens
from common.process import files
from common.process.log import log
from ops.ledger.work_claims import Answer


class KeptAnswers:
    """A folder of answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, answer: Answer) -> None:
        """Write an answer down. Raises OSError."""
        files.make_folder(self.folder)
        files.write_whole(self._path(answer), json.dumps(asdict(answer)))

    def left(self) -> Iterator[Answer]:
        """All that are there."""
        for path in sorted(self.folder.glob("*.json")):
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
                yield Answer(**{**found, "tokens": Tokens(**found["tokens"])})
            except FileNotFoundError:  # another worker has just stored it
                continue
            except (OSError, ValueError, TypeError, KeyError) as error:
                log.error("%s holds no answer that can be read: %s", path, type(error).__name__)

    def stored(self, answer: Answer) -> None:
        """Forget one that PostgreSQL has now."""
        self._path(answer).unlink(missing_ok=True)

    def _path(self, answer: Answer) -> Path:
        return self.folder / f"{answer.request_id}.{answer.fence}.json"
