"""Which settings for thinking and effort each model takes, as the reference's table says."""

import pytest

from rigs.standin_requests import MODEL, params, post, refusal
from standin.models import MODELS
from standin.standin import StandIn

COUNT = "/v1/messages/count_tokens"
TAKES = {
    "claude-haiku-5-5": "adaptive disabled",
    "claude-sonnet-5-5": "adaptive between_tools",
    "claude-opus-5-5": "adaptive",
    "claude-fable-5": "adaptive",
    "claude-fable-5-1": "adaptive",
    "claude-fable-5-2": "adaptive",
    "claude-mythos-5-1": "adaptive",
    "claude-opus-5": "adaptive disabled",
    "claude-sonnet-5": "adaptive disabled",
    "claude-opus-4-8": "adaptive disabled",
    "claude-opus-4-7": "adaptive disabled",
    "claude-opus-4-6": "adaptive disabled enabled",
    "claude-sonnet-4-6": "adaptive disabled enabled",
    "claude-haiku-4-5": "disabled enabled",
    "claude-opus-4-5-20251101": "disabled enabled",
}


@pytest.fixture(scope="module")
def standin():
    with StandIn() as running:
        yield running


@pytest.mark.parametrize("model", TAKES)
@pytest.mark.parametrize("kind", ["adaptive", "enabled", "disabled", "between_tools"])
def test_a_model_takes_the_thinking_settings_of_its_row(standin, model, kind) -> None:
    thinking = {"type": kind} | ({"budget_tokens": 2_000} if kind == "enabled" else {})
    body = params(model=model, thinking=thinking)
    if kind in TAKES[model].split():
        assert post(standin, body)[0] == 200
    else:
        assert refusal(standin, body) == f"thinking.type: '{kind}' is not supported by " + (
            model.removesuffix("-20251101")
        )
        counted = {name: value for name, value in body.items() if name != "max_tokens"}
        assert "is not supported" in refusal(standin, counted, COUNT)


def test_thinking_cannot_be_off_at_the_highest_efforts(standin) -> None:
    for model, kind in ((MODEL, "disabled"), ("claude-sonnet-5-5", "between_tools")):
        body = params(model=model, thinking={"type": kind})
        assert "turned off" in refusal(standin, body | {"output_config": {"effort": "xhigh"}})
        assert post(standin, body | {"output_config": {"effort": "high"}})[0] == 200
    assert post(standin, params(output_config={"effort": "max"}))[0] == 200


def test_models_without_effort_refuse_it(standin) -> None:
    without = [model.id for model in MODELS.values() if not model.effort]
    assert sorted(without) == ["claude-haiku-4-5", "claude-opus-4-5", "claude-sonnet-4-5"]
    for model in without:
        body = params(model=model, output_config={"effort": "low"})
        assert "does not support the effort parameter" in refusal(standin, body)


@pytest.mark.parametrize(("budget", "words"), [(1_023, "1024"), (8_000, "greater than")])
def test_a_thinking_budget_has_bounds(standin, budget, words) -> None:
    thinking = {"type": "enabled", "budget_tokens": budget}
    assert words in refusal(standin, params(model="claude-haiku-4-5", thinking=thinking))
