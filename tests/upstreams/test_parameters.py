"""The policy table (openai-surface.md section 4), row by row, host by host, under each policy."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.openai.chat_request import ChatRequest
from qwen_gateway.openai.errors import BadRequest, Unsupported
from qwen_gateway.upstreams.parameters import RULES
from tests import referee
from tests.openai.asking import tool
from tests.upstreams.encoding import HOSTS, encode, sent, told

POLICIES = ("strict", "standard", "lenient")
OTHERS = ("vllm", "openrouter", "compatible")
QWEN = "qwen3.7-plus"
OMNI = "qwen3.5-omni-plus"

SENT_AS_IT_IS = [
    ("temperature", 0.7, HOSTS),
    ("top_p", 0.5, HOSTS),
    ("presence_penalty", 1.5, HOSTS),
    ("frequency_penalty", 0.5, ("vllm", "ollama", "openrouter", "compatible")),
    ("seed", 7, HOSTS),
    ("stop", ["END"], HOSTS),
    ("stop", "END", HOSTS),
    ("logprobs", True, ("dashscope", *OTHERS)),
    ("max_tokens", 100, HOSTS),
    ("verbosity", "low", ("openrouter",)),
    ("prediction", {"type": "content", "content": "x"}, ("openrouter",)),
    ("top_k", 20, ("dashscope", *OTHERS)),
    ("repetition_penalty", 1.1, ("dashscope", *OTHERS)),
    ("min_p", 0.1, OTHERS),
    ("enable_search", True, ("dashscope",)),
    ("vl_high_resolution_images", True, ("dashscope",)),
    ("guided_json", {"type": "object"}, ("vllm",)),
    ("provider", {"sort": "price"}, ("openrouter",)),
]
DROPPED = [
    ("frequency_penalty", 0.5, ("dashscope",)),
    ("verbosity", "low", ("dashscope", "vllm", "ollama", "compatible")),
    ("service_tier", "flex", HOSTS),
    ("store", True, HOSTS),
    ("prompt_cache_retention", "24h", HOSTS),
    ("prompt_cache_options", {"mode": "auto"}, HOSTS),
    ("prediction", {"type": "content", "content": "x"}, ("dashscope", "vllm", "ollama", "compatible")),
    ("moderation", {"model": "x"}, HOSTS),
    ("audio", {"voice": "Cherry", "format": "wav"}, HOSTS),
    ("stream_options", {"include_obfuscation": True}, HOSTS),
    ("top_k", 20, ("ollama",)),
    ("min_p", 0.1, ("dashscope", "ollama")),
    ("telepathy", True, HOSTS),
]
REFUSED = [
    ("logprobs", True, ("ollama",)),
    ("logit_bias", {"50256": -100}, HOSTS),
    ("modalities", ["text", "audio"], HOSTS),
    ("web_search_options", {}, OTHERS),
]
WITHHELD = ["user", "safety_identifier", "metadata"]
VALUES = {"user": "u-1", "safety_identifier": "s-1", "metadata": {"a": "b"}}
SILENT = [
    ("service_tier", "auto"),
    ("service_tier", "default"),
    ("store", False),
    ("verbosity", "medium"),
    ("frequency_penalty", 0),
    ("modalities", ["text"]),
    ("logit_bias", {}),
    ("logprobs", False),
    ("stop", []),
    ("response_format", {"type": "text"}),
    ("prompt_cache_key", "thread-7"),
    ("reasoning", {}),
]


def rows(table: list[tuple[str, Any, tuple[str, ...]]]) -> list[Any]:
    return [pytest.param(name, value, host, id=f"{name}-{host}") for name, value, hosts in table for host in hosts]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(("name", "value", "host"), rows(SENT_AS_IT_IS))
def test_what_a_host_has_is_sent_as_it_is(name: str, value: Any, host: str, policy: Any) -> None:
    fields = {name: value}

    assert sent(host, policy=policy, **fields)[name] == value
    assert told(host, policy=policy, **fields) == []


@pytest.mark.parametrize(("name", "value", "host"), rows(DROPPED))
def test_what_means_little_is_dropped_and_told(name: str, value: Any, host: str) -> None:
    fields = {name: value, "stream": name == "stream_options"}

    for policy in ("standard", "lenient"):
        body = sent(host, policy=policy, **fields)  # type: ignore[arg-type]
        assert body.get(name) in (None, {"include_usage": True})
        assert told(host, policy=policy, **fields) == [f"dropped={name}"]  # type: ignore[arg-type]
    with pytest.raises(Unsupported) as refused:
        encode(host, policy="strict", **fields)
    assert refused.value.param == name
    assert refused.value.code == ("unsupported_parameter" if name in RULES else "unknown_parameter")
    referee.assert_valid(refused.value.body(), "error")


@pytest.mark.parametrize(("name", "value", "host"), rows(REFUSED))
def test_what_would_falsify_an_answer_is_refused(name: str, value: Any, host: str) -> None:
    fields = {name: value}

    for policy in ("standard", "strict"):
        with pytest.raises(Unsupported) as refused:
            encode(host, policy=policy, **fields)  # type: ignore[arg-type]
        assert (refused.value.status, refused.value.param) == (400, name)
        assert refused.value.code == "unsupported_parameter"
    assert name not in sent(host, policy="lenient", **fields)
    assert told(host, policy="lenient", **fields) == [f"dropped={name}"]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", WITHHELD)
def test_who_asks_stays_with_us(name: str, host: str, policy: Any) -> None:
    fields = {name: VALUES[name]}

    assert name not in sent(host, policy=policy, **fields)
    assert told(host, policy=policy, **fields) == [f"withheld={name}"]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(("name", "value"), SILENT)
def test_what_openai_assumes_anyway_needs_no_word(name: str, value: Any, host: str, policy: Any) -> None:
    assert told(host, policy=policy, **{name: value}) == []


def test_ranges_of_dashscope_are_open() -> None:
    body = sent(temperature=2, top_p=0)

    assert (body["temperature"], body["top_p"]) == (1.99, 0.001)
    assert told(temperature=2, top_p=0) == ["clamped=temperature", "clamped=top_p"]


@pytest.mark.parametrize("host", [host for host in HOSTS if host != "dashscope"])
def test_ranges_elsewhere_are_closed(host: str) -> None:
    body = sent(host, temperature=2, top_p=0)

    assert (body["temperature"], body["top_p"]) == (2, 0)
    assert told(host, temperature=2, top_p=0) == []


class TestSize:
    @pytest.mark.parametrize("host", HOSTS)
    def test_both_names_mean_max_tokens(self, host: str) -> None:
        body = sent(host, max_completion_tokens=100)

        assert body["max_tokens"] == 100
        assert "max_completion_tokens" not in body
        assert told(host, max_completion_tokens=100) == ["translated=max_completion_tokens"]

    def test_the_newer_name_wins(self) -> None:
        assert sent(max_completion_tokens=100, max_tokens=50)["max_tokens"] == 100
        assert "dropped=max_tokens" in told(max_completion_tokens=100, max_tokens=50)
        assert "dropped=max_tokens" not in told(max_completion_tokens=100, max_tokens=100)

    @pytest.mark.parametrize(("model", "ceiling"), [("qwen-plus", 32_768), ("qwen-turbo", 16_384), ("glm-5", 16_384)])
    def test_more_than_a_model_can_is_clamped(self, model: str, ceiling: int) -> None:
        assert sent(model=model, max_tokens=999_999)["max_tokens"] == ceiling
        assert told(model=model, max_tokens=999_999) == ["clamped=max_tokens"]

    def test_a_learned_ceiling_counts_as_well(self) -> None:
        assert sent(max_tokens=9_000, output_ceiling=8_192)["max_tokens"] == 8_192
        assert told(max_tokens=9_000, output_ceiling=8_192) == ["clamped=max_tokens"]
        assert told(max_tokens=8_000, output_ceiling=8_192) == []


class TestLogprobs:
    def test_more_than_the_host_gives_is_clamped(self) -> None:
        assert sent(logprobs=True, top_logprobs=20)["top_logprobs"] == 5
        assert told(logprobs=True, top_logprobs=20) == ["clamped=top_logprobs"]
        assert sent("vllm", logprobs=True, top_logprobs=20)["top_logprobs"] == 20

    def test_alternatives_need_logprobs(self) -> None:
        with pytest.raises(BadRequest) as refused:
            encode(top_logprobs=3)

        assert refused.value.param == "top_logprobs"

    def test_a_host_without_them_refuses_both(self) -> None:
        with pytest.raises(Unsupported):
            encode("ollama", logprobs=True, top_logprobs=3)
        assert told("ollama", policy="lenient", logprobs=True, top_logprobs=3) == [
            "dropped=logprobs",
            "dropped=top_logprobs",
        ]


class TestSound:
    def test_an_omni_model_speaks(self) -> None:
        voice = {"voice": "Cherry", "format": "wav"}

        body = sent(model=OMNI, modalities=["text", "audio"], audio=voice)

        assert (body["modalities"], body["audio"]) == (["text", "audio"], voice)

    def test_others_drop_both_when_lenient(self) -> None:
        found = told(policy="lenient", modalities=["text", "audio"], audio={"voice": "Cherry"})

        assert found == ["dropped=modalities", "dropped=audio"]


class TestSearch:
    def test_dashscope_searches_by_itself(self) -> None:
        assert sent(web_search_options={})["enable_search"] is True
        assert told(web_search_options={}) == ["translated=web_search_options"]


class TestParallelCalls:
    @pytest.mark.parametrize("host", ["dashscope", *OTHERS])
    def test_one_call_is_asked_for_and_kept_to(self, host: str) -> None:
        assert sent(host, tools=[tool()], parallel_tool_calls=False)["parallel_tool_calls"] is False
        assert told(host, tools=[tool()], parallel_tool_calls=False) == ["emulated=parallel_tool_calls"]

    def test_a_host_without_the_switch_is_not_asked(self) -> None:
        assert "parallel_tool_calls" not in sent("ollama", tools=[tool()], parallel_tool_calls=False)

    def test_many_calls_are_usual(self) -> None:
        assert told(tools=[tool()], parallel_tool_calls=True) == []


KNOWN = set(ChatRequest.__struct_fields__)
BY_THE_PARSER = {"model", "stream", "n", "functions", "function_call"}


def test_every_parameter_of_the_parser_has_a_row() -> None:
    assert RULES.keys() >= KNOWN - BY_THE_PARSER


@given(st.data())
def test_any_call_is_sent_refused_or_told(data: st.DataObject) -> None:
    table = [*SENT_AS_IT_IS, *DROPPED, *REFUSED, *((name, value, HOSTS) for name, value in SILENT)]
    chosen = data.draw(st.lists(st.sampled_from(table), max_size=6))
    fields = {name: value for name, value, _ in chosen if name != "stream_options"}
    host = data.draw(st.sampled_from(HOSTS))

    with suppress(Unsupported):
        assert encode(host, policy=data.draw(st.sampled_from(POLICIES)), **fields).body
