"""Tools and response formats in the words of a host (upstream.md 4.3, 4.13)."""

from typing import Any

import pytest

from qwen_gateway.openai.errors import BadRequest, Unsupported
from tests.openai.asking import tool
from tests.upstreams.encoding import HOSTS, UNKNOWN, encode, sent, told

NAMED = {"type": "function", "function": {"name": "look"}}
TWO = [tool("look"), tool("wait")]
CODER = "qwen3-coder-plus"


def instruction(body: Any) -> str:
    first = body["messages"][0]
    return str(first["content"]) if first["role"] == "system" else ""


@pytest.mark.parametrize("host", HOSTS)
def test_tools_are_sent_without_strict_and_it_is_told(host: str) -> None:
    body = sent(host, tools=[tool(strict=True, description=None)])

    assert body["tools"] == [tool()]
    assert told(host, tools=[tool(strict=True)]) == ["emulated=tools.strict"]
    assert told(host, tools=[tool(strict=False)]) == []


def test_a_tool_without_parameters_gets_empty_ones() -> None:
    (made,) = sent(tools=[{"type": "function", "function": {"name": "look"}}])["tools"]

    assert made["function"]["parameters"] == {"type": "object", "properties": {}}


class TestReservedNames:
    def test_a_reserved_name_is_another_upstream(self) -> None:
        encoded = encode(tools=[tool("search"), tool("search_tool")], model=CODER)

        assert encoded.renamed == {"search_tool_2": "search"}
        assert told(tools=[tool("search")]) == ["translated=tools[0]"]
        assert sent("vllm", UNKNOWN, tools=[tool("search")])["tools"][0]["function"]["name"] == "search"

    def test_a_choice_of_it_is_renamed_too(self) -> None:
        choice = {"type": "function", "function": {"name": "search"}}

        body = sent(tools=[tool("search")], tool_choice=choice, model=CODER)

        assert body["tool_choice"]["function"]["name"] == "search_tool"

    def test_earlier_calls_of_it_are_renamed_too(self) -> None:
        made = {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": "{}"}}
        history = [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": None, "tool_calls": [made]},
            {"role": "tool", "tool_call_id": "call_1", "content": "x"},
        ]

        body = sent(tools=[tool("search")], messages=history)

        assert body["messages"][1]["tool_calls"][0]["function"]["name"] == "search_tool"


class TestChoice:
    @pytest.mark.parametrize("host", HOSTS)
    def test_auto_is_what_happens_anyway(self, host: str) -> None:
        assert "tool_choice" not in sent(host, tools=TWO, tool_choice="auto")

    @pytest.mark.parametrize("host", [host for host in HOSTS if host != "ollama"])
    def test_none_is_sent(self, host: str) -> None:
        assert sent(host, UNKNOWN, tools=TWO, tool_choice="none")["tool_choice"] == "none"

    def test_none_without_the_word_is_no_tools(self) -> None:
        assert "tools" not in sent("ollama", UNKNOWN, tools=TWO, tool_choice="none")
        assert told("ollama", UNKNOWN, tools=TWO, tool_choice="none") == ["emulated=tool_choice"]

    @pytest.mark.parametrize("host", ["vllm", "openrouter", "compatible"])
    def test_required_and_named_are_sent_where_they_are_known(self, host: str) -> None:
        assert sent(host, UNKNOWN, tools=TWO, tool_choice="required")["tool_choice"] == "required"
        assert sent(host, UNKNOWN, tools=TWO, tool_choice=NAMED)["tool_choice"] == NAMED
        assert told(host, UNKNOWN, tools=TWO, tool_choice=NAMED) == []

    def test_dashscope_is_asked_for_a_call_in_words(self) -> None:
        body = sent(model=CODER, tools=TWO, tool_choice="required")

        assert "tool_choice" not in body
        assert "must call one of the tools" in instruction(body)
        assert told(model=CODER, tools=TWO, tool_choice="required") == ["emulated=tool_choice"]

    def test_required_with_one_tool_is_that_tool(self) -> None:
        assert sent(model=CODER, tools=[tool("look")], tool_choice="required")["tool_choice"] == NAMED

    def test_a_tool_is_forced_with_thinking_off(self) -> None:
        body = sent(tools=TWO, tool_choice=NAMED, reasoning_effort="low")

        assert body["tool_choice"] == NAMED
        assert body["enable_thinking"] is False
        assert "thinking_budget" not in body
        assert "emulated=tool_choice" in told(tools=TWO, tool_choice=NAMED)

    @pytest.mark.parametrize("model", [CODER, "qwen-plus"])
    def test_a_model_that_does_not_think_needs_no_switch(self, model: str) -> None:
        body = sent(model=model, tools=TWO, tool_choice=NAMED)

        assert body["tool_choice"] == NAMED
        assert "enable_thinking" not in body

    @pytest.mark.parametrize("choice", [NAMED, "required"])
    def test_a_model_that_cannot_stop_thinking_is_asked_in_words(self, choice: Any) -> None:
        body = sent(model="qwq-plus", tools=[tool("look")], tool_choice=choice)

        assert "tool_choice" not in body
        assert "must call" in instruction(body)

    def test_ollama_gets_the_one_tool_and_words(self) -> None:
        body = sent("ollama", UNKNOWN, tools=TWO, tool_choice=NAMED)

        assert [sent_tool["function"]["name"] for sent_tool in body["tools"]] == ["look"]
        assert "`look`" in instruction(body)

    def test_words_join_the_system_message(self) -> None:
        cached = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
        for content in ("Be brief.", cached):
            messages = [{"role": "system", "content": content}, {"role": "user", "content": "Hi"}]
            body = sent(model=CODER, messages=messages, tools=TWO, tool_choice="required")
            assert len(body["messages"]) == 2
            assert "Be brief." in instruction(body)
            assert "must call" in instruction(body)


class TestBuiltIn:
    def test_dashscope_searches_by_itself(self) -> None:
        body = sent(tools=[{"type": "web_search"}, tool()])

        assert body["enable_search"] is True
        assert body["tools"] == [tool()]
        assert told(tools=[{"type": "web_search_preview"}]) == ["translated=tools[0]"]

    @pytest.mark.parametrize("kind", ["file_search", "code_interpreter", "computer", "mcp", "image_generation"])
    @pytest.mark.parametrize("host", HOSTS)
    def test_others_are_refused_by_name(self, host: str, kind: str) -> None:
        with pytest.raises(Unsupported, match=kind) as refused:
            encode(host, tools=[{"type": kind}])

        assert refused.value.param == "tools[0].type"

    @pytest.mark.parametrize("host", [host for host in HOSTS if host != "dashscope"])
    def test_hosts_without_search_refuse_it(self, host: str) -> None:
        with pytest.raises(Unsupported):
            encode(host, tools=[{"type": "web_search"}])


SCHEMA = {"type": "object", "properties": {"at": {"type": "string"}}}
FORM = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}


class TestResponseFormat:
    @pytest.mark.parametrize("host", HOSTS)
    def test_json_mode_is_sent(self, host: str) -> None:
        body = sent(host, UNKNOWN, response_format={"type": "json_object"})

        assert body["response_format"] == {"type": "json_object"}
        assert ("JSON" in instruction(body)) == (host == "dashscope")

    def test_the_word_is_added_only_when_it_is_missing(self) -> None:
        messages = [{"role": "user", "content": "Answer in Json."}]

        assert instruction(sent(messages=messages, response_format={"type": "json_object"})) == ""
        assert told(response_format={"type": "json_object"}) == ["translated=response_format"]

    @pytest.mark.parametrize("host", HOSTS)
    def test_a_schema_is_sent_and_for_dashscope_put_into_words(self, host: str) -> None:
        body = sent(host, UNKNOWN, response_format=FORM)

        assert body["response_format"] == FORM
        assert ('"properties"' in instruction(body)) == (host == "dashscope")

    @pytest.mark.parametrize("schema", [None, {}, {"schema": 5}])
    def test_a_schema_must_be_there(self, schema: Any) -> None:
        with pytest.raises(BadRequest) as refused:
            encode(response_format={"type": "json_schema", "json_schema": schema})

        assert refused.value.param == "response_format.json_schema.schema"
