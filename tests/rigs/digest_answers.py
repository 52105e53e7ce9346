"""Digests and merges that a test makes up, to take the place of the stand-in's own."""

from __future__ import annotations

from typing import Any


def finding(title: str, *records: object, detail: str = "It is so.") -> dict[str, Any]:
    """One theme, anomaly or action item of a digest."""
    return {"title": title, "detail": detail, "records": [str(record) for record in records]}


def own_answers(themes: list[dict[str, Any]], merge: dict[str, Any] | None = None):
    """For `relayed`: every digest has these themes, and every merge is `merge`.

    Without `merge`, a merge has a summary and unites nothing.
    """
    nothing: dict[str, Any] = {"anomalies": [], "action_items": []}

    def answer(request: dict[str, Any], _answer: Any) -> Any:
        if "<findings" in request["messages"][0]["content"]:
            return {"summary": "All quiet.", "themes": [], **nothing, **(merge or {})}
        return {"themes": themes, **nothing}

    return answer
