"""Answers whose ledger was gone when they came, kept in a file of this machine until it is back.

They are paid for. The next run puts them into the ledger before it does anything else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from common.claude.pricing import Tokens
from common.process import exits
from common.process.exits import JobExit
from common.process.files import check_ours, write_whole
from common.process.log import log
from common.process.words import counted


class Answer(NamedTuple):
    """An answer as it came, what it cost, and what attempts of unknown outcome can have cost."""

    request_id: str
    record_ids: Sequence[str]
    text: str
    api_request_id: str = ""
    tokens: Tokens = Tokens()
    usd: float | None = 0.0
    unsettled_usd: float = 0.0

    def columns(self) -> tuple[str | float | None, ...]:
        """What `requests` gets of it, from the column `answer` on."""
        tokens = self.tokens
        written = tokens.cache_write_5m + tokens.cache_write_1h
        counts = (tokens.input, tokens.output, written, tokens.cache_read)
        return (self.text, self.api_request_id, *counts, self.usd, self.unsettled_usd)


def set_aside(path: Path, answers: Iterable[Answer]) -> None:
    """Add answers to the file (0600), on disk when this returns. Raises OSError, JobExit (73)."""
    lines = [
        json.dumps(answer._asdict() | {"tokens": asdict(answer.tokens)}) + "\n"
        for answer in answers
    ]
    check_ours(path)
    before = path.read_text(encoding="ascii") if path.exists() else ""
    write_whole(path, before + "".join(lines))
    kept = counted(len(lines), "answer")
    log.warning("%s kept in %s: the next run puts them into the ledger", kept, path)


def left_aside(path: Path) -> list[Answer]:
    """The answers in the file, none where there is no file. Raises JobExit (73, 78)."""
    check_ours(path)
    try:
        found = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
        return [Answer(**{**one, "tokens": Tokens(**one["tokens"])}) for one in found]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        holds = f"{path}, which holds answers that were paid for, cannot be read"
        remedy = "mend it, or move it away"
        raise JobExit(exits.SETTINGS, f"{holds} ({type(error).__name__}): {remedy}") from error
