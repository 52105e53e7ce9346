"""What the tests of the stand-in send: requests as jobs make them, by the SDK or by hand."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import anthropic
from anthropic.types import Message
from pydantic import BaseModel

from standin.standin import StandIn

MODEL = "claude-haiku-5-5"
MESSAGES = "/v1/messages"


class Finding(BaseModel):
    title: str
    detail: str
    records: list[str]


class Digest(BaseModel):
    themes: list[Finding]
    anomalies: list[Finding]
    action_items: list[Finding]


class Entry(BaseModel):
    title: str
    detail: str
    findings: list[str]


class Merge(BaseModel):
    summary: str
    themes: list[Entry]
    anomalies: list[Entry]
    action_items: list[Entry]


def client(standin: StandIn, key: str = "sk-test") -> anthropic.Anthropic:
    """The real SDK. It refuses answers of a wrong shape, and sends nothing twice."""
    return anthropic.Anthropic(
        base_url=standin.url, api_key=key, max_retries=0, _strict_response_validation=True
    )


@contextmanager
def serving(**options: Any) -> Iterator[tuple[StandIn, anthropic.Anthropic]]:
    """A running stand-in and the SDK as its client. `options` are those of StandIn."""
    with StandIn(**options) as standin, client(standin) as claude:
        yield standin, claude


def records(*texts: str, first: int = 1) -> str:
    """The user message that carries these texts as records, numbered from `first`."""
    lines = [
        f'<record id="{number}" created_at="2026-11-21 09:12:00">{escape(text)}</record>'
        for number, text in enumerate(texts, first)
    ]
    return "\n".join(["<records>", *lines, "</records>"])


def output_format(model: type[BaseModel]) -> dict[str, Any]:
    return {"type": "json_schema", "schema": anthropic.transform_schema(model)}


def params(
    text: str = "Hello there", output: type[BaseModel] | None = None, **more: Any
) -> dict[str, Any]:
    """The parameters of a request as jobs send them; those in `more` replace the usual ones."""
    made: dict[str, Any] = {
        "model": MODEL,
        "max_tokens": 8_000,
        "messages": [{"role": "user", "content": text}],
    }
    if output is not None:
        made["output_config"] = {"effort": "low", "format": output_format(output)}
        made["thinking"] = {"type": "disabled"}
    return made | more


def ask(claude: anthropic.Anthropic, *arguments: Any, **more: Any) -> Message:
    message: Message = claude.messages.create(**params(*arguments, **more))
    return message


def text_of(message: Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def post(
    standin: StandIn,
    body: Any,
    path: str = MESSAGES,
    method: str = "POST",
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, str], Any]:
    """Send one request without the SDK: its status, headers, and body (decoded if JSON)."""
    connection = http.client.HTTPConnection(standin.url.removeprefix("http://"), timeout=30)
    usual = {"authorization": "Bearer sk-test", "anthropic-version": "2026-10-21"}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        connection.request(method, path, raw, usual if headers is None else headers)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    is_json = answer.headers.get_content_type() == "application/json"
    return answer.status, dict(answer.headers), json.loads(content) if is_json else content


def refusal(
    standin: StandIn, body: Any, path: str = MESSAGES, status: int = 400, kind: str = ""
) -> str:
    """The message of a refused request. Asserts the status, the kind of error and the shape."""
    got_status, headers, answer = post(standin, body, path)
    assert got_status == status, answer
    assert answer["type"] == "error"
    assert answer["request_id"] == headers["request-id"]
    assert answer["error"]["type"] == (kind or "invalid_request_error")
    message: str = answer["error"]["message"]
    return message
