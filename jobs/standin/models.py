"""The models of the stand-in: their limits and settings, and the Models endpoint.

The public tables leave some limits of Fable 5.2, Mythos, Opus 4.5 and Sonnet 4.6 open: those here
are guesses.
"""

from dataclasses import dataclass
from typing import Any

from standin.paging import page, page_of
from standin.problems import Refused

EFFORTS = ("low", "medium", "high", "xhigh", "max")
THINKING_TYPES = ("adaptive", "enabled", "disabled", "between_tools")

ALWAYS = frozenset({"adaptive"})  # thinking cannot be turned off
CAN_STOP = frozenset({"adaptive", "disabled"})
BETWEEN = frozenset({"adaptive", "between_tools"})
BUDGETED = frozenset({"adaptive", "disabled", "enabled"})
ONLY_BUDGETED = frozenset({"disabled", "enabled"})


@dataclass(frozen=True)
class Model:
    """One model: its limits, and the settings that it takes. It answers others with a 400."""

    id: str
    created: str
    thinking: frozenset[str]
    cache_minimum: int
    context: int = 1_000_000
    max_output: int = 128_000
    effort: bool = True
    prefill: bool = False
    forced_tools: bool = True
    # Takes temperature, top_p and top_k in requests of the API version of 2023.
    sampling: bool = False
    lifecycle: str = "active"
    deprecated_at: str | None = None
    retires_at: str | None = None

    @property
    def line(self) -> str:
        return self.id.split("-")[1]

    @property
    def display_name(self) -> str:
        words = [word for word in self.id.split("-")[1:] if len(word) < 8]
        return f"Claude {words[0].title()} {'.'.join(words[1:])}".strip()


def _of_2025(
    model_id: str,
    created: str,
    cache_minimum: int,
    lifecycle: str = "active",
    deprecated_at: str | None = None,
    retires_at: str | None = None,
) -> Model:
    """A 4.5 model: small context, no effort, thinking only with a budget, prefill allowed."""
    return Model(
        model_id,
        created,
        ONLY_BUDGETED,
        cache_minimum,
        context=200_000,
        max_output=64_000,
        effort=False,
        prefill=True,
        sampling=True,
        lifecycle=lifecycle,
        deprecated_at=deprecated_at,
        retires_at=retires_at,
    )


# Newest first, as the Models endpoint lists them.
_ALL: tuple[Model, ...] = (
    Model("claude-fable-5-2", "2026-11-10T00:00:00Z", ALWAYS, 512, forced_tools=False),
    Model("claude-mythos-5-2", "2026-11-10T00:00:00Z", ALWAYS, 512),
    Model("claude-haiku-5-5", "2026-10-07T00:00:00Z", CAN_STOP, 512),
    Model("claude-sonnet-5-5", "2026-09-24T00:00:00Z", BETWEEN, 512, forced_tools=False),
    Model("claude-fable-5-1", "2026-09-10T00:00:00Z", ALWAYS, 512, forced_tools=False),
    Model("claude-opus-5-5", "2026-09-03T00:00:00Z", ALWAYS, 512, forced_tools=False),
    Model("claude-mythos-5-1", "2026-09-02T00:00:00Z", ALWAYS, 512),
    Model("claude-sonnet-5", "2026-07-01T00:00:00Z", CAN_STOP, 1_024),
    Model("claude-fable-5", "2026-06-20T00:00:00Z", ALWAYS, 512),
    Model("claude-mythos-5", "2026-06-19T00:00:00Z", ALWAYS, 512),
    Model("claude-opus-5", "2026-06-10T00:00:00Z", CAN_STOP, 512),
    Model("claude-opus-4-8", "2026-05-12T00:00:00Z", CAN_STOP, 1_024),
    Model("claude-opus-4-7", "2026-04-07T00:00:00Z", CAN_STOP, 2_048),
    Model(
        "claude-mythos-preview",
        "2026-04-01T00:00:00Z",
        ALWAYS,
        512,
        lifecycle="retired",
        deprecated_at="2026-06-19T00:00:00Z",
        retires_at="2026-09-19T00:00:00Z",
    ),
    Model("claude-opus-4-6", "2026-02-05T00:00:00Z", BUDGETED, 4_096, sampling=True),
    Model(
        "claude-sonnet-4-6",
        "2026-02-04T00:00:00Z",
        BUDGETED,
        1_024,
        max_output=64_000,
        sampling=True,
    ),
    _of_2025("claude-opus-4-5", "2025-11-01T00:00:00Z", 4_096),
    _of_2025("claude-haiku-4-5", "2025-10-01T00:00:00Z", 4_096),
    _of_2025(
        "claude-sonnet-4-5",
        "2025-09-29T00:00:00Z",
        1_024,
        lifecycle="deprecated",
        deprecated_at="2026-09-30T00:00:00Z",
        retires_at="2026-11-30T00:00:00Z",
    ),
)
MODELS: dict[str, Model] = {model.id: model for model in _ALL}
ALIASES = {
    "claude-opus-4-5-20251101": "claude-opus-4-5",
    "claude-haiku-4-5-20251001": "claude-haiku-4-5",
    "claude-sonnet-4-5-20250929": "claude-sonnet-4-5",
}


def find_model(model_id: str) -> Model | None:
    """The model of that id, which may be a dated one. None for an unknown id."""
    return MODELS.get(ALIASES.get(model_id, model_id))


def shown(model: Model, model_id: str | None = None) -> dict[str, Any]:
    """The JSON object of a model, under `model_id` if that is given."""
    yes = {"supported": True}
    thinking = {kind: {"supported": kind in model.thinking} for kind in THINKING_TYPES}
    return {
        "type": "model",
        "id": model_id or model.id,
        "display_name": model.display_name,
        "created_at": model.created,
        "lifecycle": model.lifecycle,
        "line": model.line,
        "deprecated_at": model.deprecated_at,
        "retires_at": model.retires_at,
        "max_input_tokens": model.context,
        "max_tokens": model.max_output,
        "capabilities": {
            "batch": yes,
            "citations": yes,
            "code_execution": yes,
            "context_management": yes,
            "image_input": yes,
            "pdf_input": yes,
            "structured_outputs": yes,
            "server_tools": {"supported": True, "web_search": yes, "code_execution": yes},
            "effort": {
                "supported": model.effort,
                **{level: {"supported": model.effort} for level in EFFORTS},
            },
            "thinking": {"supported": True, "types": thinking},
        },
    }


def model_shown(model_id: str) -> dict[str, Any]:
    """The JSON object of the model with that id. Raises `Refused` (404)."""
    model = find_model(model_id)
    if model is None:
        raise Refused(404, f"model: {model_id}")
    return shown(model, model_id)


def model_page(
    lifecycles: list[str], limit: str, after: str | None, before: str | None
) -> dict[str, Any]:
    """A page of the models of these lifecycles; of all models if `lifecycles` is empty."""
    data = [model_shown(name) for name in (*MODELS, *ALIASES)]
    data = [model for model in data if not lifecycles or model["lifecycle"] in lifecycles]
    part, has_more = page_of([model["id"] for model in data], limit, after, before)
    return page(data[part], has_more)
