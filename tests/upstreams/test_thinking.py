"""How much a model shall think, in the words of each host (upstream.md 4.3, 4.13)."""

from typing import Any

import pytest

from qwen_gateway.openai.errors import Unsupported
from qwen_gateway.upstreams.thinking import EFFORTS, nearest_effort, step
from tests.upstreams.encoding import UNKNOWN, encode, sent, told

KEYS = ("enable_thinking", "thinking_budget", "reasoning_effort", "reasoning", "chat_template_kwargs")


def switches(host: str = "dashscope", model: str = "qwen3.7-plus", policy: Any = "standard", **fields: Any) -> Any:
    """What the host is told about thinking."""
    return {key: value for key, value in sent(host, model, policy, **fields).items() if key in KEYS}


@pytest.mark.parametrize(
    ("effort", "expected"),
    [
        ("none", {"enable_thinking": False}),
        ("minimal", {"enable_thinking": True, "thinking_budget": 512}),
        ("low", {"enable_thinking": True, "thinking_budget": 1_024}),
        ("medium", {"enable_thinking": True, "thinking_budget": 8_192}),
        ("high", {"enable_thinking": True}),
        ("xhigh", {"enable_thinking": True}),
        ("max", {"enable_thinking": True}),
    ],
)
def test_dashscope_has_a_switch_and_a_budget(effort: str, expected: Any) -> None:
    assert switches(reasoning_effort=effort) == expected
    assert told(reasoning_effort=effort) == ["translated=reasoning_effort"]


@pytest.mark.parametrize(
    ("effort", "sent_as"), [("minimal", "low"), ("low", "low"), ("high", "xhigh"), ("max", "xhigh")]
)
def test_models_with_steps_get_the_nearest(effort: str, sent_as: str) -> None:
    assert switches(model="qwen3.8-max", reasoning_effort=effort) == {
        "enable_thinking": True,
        "reasoning_effort": sent_as,
    }


def test_an_effort_and_a_budget_are_never_sent_together() -> None:
    """qwen3.8-max refuses both at once (upstream.md 4.3)."""
    fields = {"reasoning_effort": "low", "thinking_budget": 500}

    assert "thinking_budget" not in switches(model="qwen3.8-max", **fields)
    assert told(model="qwen3.8-max", **fields) == ["dropped=thinking_budget"]


@pytest.mark.parametrize(
    ("host", "effort", "expected"),
    [
        ("vllm", "low", {"chat_template_kwargs": {"enable_thinking": True}}),
        ("vllm", "none", {"chat_template_kwargs": {"enable_thinking": False}}),
        ("compatible", "high", {"chat_template_kwargs": {"enable_thinking": True}}),
        ("ollama", "none", {"reasoning_effort": "none"}),
        ("ollama", "minimal", {"reasoning_effort": "low"}),
        ("ollama", "medium", {"reasoning_effort": "medium"}),
        ("ollama", "max", {"reasoning_effort": "high"}),
        ("openrouter", "none", {"reasoning": {"enabled": False}}),
        ("openrouter", "low", {"reasoning": {"effort": "low"}}),
        ("openrouter", "max", {"reasoning": {"effort": "xhigh"}}),
    ],
)
def test_other_hosts_have_their_own_switch(host: str, effort: str, expected: Any) -> None:
    assert switches(host, UNKNOWN, reasoning_effort=effort) == expected


def test_a_step_that_is_another_one_is_told() -> None:
    assert told("ollama", UNKNOWN, reasoning_effort="max") == ["translated=reasoning_effort"]
    assert told("ollama", UNKNOWN, reasoning_effort="medium") == []


def test_the_clients_own_template_variables_stay() -> None:
    body = switches("vllm", UNKNOWN, reasoning_effort="none", chat_template_kwargs={"x": 1})

    assert body == {"chat_template_kwargs": {"x": 1, "enable_thinking": False}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"enable_thinking": True}, {"enable_thinking": True}),
        ({"enable_thinking": False}, {"enable_thinking": False}),
        ({"enable_thinking": False, "thinking_budget": 500}, {"enable_thinking": False}),
        ({"thinking_budget": 500}, {"enable_thinking": True, "thinking_budget": 500}),
        ({"enable_thinking": True, "thinking_budget": 500}, {"enable_thinking": True, "thinking_budget": 500}),
        ({"reasoning": {"effort": "low"}}, {"enable_thinking": True, "thinking_budget": 1_024}),
        ({"reasoning": {"enabled": False}}, {"enable_thinking": False}),
        ({"reasoning": {"max_tokens": 700}}, {"enable_thinking": True, "thinking_budget": 700}),
        ({"reasoning_effort": "low", "thinking_budget": 500}, {"enable_thinking": True, "thinking_budget": 500}),
        ({}, {}),
    ],
)
def test_clients_ask_in_many_ways(fields: Any, expected: Any) -> None:
    assert switches(**fields) == expected


def test_a_budget_over_the_models_is_clamped() -> None:
    assert switches(thinking_budget=999_999)["thinking_budget"] == 81_920
    assert told(thinking_budget=999_999) == ["clamped=thinking_budget"]


def test_a_budget_is_kept_below_an_answer_that_includes_it() -> None:
    body = sent(model="qwen3.8-max", thinking_budget=5_000, max_tokens=1_000)

    assert body["thinking_budget"] == 999
    assert told(model="qwen3.8-max", thinking_budget=5_000, max_tokens=1_000) == ["clamped=thinking_budget"]


def test_a_model_that_takes_no_budget_gets_none() -> None:
    """kimi-k3 refuses one (upstream.md 4.3)."""
    assert switches(model="kimi-k3", reasoning_effort="low") == {"enable_thinking": True}
    assert switches(model="kimi-k3", thinking_budget=500) == {"enable_thinking": True}
    assert told(model="kimi-k3", thinking_budget=500) == ["dropped=thinking_budget"]


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("qwen3-coder-plus", {"reasoning_effort": "high"}),
        ("qwen3-coder-plus", {"enable_thinking": True}),
        ("qwq-plus", {"reasoning_effort": "none"}),
        ("MiniMax-M2.5", {"enable_thinking": False}),
    ],
)
def test_what_a_model_cannot_is_dropped_and_told_or_refused(model: str, fields: Any) -> None:
    assert switches(model=model, **fields) == {}
    assert told(model=model, **fields) == [f"dropped={next(iter(fields))}"]
    with pytest.raises(Unsupported):
        encode(model=model, policy="strict", **fields)


def test_a_model_that_never_thinks_needs_no_switch() -> None:
    assert switches(model="qwen3-coder-plus", reasoning_effort="none") == {}
    assert told(model="qwen3-coder-plus", reasoning_effort="none") == []


@pytest.mark.parametrize(("word", "effort"), [("HIGH ", "high"), ("off", "none"), ("ultra", "max"), ("tiny", "medium")])
def test_unknown_words_become_the_nearest_effort(word: str, effort: str) -> None:
    notices: list[Any] = []

    assert nearest_effort(word, notices) == effort
    assert bool(notices) == (word.strip().lower() not in EFFORTS)


@pytest.mark.parametrize("effort", EFFORTS)
def test_a_step_is_always_one_of_the_hosts(effort: str) -> None:
    assert step(effort, ("low", "high")) in ("low", "high")
    assert step("medium", ("low", "high")) == "high"
