"""What a model takes, by the Models API, and what is assumed where nobody says it.

A gateway may know nothing of models, or say of them what another API says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from common import times

_MOST_TOKENS = 32_000  # of an answer, where nobody says: every model in service takes as many
_SOON = timedelta(days=30)


@dataclass(frozen=True)
class Model:
    """What is known of a model."""

    id: str
    # The cheapest setting, or None where the field is to be left out.
    thinking: dict[str, str] | None = None
    low_effort: bool = False
    thinks: bool = True  # nothing turns its thinking off, or nothing is known to
    max_tokens: int = _MOST_TOKENS
    retires_at: str = ""  # "" where no date is set
    structured_outputs: bool = True
    message_batches: bool = True
    described: bool = False  # somebody has said what it takes


def model_of(said: dict[str, Any], asked: str) -> Model:
    """What a reply of the Models API about the model `asked` says, in whatever shape it is."""
    name = said.get("id")
    name = name if isinstance(name, str) and name else asked
    retires_at = said.get("retires_at")
    retires_at = retires_at if isinstance(retires_at, str) else ""
    if not isinstance(said.get("capabilities"), dict):
        return Model(name, retires_at=retires_at)

    def takes(*path: str, unsaid: bool = False) -> bool:
        found: Any = said["capabilities"]
        for step in (*path, "supported"):
            found = found.get(step) if isinstance(found, dict) else None
        return unsaid if found is None else bool(found)

    off = next(
        (kind for kind in ("disabled", "between_tools") if takes("thinking", "types", kind)), None
    )
    most = said.get("max_tokens")
    return Model(
        name,
        thinking={"type": off} if off else None,
        low_effort=takes("effort", "low"),
        thinks=takes("thinking", "types", "adaptive") and off is None,
        max_tokens=most if type(most) is int and most > 0 else _MOST_TOKENS,
        retires_at=retires_at,
        structured_outputs=takes("structured_outputs", unsaid=True),
        message_batches=takes("batch", unsaid=True),
        described=True,
    )


def retires_soon(retires_at: str, now: datetime) -> str:
    """The day on which a model is retired, where that is near or past; "" where it is not."""
    try:
        return retires_at[:10] if times.instant(retires_at) - now <= _SOON else ""
    except ValueError:  # no date
        return ""


def knows_no_models(error: Exception) -> bool:
    """Whether an error of the SDK says that the address has no Models API: a gateway's may not."""
    status = getattr(error, "status_code", None)
    if status != 404:
        return status in (405, 501)
    body = getattr(error, "body", None)
    claude_says_it = isinstance(body, dict) and body.get("type") == "error"
    return not (claude_says_it and getattr(error, "type", None) == "not_found_error")
