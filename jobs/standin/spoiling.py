"""The faults themselves: refusals in the API's words, and answers with something wrong in them."""

import json
from typing import Any

from standin.problems import Refused
from standin.schema_values import enum_values
from standin.scripted_faults import Fault

FOREIGN_ID = "999999999"
_IDS = ("id", "records", "findings")
WORDS = {
    "400": "messages: the request could not be processed",
    "401": "invalid x-api-key",
    "402": "Your account has a billing problem. Please update your payment method.",
    "403": "Your API key does not have permission to use the specified resource",
    "404": "model: not available to this key",
    "405": "Method Not Allowed",
    "408": "Request timed out",
    "409": "The resource was changed by another request. Please try again.",
    "413": "Request exceeds the maximum size",
    "422": "The request was well formed but could not be processed",
    "429": "This request would exceed your organization's rate limit of 1,000 requests per minute.",
    "500": "Internal server error",
    "501": "Not implemented",
    "502": "Bad gateway",
    "503": "Service unavailable",
    "504": "The request took too long to process",
    "529": "Overloaded",
}
SPEND = (
    "You have reached your API usage limits: your organization has crossed its monthly API usage"
    " threshold, set based on your organization's API tier. You will regain access on 2026-12-01"
    " at 00:00 UTC."
)
CREDIT = (
    "Your credit balance is too low to access the Anthropic API."
    " Please go to Plans & Billing to upgrade or purchase credits."
)


def refusal_of(fault: Fault) -> Refused:
    """The refusal that a fault asks for, in the API's words."""
    kind, options = fault.kind, fault.options
    headers: tuple[tuple[str, str], ...] = ()
    if "retry_after" in options:
        headers = (("retry-after", f"{options['retry_after']:g}"),)
    if kind == "429_spend":
        return Refused(429, SPEND, "enforced_spend_limit_reached", headers)
    if kind == "400_credit":
        return Refused(400, CREDIT, headers=headers)
    status = 500 if kind.startswith("create_500") else int(kind)
    message = str(options.get("message", WORDS[str(status)]))
    return Refused(status, message, options.get("error_code"), headers)


def change(said: dict[str, Any], options: dict[str, Any]) -> None:
    """Write other fields over those of a message or a model, and leave some out, as gateways do."""
    said.update(options.get("fields", {}))
    for name in options.get("without", ()):
        said.pop(name, None)


def spoiled_value(kind: str, answer: Any, schema: dict[str, Any]) -> Any:
    """`answer` with ids left out, doubled or added, enum values in upper case, or half an emoji.

    The fault `kind` says which. It may change `answer` itself.
    """
    if kind == "wrong_case":
        return upper_cased(answer, enum_values(schema))
    if kind == "half_emoji":
        return half_emoji(answer, enum_values(schema))
    results = answer.get("results") if isinstance(answer, dict) else None
    if isinstance(results, list):
        if kind == "missing_id":
            results = results[1:]
        elif kind == "doubled_id":
            results = [*results, *results[:1]]
        elif kind == "foreign_id" and results:
            results = [*results, {**results[0], "id": foreign(results[0]["id"])}]
        return {**answer, "results": results}
    first = sorted({str(name) for ids in id_lists(answer) for name in ids})[:1]
    for ids in id_lists(answer):
        if kind == "missing_id":
            ids[:] = [name for name in ids if [str(name)] != first]
        elif kind == "doubled_id":
            ids.extend(ids[:1])
        elif kind == "foreign_id" and ids:
            ids.append(foreign(ids[0]))
    return answer


def foreign(example: Any) -> Any:
    """An id that is in no request, of the same type as `example`."""
    return int(FOREIGN_ID) if isinstance(example, int) else FOREIGN_ID


def id_lists(answer: Any) -> list[list[Any]]:
    """All lists of record ids or finding keys in a digest or merge."""
    if not isinstance(answer, dict):
        return []
    entries = [e for section in answer.values() if isinstance(section, list) for e in section]
    return [
        entry[name]
        for entry in entries
        if isinstance(entry, dict)
        for name in ("records", "findings")
        if isinstance(entry.get(name), list)
    ]


def upper_cased(value: Any, values: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: upper_cased(child, values) for name, child in value.items()}
    if isinstance(value, list):
        return [upper_cased(child, values) for child in value]
    return value.upper() if isinstance(value, str) and value in values else value


def half_emoji(value: Any, values: set[str]) -> Any:
    """`value` with half of a surrogate pair after every text but ids and what is in `values`."""
    if isinstance(value, dict):
        return {
            name: child if name in _IDS else half_emoji(child, values)
            for name, child in value.items()
        }
    if isinstance(value, list):
        return [half_emoji(child, values) for child in value]
    return f"{value}\ud83d" if isinstance(value, str) and value not in values else value


def half(text: str) -> str:
    """The first half of a text, made invalid as JSON where it would be valid."""
    begin = text[: len(text) // 2]
    try:
        json.loads(begin)
    except ValueError:
        return begin
    return begin[:-1] + "{"
