"""Checks whether the API would take a request. Refuses in the API's words where known."""

from typing import Any

from standin.models import EFFORTS, THINKING_TYPES, Model, find_model
from standin.problems import Refused, invalid
from standin.schema_rules import check_schema
from standin.strict_content import (
    check_breakpoints,
    check_last_turn,
    check_messages,
    check_system,
    check_tools,
)

Body = dict[str, Any]

COUNTED = {
    "model", "messages", "system", "tools", "tool_choice", "thinking", "output_config",
    "cache_control", "speed",
}  # fmt: skip
MESSAGE = COUNTED | {
    "max_tokens", "stop_sequences", "metadata", "service_tier", "inference_geo", "container",
    "diagnostics", "stream",
}  # fmt: skip
NULLABLE = {"cache_control", "container", "diagnostics", "inference_geo", "speed"}
SAMPLING = {"temperature", "top_p", "top_k"}
OLD_VERSION = "2023-06-01"
VERSIONS = {"2023-01-01", OLD_VERSION, "2026-10-21"}


class Strictness:
    """All checks of a request. It checks a schema once, and remembers the good ones."""

    def __init__(self) -> None:
        self._good_schemas: set[str] = set()

    def check(self, body: Any, version: str, schema_json: str, only_count: bool = False) -> Model:
        """Check a request, and return its model. Raises `Refused` with the API's answer.

        `only_count` is for count_tokens, which takes fewer parameters.
        """
        model = check_names(body, version, only_count)
        if not only_count:
            check_max_tokens(body["max_tokens"], model)
            check_small_settings(body)
        check_system(body.get("system"))
        check_messages(body["messages"])
        check_last_turn(body, model)
        check_thinking(body, model)
        check_tools(body, model)
        check_breakpoints(body)
        if schema_json and schema_json not in self._good_schemas:
            check_schema(body["output_config"]["format"]["schema"])
            if len(self._good_schemas) < 1_000:
                self._good_schemas.add(schema_json)
        return model


def check_names(body: Any, version: str, only_count: bool) -> Model:
    """Check that all parameters are known and none is missing, and return the model."""
    if not isinstance(body, dict):
        raise invalid("Input should be a valid dictionary")
    model = find_model(body["model"]) if isinstance(body.get("model"), str) else None
    known = COUNTED if only_count else MESSAGE
    if version == OLD_VERSION and model and model.sampling and not only_count:
        known = known | SAMPLING
    if not known.issuperset(body):
        name = next(name for name in body if name not in known)
        raise invalid(f"{name}: Extra inputs are not permitted")
    for name in ("model", "messages") if only_count else ("model", "max_tokens", "messages"):
        if name not in body:
            raise invalid(f"{name}: Field required")
    if None in body.values():
        for name in body.keys() - NULLABLE:
            if body[name] is None:
                raise invalid(f"{name}: Input should not be null")
    if not isinstance(body["model"], str):
        raise invalid("model: Input should be a valid string")
    if model is None or model.lifecycle == "retired":
        raise Refused(404, f"model: {body['model']}")
    return model


def check_max_tokens(value: Any, model: Model) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid("max_tokens: Input should be a valid integer")
    if value < 1:
        raise invalid("max_tokens: Input should be greater than or equal to 1")
    if value > model.max_output:
        raise invalid(
            f"max_tokens: {value} > {model.max_output}, which is the maximum allowed number of"
            f" output tokens for {model.id}"
        )


def check_small_settings(body: Body) -> None:
    metadata = body.get("metadata")
    if metadata is not None:
        if not isinstance(metadata, dict):
            raise invalid("metadata: Input should be a valid dictionary")
        for name in metadata.keys() - {"user_id"}:
            raise invalid(f"metadata.{name}: Extra inputs are not permitted")
        if not isinstance(metadata.get("user_id"), str | None):
            raise invalid("metadata.user_id: Input should be a valid string")
    if body.get("service_tier", "auto") not in ("auto", "standard_only"):
        raise invalid("service_tier: Input should be 'auto' or 'standard_only'")
    if body.get("speed") not in (None, "standard", "fast"):
        raise invalid("speed: Input should be 'standard' or 'fast'")
    if not isinstance(body.get("stream", False), bool):
        raise invalid("stream: Input should be a valid boolean")
    if body.get("stream"):
        raise invalid("stream: the stand-in does not stream: no job asks for it")
    sequences = body.get("stop_sequences", [])
    if not isinstance(sequences, list) or not all(isinstance(text, str) for text in sequences):
        raise invalid("stop_sequences: Input should be a valid list of strings")
    if not all(text.strip() for text in sequences):
        raise invalid("stop_sequences: each stop sequence must contain non-whitespace")


def check_thinking(body: Body, model: Model) -> None:
    """Check `thinking` and `output_config`: that the model takes them, and takes them together."""
    effort = check_output_config(body.get("output_config"), model)
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind not in THINKING_TYPES:
        tags = ", ".join(repr(name) for name in THINKING_TYPES)
        raise invalid(
            f"thinking: Input tag {kind!r} does not match any of the expected tags: {tags}"
        )
    allowed = {"type", "display", "budget_tokens"} if kind == "enabled" else {"type", "display"}
    for name in thinking.keys() - (allowed if kind in ("enabled", "adaptive") else {"type"}):
        raise invalid(f"thinking.{kind}.{name}: Extra inputs are not permitted")
    if thinking.get("display") not in (None, "summarized", "omitted"):
        raise invalid(f"thinking.{kind}.display: Input should be 'summarized' or 'omitted'")
    if kind not in model.thinking:
        raise invalid(f"thinking.type: '{kind}' is not supported by {model.id}")
    if kind in ("disabled", "between_tools") and effort in ("xhigh", "max"):
        raise invalid(f"output_config.effort: '{effort}' needs thinking, which is turned off")
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or budget < 1_024:
            raise invalid("thinking.enabled.budget_tokens: must be an integer of at least 1024")
        if "max_tokens" in body and budget >= body["max_tokens"]:
            raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`")


def check_output_config(config: Any, model: Model) -> str | None:
    if config is None:
        return None
    if not isinstance(config, dict):
        raise invalid("output_config: Input should be a valid dictionary")
    for name in config.keys() - {"effort", "format"}:
        raise invalid(f"output_config.{name}: Extra inputs are not permitted")
    effort: str | None = config.get("effort")
    if effort is not None and effort not in EFFORTS:
        raise invalid(f"output_config.effort: Input should be one of {', '.join(EFFORTS)}")
    if effort is not None and not model.effort:
        raise invalid(
            f"output_config.effort: This model does not support the effort parameter: {model.id}"
        )
    wanted = config.get("format")
    if wanted is not None:
        if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
            raise invalid("output_config.format.type: Input should be 'json_schema'")
        for name in wanted.keys() - {"type", "schema"}:
            raise invalid(f"output_config.format.{name}: Extra inputs are not permitted")
        if not isinstance(wanted.get("schema"), dict):
            raise invalid("output_config.format.schema: Input should be a valid dictionary")
    return effort
