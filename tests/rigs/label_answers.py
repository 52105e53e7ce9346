"""Claude's answers made by hand, and the labels that a job asks for in them."""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal

from pydantic import BaseModel


class Colour(Enum):
    RED = "red"
    DARK_BLUE = "Dark Blue"


class Part(BaseModel):
    size: Literal["Small", "LARGE"]
    colours: list[Colour] = []


class Verdict(BaseModel):
    """What the job asks for about each record."""

    label: Literal["billing", "Other"]
    note: str = ""
    colour: Colour | None = None
    part: Part | None = None
    level: Literal[1, 2, "high"] = 1


def message(text: str, stop: str | None = "end_turn", **more: Any) -> dict[str, Any]:
    """A message as the API answers it: `text` in two blocks, among blocks of other types."""
    content = [
        {"type": "thinking", "thinking": "", "signature": "abc"},
        {"type": "text", "text": text[: len(text) // 2]},
        {"type": "text", "text": text[len(text) // 2 :]},
        {"type": "new_kind", "text": "not part of the answer"},
    ]
    usage = {"input_tokens": 1, "output_tokens": 1}
    return {"type": "message", "content": content, "stop_reason": stop, "usage": usage} | more
