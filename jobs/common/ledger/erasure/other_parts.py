"""What stays of an answer when some of its records are erased: what it says about the others.

The ids of a request's records stay in their places, by which its answer names them: see
travel_ids.py.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from common.claude.message import lenient, stored_message
from common.claude.travel_ids import ids_by_name
from common.ledger.corrections import FILLED_IN

# The reason of a dead letter that a person had erased: nothing asks about it again.
ERASED = "erased"

# What of a message is no text that a record or a model wrote.
_FIGURES = ("id", "type", "role", "model", "stop_reason", "stop_sequence", "usage")


def without(answer: bytes, record_ids: Sequence[str], erased: Collection[str]) -> str:
    """An answer without what it says about the erased ones of its request's records, as JSON.

    Results of one record each go. Findings lose the record's id, and go where it was the only one.
    What a model thought goes, and so does all text where it is no JSON: nobody can use it.
    """
    message = stored_message(answer)
    kept: dict[str, Any] = {name: message[name] for name in _FIGURES if name in message}
    data = _data(message)
    kept["type"] = "message"
    kept.setdefault("stop_reason", None)
    others = "" if data is None else json.dumps(_others(data, record_ids, erased))
    kept["content"] = [{"type": "text", "text": others}] if others else []
    if isinstance(filled_in := message.get(FILLED_IN), dict):
        kept[FILLED_IN] = {one: value for one, value in filled_in.items() if one not in erased}
    return json.dumps(kept)


def shared_findings(answer: bytes, record_ids: Sequence[str], erased: Collection[str]) -> int:
    """How many findings of an answer are about an erased record and others: these stay."""
    names = ids_by_name(record_ids)
    return sum(
        any(_owner(name, names) in erased for name in finding["records"])
        and any(_owner(name, names) not in (None, *erased) for name in finding["records"])
        for findings in _sections(_data(stored_message(answer))).values()
        for finding in findings
        if _is_finding(finding)
    )


def _data(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """The object that an answer's text holds, also between the marks of a code block."""
    blocks = message.get("content", [])
    text = "".join(block["text"] for block in blocks if block.get("type") == "text")
    try:
        found = lenient(text[text.find("{") : text.rfind("}") + 1])
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _others(
    data: Mapping[str, Any], record_ids: Sequence[str], erased: Collection[str]
) -> dict[str, Any]:
    names = ids_by_name(record_ids)
    if isinstance(results := data.get("results"), list):
        # A name that nobody was asked about may be a misspelt one of the erased record.
        stay = [
            entry
            for entry in results
            if isinstance(entry, dict) and _owner(entry.get("id"), names) not in (None, *erased)
        ]
        return {"results": stay}
    kept = dict(data)
    for section, findings in _sections(data).items():
        stay = []
        for finding in findings:
            if _is_finding(finding):
                ids = finding["records"]
                left = [one for one in ids if _owner(one, names) not in erased]
                if len(left) < len(ids) and not any(_owner(one, names) for one in left):
                    continue
                stay.append(finding | {"records": left})
            else:
                stay.append(finding)
        kept[section] = stay
    return kept


def _sections(data: Mapping[str, Any] | None) -> dict[str, list[Any]]:
    return {name: value for name, value in (data or {}).items() if isinstance(value, list)}


def _is_finding(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("records"), list)


def _owner(name: object, names: Mapping[str, str]) -> str | None:
    """The record that a name in an answer stands for; a number may stand for an id of digits."""
    text = str(name)
    return names.get(text) or names.get(text.strip())
