"""Checks `system`, `messages` and `tools`. Raises `Refused`, in the API's words where known."""

import re
from typing import Any

from standin.models import Model
from standin.problems import invalid
from standin.schema_rules import check_schema

Body = dict[str, Any]

MOST_MESSAGES = 100_000
MOST_BREAKPOINTS = 4
MOST_STRICT_TOOLS = 20
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
BLOCK_TYPES = (
    "text", "image", "document", "search_result", "thinking", "redacted_thinking", "tool_use",
    "tool_result", "server_tool_use", "web_search_tool_result", "container_upload",
)  # fmt: skip


def check_text(text: Any, where: str) -> None:
    if not isinstance(text, str):
        raise invalid(f"{where}: Input should be a valid string")
    if not text:
        raise invalid(f"{part_of(where)}: text content blocks must be non-empty")
    if text.isspace():
        raise invalid(f"{part_of(where)}: text content blocks must contain non-whitespace text")


def part_of(where: str) -> str:
    """`messages` for a place such as `messages.0.content`: here the API names only that part."""
    return where.partition(".")[0]


def check_system(system: Any) -> None:
    if system is None or isinstance(system, str):
        return
    if not isinstance(system, list):
        raise invalid("system: Input should be a valid string or list")
    for number, block in enumerate(system):
        where = f"system.{number}"
        if not isinstance(block, dict) or block.get("type") != "text":
            raise invalid(f"{where}: Input should be a text block")
        for name in block.keys() - {"type", "text", "cache_control", "citations"}:
            raise invalid(f"{where}.{name}: Extra inputs are not permitted")
        check_text(block.get("text"), f"{where}.text")


def check_messages(messages: Any) -> None:
    if not isinstance(messages, list):
        raise invalid("messages: Input should be a valid list")
    if not messages:
        raise invalid("messages: at least one message is required")
    if len(messages) > MOST_MESSAGES:
        raise invalid(f"messages: List should have at most {MOST_MESSAGES} items")
    for number, message in enumerate(messages):
        where = f"messages.{number}"
        if not isinstance(message, dict):
            raise invalid(f"{where}: Input should be a valid dictionary")
        for name in message.keys() - {"role", "content"}:
            raise invalid(f"{where}.{name}: Extra inputs are not permitted")
        role = message.get("role")
        if role not in ("user", "assistant", "system"):
            raise invalid(f"{where}.role: Input should be 'user' or 'assistant'")
        check_content(message.get("content"), role, where)
    if messages[0]["role"] != "user":
        raise invalid('messages: first message must use the "user" role')


def check_content(content: Any, role: str, where: str) -> None:
    if isinstance(content, str):
        check_text(content, f"{where}.content")
        return
    if not isinstance(content, list):
        raise invalid(f"{where}.content: Input should be a valid string or list")
    if not content:
        raise invalid(f"{where}: {role} messages must have non-empty content")
    for number, block in enumerate(content):
        place = f"{where}.content.{number}"
        kind = block.get("type") if isinstance(block, dict) else None
        if kind not in BLOCK_TYPES:
            raise invalid(f"{place}: Input tag {kind!r} does not match any of the expected tags")
        if kind == "text":
            check_text(block.get("text"), f"{place}.text")
            if role == "user" and block.get("citations"):
                raise invalid(f"{place}.citations: not permitted on text blocks of a user message")
        if kind == "document" and role == "assistant":
            raise invalid(f"{place}: document blocks are not permitted in assistant messages")


def check_last_turn(body: Body, model: Model) -> None:
    if body["messages"][-1]["role"] != "assistant":
        return
    config = body.get("output_config")
    if isinstance(config, dict) and config.get("format"):
        raise invalid("Prefilling assistant messages is not supported with output_config.format.")
    if not model.prefill:
        raise invalid(
            "This model does not support assistant message prefill."
            " The conversation must end with a user message."
        )


def check_tools(body: Body, model: Model) -> None:
    tools = body.get("tools")
    choice = body.get("tool_choice")
    if choice is not None:
        kind = choice.get("type") if isinstance(choice, dict) else None
        if kind not in ("auto", "any", "tool", "none"):
            raise invalid(
                f"tool_choice: Input tag {kind!r} does not match any of the expected tags"
            )
        if kind in ("any", "tool") and not model.forced_tools:
            raise invalid(f"tool_choice.type: '{kind}' is not supported by {model.id}")
    if tools is None:
        return
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise invalid("tools: Input should be a valid list of tools")
    for number, tool in enumerate(tools):
        check_tool(tool, f"tools.{number}")
    strict = [tool for tool in tools if tool.get("strict")]
    if len(strict) > MOST_STRICT_TOOLS:
        raise invalid("Schema is too complex for compilation.")
    for number, tool in enumerate(strict):
        check_schema(tool.get("input_schema"), f"tools.{number}.custom.input_schema")


def check_tool(tool: dict[str, Any], where: str) -> None:
    """Check a tool's name and, for a tool of the caller's own, that it has an input schema."""
    name = tool.get("name")
    if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
        raise invalid(f"{where}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    schema = tool.get("input_schema")
    own = tool.get("type", "custom") == "custom"
    if own and (not isinstance(schema, dict) or schema.get("type") != "object"):
        raise invalid(f"{where}.custom.input_schema.type: Input should be 'object'")


def check_breakpoints(body: Body) -> None:
    """Check the `cache_control`s: at most four, well formed, and those of 1h before those of 5m."""
    tools, system = body.get("tools") or [], body.get("system")
    blocks = (*tools, *(system if isinstance(system, list) else ()))
    controls = [block.get("cache_control") for block in blocks]
    for message in body["messages"]:
        if isinstance(message["content"], list):
            controls += [block.get("cache_control") for block in message["content"]]
    controls.append(body.get("cache_control"))
    controls = [control for control in controls if control is not None]
    if not controls:
        return
    if len(controls) > MOST_BREAKPOINTS:
        raise invalid(
            f"A maximum of {MOST_BREAKPOINTS} blocks with cache_control may be provided."
            f" Found {len(controls)}."
        )
    short_seen = False
    for control in controls:
        if not isinstance(control, dict) or control.get("type") != "ephemeral":
            raise invalid("cache_control.type: Input should be 'ephemeral'")
        if control.keys() - {"type", "ttl"} or control.get("ttl", "5m") not in ("5m", "1h"):
            raise invalid("cache_control.ephemeral.ttl: Input should be '5m' or '1h'")
        long_lived = control.get("ttl") == "1h"
        if long_lived and short_seen:
            raise invalid(
                "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block"
            )
        short_seen = short_seen or not long_lived
