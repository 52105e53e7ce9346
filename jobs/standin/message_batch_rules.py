"""The API's checks when it creates a message batch. It checks the params of requests later."""

import re
from typing import Any

from standin.problems import invalid

CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
MOST_REQUESTS = 100_000


def checked_requests(body: Any) -> list[dict[str, Any]]:
    """The requests of a new message batch. Raises `Refused` (400) where the API does."""
    if not isinstance(body, dict):
        raise invalid("Input should be a valid dictionary")
    for name in body.keys() - {"requests"}:
        raise invalid(f"{name}: Extra inputs are not permitted")
    requests = body.get("requests")
    if not isinstance(requests, list):
        raise invalid("requests: Field required")
    if not requests:
        raise invalid("requests: List should have at least 1 item after validation, not 0")
    if len(requests) > MOST_REQUESTS:
        raise invalid(f"requests: List should have at most {MOST_REQUESTS} items")
    seen = set()
    for number, request in enumerate(requests):
        where = f"requests.{number}"
        if not isinstance(request, dict) or not isinstance(request.get("params"), dict):
            raise invalid(f"{where}.params: Field required")
        for name in request.keys() - {"custom_id", "params"}:
            raise invalid(f"{where}.{name}: Extra inputs are not permitted")
        custom_id = request.get("custom_id")
        if not isinstance(custom_id, str) or not CUSTOM_ID.fullmatch(custom_id):
            raise invalid(
                f"{where}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'"
            )
        if custom_id in seen:
            raise invalid(
                f"{where}.custom_id: '{custom_id}' is not unique within the message batch"
            )
        seen.add(custom_id)
    return requests
