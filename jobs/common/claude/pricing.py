"""Tokens to USD, by model, date and prompt size.

The prices stand in prices.json, which its user may edit.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from common.process import exits
from common.process.exits import JobExit

_NUMBERS = "input output cache_write_5m cache_write_1h cache_read message_batch_factor".split()
_DATED = 8  # digits
PRICES = Path(__file__).with_name("prices.json")


@dataclass(frozen=True)
class Tokens:
    """What one answer was billed for, as its usage says: `input` is what no cache entry covers."""

    input: int = 0
    output: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    known: bool = True  # False: the answer does not say, or not in numbers

    @property
    def prompt(self) -> int:
        """The whole prompt, which decides the price band."""
        return self.input + self.cache_write_5m + self.cache_write_1h + self.cache_read


def usd(model: str, tokens: Tokens, day: date, *, message_batch: bool = False) -> float | None:
    """What an answer of that model on that day (UTC) cost; None where no price is known."""
    price = _price(model, day, tokens.prompt) or _price(undated(model), day, tokens.prompt)
    if price is None:
        return None
    millionths: float = (
        tokens.input * price["input"]
        + tokens.output * price["output"]
        + tokens.cache_write_5m * price["cache_write_5m"]
        + tokens.cache_write_1h * price["cache_write_1h"]
        + tokens.cache_read * price["cache_read"]
    )
    return millionths / 1e6 * (price["message_batch_factor"] if message_batch else 1.0)


def undated(model: str) -> str:
    """A model's id without the date that some ids have at the end: claude-haiku-4-5-20251001."""
    head, _, tail = model.rpartition("-")
    return head if len(tail) == _DATED and tail.isdecimal() else model


def _price(model: str, day: date, prompt: int) -> dict[str, Any] | None:
    """The row in force on that day: the smallest band that holds the prompt."""
    for row in _bands(model, day):
        if row["prompt_up_to"] is None or prompt <= row["prompt_up_to"]:
            return row
    return None


@lru_cache(maxsize=64)
def _bands(model: str, day: date) -> list[dict[str, Any]]:
    """A model's rows in force on a day, the smallest prompts first."""
    rows = [row for row in _rows() if row["model"] == model and row["from"] <= day.isoformat()]
    latest = max((row["from"] for row in rows), default="")
    bands = [row for row in rows if row["from"] == latest]
    return sorted(bands, key=lambda row: row["prompt_up_to"] or float("inf"))


@lru_cache(maxsize=1)
def _rows() -> list[dict[str, Any]]:
    """The table, checked. Raises JobExit (78) where its user has broken it."""
    try:
        rows: list[dict[str, Any]] = json.loads(PRICES.read_text(encoding="utf-8"))["prices"]
        for row in rows:
            row["model"], date.fromisoformat(row["from"])
            for number in [row["prompt_up_to"] or 0, *(row[name] for name in _NUMBERS)]:
                if not (isinstance(number, int | float) and 0 <= number < math.inf):
                    raise ValueError(f"{row['model']}: {number!r}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JobExit(exits.SETTINGS, f"{PRICES} cannot be used: {error!r}: mend it") from error
    return rows
