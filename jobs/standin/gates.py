"""The first checks of every request: its key, its API version, and that its body is JSON."""

import json
from typing import Any

from standin.problems import Refused, invalid
from standin.strictness import VERSIONS


def no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


DECODER = json.JSONDecoder(parse_constant=no_constant)


def decoded(raw: bytes) -> Any:
    """The body as JSON. Raises `Refused` (400) for what is not JSON, or has a lone surrogate."""
    try:
        body = DECODER.decode(raw.decode())
        if b"\\ud" in raw or b"\\uD" in raw:
            json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise invalid(f"The request body is not valid JSON: {error}") from error
    return body


def checked_version(headers: dict[str, str]) -> str:
    version = headers.get("anthropic-version")
    if not version:
        raise invalid("anthropic-version: header is required")
    if version not in VERSIONS:
        raise invalid(f'anthropic-version: "{version}" is not a valid version')
    return version


def checked_key(headers: dict[str, str]) -> str:
    """The key. Raises `Refused` if there is none, or one of those made to be refused."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    key = key.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "").strip()
    if not key:
        raise Refused(401, "Authorization: a key is required")
    if key.startswith("sk-invalid"):
        raise Refused(401, "invalid x-api-key")
    if key.startswith("sk-nobilling"):
        raise Refused(402, "Your account has a billing problem. Please update your payment method.")
    if key.startswith("sk-forbidden"):
        raise Refused(403, "Your API key does not have permission to use the specified resource")
    return key
