"""Bodies of the Responses API as chat calls: every kind of item, tool and parameter that clients send."""

import json
from typing import Any

import pytest

from qwen_gateway.openai.errors import BadRequest, NotFound, OpenAIError, Unsupported
from qwen_gateway.openai.responses_items import REASONING
from qwen_gateway.openai.responses_request import Context, Unresolved, parse_responses, responses_in_chat
from tests.openai.responding import LOOK, SEAL, WAIT, call, messages, said

CALL: dict[str, Any] = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"at":"sky"}'}
OUTPUT: dict[str, Any] = {"type": "function_call_output", "call_id": "c1", "output": "blue"}


def refused(given: Any = "Hi", **fields: Any) -> OpenAIError:
    with pytest.raises(OpenAIError) as caught:
        call(given, **fields)
    return caught.value


def test_a_text_is_a_user_message() -> None:
    assert messages("Hi") == [{"role": "user", "content": "Hi"}]


def test_instructions_come_first() -> None:
    assert messages("Hi", instructions="Be brief.")[0] == {"role": "system", "content": "Be brief."}


def test_messages_keep_their_order_and_parts_become_chats() -> None:
    picture = {"type": "input_image", "image_url": "https://x.example/a.png", "detail": "low"}
    sound = {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}
    given = [
        {"role": "developer", "content": "Rules"},
        said("user", [{"type": "input_text", "text": "What?"}, picture, sound]),
        said("assistant", [{"type": "output_text", "text": "A cat.", "annotations": []}]),
        said("user", [{"type": "input_text", "text": "Sure?"}]),
    ]

    assert messages(given) == [
        {"role": "developer", "content": "Rules"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What?"},
                {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "low"}},
                sound,
            ],
        },
        {"role": "assistant", "content": "A cat."},
        {"role": "user", "content": "Sure?"},
    ]


def test_an_answer_of_several_items_is_one_message() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Look first."}]}
    given = [said("user", "Weather?"), thought, said("assistant", "I look."), CALL, OUTPUT, said("user", "Thanks")]

    assert messages(given)[1:3] == [
        {
            "role": "assistant",
            "content": "I look.",
            "reasoning_content": "Look first.",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at":"sky"}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "blue"},
    ]


def test_outputs_follow_their_calls_wherever_they_stand() -> None:
    second, later = {**CALL, "call_id": "c2"}, {**OUTPUT, "call_id": "c2", "output": "green"}

    roles = [
        (found["role"], found.get("tool_call_id"))
        for found in messages([CALL, second, OUTPUT, said("user", "?"), later])
    ]

    assert roles == [("assistant", None), ("tool", "c1"), ("tool", "c2"), ("user", None)]


def test_an_id_that_is_used_again_means_the_later_call() -> None:
    given = [CALL, OUTPUT, CALL, {**OUTPUT, "output": "grey"}]

    assert [found["content"] for found in messages(given) if found["role"] == "tool"] == ["blue", "grey"]


def test_a_call_without_its_output_is_refused_and_the_other_way_round() -> None:
    assert "No tool output found for the call c1" in refused([CALL, said("user", "Hi")]).message
    assert "No tool call found" in refused([OUTPUT]).message
    assert refused([said("user", "Hi"), OUTPUT]).param == "input[1]"


def test_an_output_may_have_pictures() -> None:
    parts = [{"type": "input_text", "text": "See"}, {"type": "input_image", "image_url": "data:image/png;base64,AA=="}]

    assert messages([CALL, {**OUTPUT, "output": parts}])[1]["content"][1]["image_url"]["url"].startswith("data:")


def test_our_own_sealed_thoughts_are_read_again() -> None:
    sealed = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": SEAL.seal("Hm.", REASONING)}

    assert messages([sealed, said("assistant", "Hi"), said("user", "?")])[0]["reasoning_content"] == "Hm."


def test_anybody_elses_are_left_out_with_a_notice() -> None:
    sealed = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAABo"}

    parsed = call([said("user", "?"), sealed, said("assistant", "Hi"), said("user", "?")])

    assert "reasoning_content" not in parsed.body["messages"][1]
    assert [str(notice) for notice in parsed.notices] == [
        "dropped input[1].encrypted_content: it was not sealed by this gateway"
    ]


def test_freeform_tools_and_their_history_become_functions() -> None:
    tool = {
        "type": "custom",
        "name": "patch",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
    }
    given = [
        {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "*** x"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"},
    ]

    parsed = call(given, tools=[tool])

    assert parsed.custom_tools == {"patch"}
    assert "start: x" in parsed.body["tools"][0]["function"]["description"]
    assert parsed.body["messages"][0]["tool_calls"][0]["function"] == {
        "name": "patch",
        "arguments": '{"input":"*** x"}',
    }


def test_namespaces_are_flattened_in_tools_and_history() -> None:
    space = {"type": "namespace", "name": "mcp__mail__", "description": "Mail", "tools": [LOOK]}

    parsed = call([{**CALL, "namespace": "mcp__mail__"}, OUTPUT], tools=[space, WAIT])

    assert [tool["function"]["name"] for tool in parsed.body["tools"]] == ["mcp__mail__look", "wait"]
    assert parsed.body["messages"][0]["tool_calls"][0]["function"]["name"] == "mcp__mail__look"


def test_long_names_are_cut_but_stay_different() -> None:
    spaces = [{"type": "namespace", "name": letter * 60, "description": "", "tools": [LOOK]} for letter in "ab"]
    tools = call(tools=spaces).body["tools"]

    assert len({tool["function"]["name"] for tool in tools}) == 2
    assert all(len(tool["function"]["name"]) <= 64 for tool in tools)


def test_tools_may_come_as_an_item() -> None:
    given = [{"type": "additional_tools", "role": "developer", "tools": [LOOK, WAIT]}, said("user", "Hi")]

    parsed = call(given, tool_choice="auto")

    assert [tool["function"]["name"] for tool in parsed.body["tools"]] == ["look", "wait"]
    assert parsed.body["messages"] == [{"role": "user", "content": "Hi"}]


def test_tools_that_a_search_of_the_client_found_are_offered_from_then_on() -> None:
    search = {"type": "tool_search", "execution": "client", "description": "Find tools"}
    hidden = {**WAIT, "defer_loading": True}
    asked = {"type": "tool_search_call", "call_id": "s1", "execution": "client", "arguments": {"query": "wait"}}
    found = {"type": "tool_search_output", "call_id": "s1", "execution": "client", "tools": [hidden]}

    before = call(tools=[search, hidden])
    after = call([said("user", "Hi"), asked, found], tools=[search, hidden])

    assert [tool["function"]["name"] for tool in before.body["tools"]] == ["tool_search"]
    assert [tool["function"]["name"] for tool in after.body["tools"]] == ["tool_search", "wait"]
    assert after.body["messages"][2]["role"] == "tool"


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("required", "required"),
        ({"type": "function", "name": "look"}, {"type": "function", "function": {"name": "look"}}),
        ({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "look"}]}, "required"),
        ({"type": "web_search"}, "auto"),
    ],
)
def test_tool_choice(choice: Any, sent: Any) -> None:
    parsed = call(tools=[LOOK, WAIT, {"type": "web_search"}], tool_choice=choice)

    assert parsed.body["tool_choice"] == sent
    names = {tool.get("function", {}).get("name") for tool in parsed.body["tools"]}
    assert ("wait" in names) == (not isinstance(choice, dict) or choice["type"] != "allowed_tools")


def test_parameters_by_their_names_in_chat() -> None:
    schema = {"type": "object", "properties": {}}
    parsed = call(
        max_output_tokens=99,
        reasoning={"effort": "high", "summary": "auto"},
        text={"verbosity": "low", "format": {"type": "json_schema", "name": "a", "schema": schema, "strict": True}},
        top_logprobs=2,
        parallel_tool_calls=False,
        tools=[LOOK],
        prompt_cache_key="k",
        top_k=3,
        client_metadata={"a": "b"},
    )

    assert parsed.body | {"messages": [], "tools": []} == {
        "messages": [], "tools": [], "max_completion_tokens": 99, "reasoning_effort": "high", "verbosity": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}},
        "logprobs": True, "top_logprobs": 2, "parallel_tool_calls": False, "prompt_cache_key": "k", "top_k": 3,
    }  # fmt: skip
    assert parsed.stickiness == "k"
    assert [str(notice) for notice in parsed.notices] == ["withheld client_metadata: not sent to the upstream"]


def test_errors_and_notices_name_what_the_client_wrote() -> None:
    parsed = call([said("user", "Hi"), CALL, OUTPUT], instructions="x")

    assert parsed.client_name("messages[0].content") == "instructions.content"
    assert parsed.client_name("messages[3].content[1]") == "input[2].content[1]"
    assert parsed.client_name("max_completion_tokens") == "max_output_tokens"
    assert parsed.client_name("response_format.json_schema.schema") == "text.format.schema"
    assert parsed.client_name("temperature") == "temperature"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"given": None}, "input"), ({"given": []}, "input"), ({"given": [1]}, "input[0]"),
        ({"given": [{"type": "message", "role": "robot", "content": ""}]}, "input[0].role"),
        ({"given": [said("user", 3)]}, "input[0].content"), ({"given": [said("user", [3])]}, "input[0].content[0]"),
        ({"given": [said("user", [{"type": "input_text"}])]}, "input[0].content[0].text"),
        ({"given": [{"type": "function_call", "name": "x"}]}, "input[0].call_id"),
        ({"temperature": 3}, "temperature"), ({"text": {"format": {"type": "yaml"}}}, "text.format.type"),
        ({"metadata": {"a": 1}}, "metadata"), ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [LOOK], "tool_choice": {"type": "function", "name": "fly"}}, "tool_choice"),
        ({"truncation": "some"}, "truncation"), ({"max_output_tokens": 0}, "max_output_tokens"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_named(fields: dict[str, Any], param: str) -> None:
    error = refused(**{"given": "Hi", **fields})

    assert error.status == 400
    assert error.param is not None
    assert error.param.startswith(param)


@pytest.mark.parametrize("kind", ["file_search", "code_interpreter", "mcp", "image_generation", "computer_use_preview"])
def test_tools_that_qwen_lacks_are_refused_by_name(kind: str) -> None:
    error = refused(tools=[{"type": kind}])

    assert isinstance(error, Unsupported)
    assert kind in error.message


@pytest.mark.parametrize(
    "item", [{"type": "local_shell_call", "call_id": "1"}, said("user", [{"type": "input_file", "file_id": "f"}])]
)
def test_items_that_qwen_lacks_are_refused(item: dict[str, Any]) -> None:
    assert isinstance(refused([item]), Unsupported)


def test_what_a_providers_own_tools_did_is_left_out_with_a_notice() -> None:
    given = [said("user", "News?"), {"type": "web_search_call", "id": "ws_1", "status": "completed"}, said("user", "?")]

    assert [notice.param for notice in call(given).notices] == ["input[1]"]


def test_a_chat_body_is_told_where_to_go() -> None:
    body = {"model": "gpt-5", "messages": [{"role": "user", "content": "Hi"}]}

    with pytest.raises(BadRequest, match="/v1/chat/completions"):
        parse_responses(json.dumps(body).encode(), SEAL)


def test_what_is_not_kept_is_never_gone_on_without() -> None:
    previous = refused(previous_response_id="resp_1")
    assert (previous.status, previous.code) == (400, "previous_response_not_found")
    assert isinstance(refused(conversation="conv_1"), NotFound)
    assert isinstance(refused([{"type": "item_reference", "id": "rs_1"}, said("user", "Hi")]), NotFound)
    assert refused(previous_response_id="resp_1", conversation="conv_1").status == 400


def test_what_is_kept_joins_the_call() -> None:
    context = Context(
        [("earlier[0]", said("user", "Hi")), ("earlier[1]", said("assistant", "Hello"))], {"m": said("user", "So?")}
    )
    body = {"model": "m", "input": [{"type": "item_reference", "id": "m"}], "previous_response_id": "resp_1"}

    unresolved = parse_responses(json.dumps(body).encode(), SEAL)
    assert isinstance(unresolved, Unresolved)
    parsed = unresolved.resolved(context)

    assert [message["content"] for message in parsed.body["messages"]] == ["Hi", "Hello", "So?"]


def test_a_body_of_the_responses_api_in_chat_keeps_its_wish_for_usage() -> None:
    body = {"model": "gpt-5.5-extra", "input": [said("user", "Hi")], "stream": True, "user": "u"}

    parsed = responses_in_chat(body | {"stream_options": {"include_usage": True}}, SEAL)

    assert parsed.include_usage
    assert parsed.body == {"messages": [{"role": "user", "content": "Hi"}], "user": "u"}


def test_a_limit_of_built_in_calls_holds_where_there_are_none_and_is_refused_beside_a_search() -> None:
    kept = call("Hi", max_tool_calls=1, tools=[LOOK])

    assert kept.notices == []
    refusal = refused(max_tool_calls=1, tools=[LOOK, {"type": "web_search"}])
    assert isinstance(refusal, Unsupported)
    assert refusal.param == "max_tool_calls"


def test_context_management_lets_the_oldest_turns_go_and_says_so() -> None:
    managed = call("Hi", context_management=[{"type": "compaction", "compact_threshold": 1000}])

    assert managed.trims
    assert [(notice.action, notice.param) for notice in managed.notices] == [("emulated", "context_management")]
    assert not call("Hi").trims
