"""Tools for upstreams that have none: whole sessions of agents, in both conventions, over both kinds of account."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openai.types.chat import ChatCompletionMessageFunctionToolCall

from qwen_auth.account import Account
from qwen_auth.credentials import KeyCredentials
from qwen_auth.store import AccountStore
from qwen_gateway.simulator import Simulator
from qwen_gateway.upstreams.tool_prompt.history import render_call
from tests.e2e.asking import ask, error, events, notices, openai
from tests.e2e.conftest import Starter
from tests.e2e.mitm import Mitm
from tests.e2e.test_web_chat import add_session, browser_session
from tests.upstreams.tool_prompt.boxes import ROO
from tests.upstreams.tool_prompt.forty import ARGUMENTS, FORTY

SCHEMAS = {tool["function"]["name"]: tool["function"]["parameters"] for tool in [*ROO, *FORTY]}
KINDS = pytest.mark.parametrize("kind", ["web", "key"])
CONVENTIONS = pytest.mark.parametrize("worded", ["json", "xml"], indirect=True)
CODE = 'def f(a):\n    """<path> & </content>"""\n    return "<tool_call>" if a < 1 else {"x": [1]}\n'


@pytest.fixture(scope="module")
def gateways(starter: Starter, upstream: Simulator) -> dict[str, Mitm]:
    """A gateway for each convention, each with an account of both kinds."""
    made = {}
    for convention in ("json", "xml"):
        gateway = starter(f"words-{convention}", options={"qwen_tool_prompt": convention})
        add_session(gateway, "web", browser_session(upstream, life=86_400), upstream.url("web"))
        store = AccountStore(gateway.home)
        url = upstream.url("vllm")
        store.add(Account("key", "key", "no-tools", url, KeyCredentials("sk-sim")))
        store.add(Account("toolless", "key", "vllm", url, KeyCredentials("sk-sim")))
        store.add(Account("leaky", "key", "vllm", url, KeyCredentials("sk-sim")))
        made[convention] = gateway.start()
    return made


@pytest.fixture
def worded(gateways: dict[str, Mitm], sim: Simulator, request: pytest.FixtureRequest) -> Iterator[Mitm]:
    sim.web.reset()
    gateway = gateways[getattr(request, "param", "json")]
    yield gateway
    assert gateway.troubles() == []


def convention_of(gateway: Mitm) -> Any:
    return gateway.options["qwen_tool_prompt"]


def lay_out(sim: Simulator, kind: str, text: str, chance: random.Random) -> None:
    """What the model writes next, in pieces of random size."""
    if kind == "key":
        params = {"text": text, "cut": chance.choice([1, 2, 3, 5, 17, 1000])}
        sim.script([{"fault": "says", "params": params, "path": "/chat/completions"}])
        return
    places = sorted(chance.sample(range(1, len(text)), min(len(text) - 1, chance.randint(1, 60))))
    pieces = [text[start:stop] for start, stop in zip([0, *places], [*places, len(text)], strict=True)]
    sim.web.say(pieces, thoughts="")


def prompt(sim: Simulator, kind: str) -> str:
    """Everything that the last turn said, as one text."""
    messages = sim.log[-1].json["messages"]
    return str(messages[0]["content"]) if kind == "web" else "\n\n".join(message["content"] for message in messages)


async def answer(gateway: Mitm, kind: str, *, stream: bool, **fields: Any) -> Any:
    """The message of one answer, put together by the official library."""
    async with openai(gateway) as client:
        headers = {"x-qwen-account": kind}
        if not stream:
            made = await client.chat.completions.create(extra_headers=headers, **fields)
            return made.choices[0]
        async with client.chat.completions.stream(extra_headers=headers, **fields) as events_of:
            async for _ in events_of:
                pass
            return (await events_of.get_final_completion()).choices[0]


def check(calls: list[ChatCompletionMessageFunctionToolCall] | None, meant: list[tuple[str, dict[str, Any]]]) -> None:
    """Every call whole and valid."""
    made = [(call.function.name, json.loads(call.function.arguments)) for call in calls or []]
    assert made == meant
    for name, arguments in made:
        Draft202012Validator(SCHEMAS[name]).validate(arguments)
    ids = [call.id for call in calls or []]
    assert len(set(ids)) == len(ids)


SESSION: list[tuple[str, dict[str, Any], str]] = [
    ("list_files", {"path": ".", "recursive": True}, "src/a.py"),
    ("search_files", {"path": "src", "regex": '<b>\\d+ & "x"'}, ""),
    ("read_file", {"path": "src/a.py", "start_line": 1}, CODE),
    ("write_to_file", {"path": "src/a.py", "content": CODE, "line_count": 3}, "written"),
    ("execute_command", {"command": 'python -m pytest -q && echo "ok" < /dev/null', "requires_approval": False}, "ok"),
    ("attempt_completion", {"result": "All done:\n\n* `f` is written.\n"}, "accepted"),
]
"""Roo's six tools: a call, and what the tool says."""


@CONVENTIONS
@KINDS
@pytest.mark.parametrize("stream", [True, False])
async def test_a_session_with_the_six_tools(worded: Mitm, sim: Simulator, kind: str, stream: bool) -> None:
    chance = random.Random(7)
    convention = convention_of(worded)
    messages: list[Any] = [{"role": "system", "content": "You are Roo."}, {"role": "user", "content": "Write f"}]
    for number, (name, arguments, result) in enumerate(SESSION):
        lay_out(sim, kind, f"Step {number}.\n\n{render_call(name, arguments, convention)}\n", chance)
        made = await answer(worded, kind, stream=stream, model="qwen3.7-plus", messages=messages, tools=ROO)

        check(made.message.tool_calls, [(name, arguments)])
        assert made.message.content == f"Step {number}."
        assert made.finish_reason == "tool_calls"
        call = made.message.tool_calls[0].model_dump(exclude={"index", "parsed_arguments"})
        call["function"].pop("parsed_arguments", None)
        messages.append({"role": "assistant", "content": made.message.content, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
    lay_out(sim, kind, "Goodbye, 1 < 2 <3", chance)
    last = await answer(worded, kind, stream=stream, model="qwen3.7-plus", messages=messages, tools=ROO)

    if kind == "web":  # one chat: each turn says only what the tool has said
        assert len(sim.web.chats) == 1
        assert prompt(sim, kind).count("accepted") == 1
        assert "You are Roo." not in prompt(sim, kind)
    assert last.message.content == "Goodbye, 1 < 2 <3"
    assert last.finish_reason == "stop"
    assert not last.message.tool_calls


@CONVENTIONS
@KINDS
async def test_forty_tools_of_nested_schemas(worded: Mitm, sim: Simulator, kind: str) -> None:
    chance = random.Random(11)
    convention = convention_of(worded)
    names = [tool["function"]["name"] for tool in FORTY]
    for start in range(0, 40, 5):
        meant = [(name, {**ARGUMENTS, "limit": number + 1}) for number, name in enumerate(names[start : start + 5])]
        text = "\n".join(render_call(name, arguments, convention) for name, arguments in meant)
        lay_out(sim, kind, text, chance)
        made = await answer(
            worded, kind, stream=True, model="qwen3.7-plus", messages=[{"role": "user", "content": "Go"}], tools=FORTY
        )

        check(made.message.tool_calls, meant)
        assert not made.message.content
    offered = prompt(sim, kind)
    assert all(name in offered for name in names)
    assert len(offered.encode()) < 0.8 * len(json.dumps(FORTY))


@CONVENTIONS
@KINDS
def test_the_history_is_told_in_the_convention(worded: Mitm, sim: Simulator, kind: str) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "read_file", "arguments": '{"path":"a.py"}'}}
    messages = [
        {"role": "user", "content": "Read it"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "x = 1"},
    ]
    lay_out(sim, kind, "It says x = 1.", random.Random(1))
    answered = ask(worded, headers={"x-qwen-account": kind}, model="m", messages=messages, tools=ROO)

    told = prompt(sim, kind)
    assert answered.json()["choices"][0]["message"]["content"] == "It says x = 1."
    assert "emulated=tools" in notices(answered)
    if convention_of(worded) == "json":
        assert '<tool_call>\n{"name":"read_file","arguments":{"path":"a.py"}}\n</tool_call>' in told
        assert '<tool_response tool_call_id="call_1" name="read_file">\nx = 1\n</tool_response>' in told
    else:
        assert "<read_file>\n<path>a.py</path>\n</read_file>" in told
        assert "Tool Result from read_file:\nx = 1" in told
    assert "tools" not in sim.log[-1].json


@KINDS
def test_a_choice_is_told_in_words(worded: Mitm, sim: Simulator, kind: str) -> None:
    def told(choice: Any) -> str:
        lay_out(sim, kind, "Fine.", random.Random(1))
        headers = {"x-qwen-account": kind}
        messages = [{"role": "user", "content": "Go"}]
        ask(worded, headers=headers, model="m", messages=messages, tools=ROO, tool_choice=choice)
        return prompt(sim, kind)

    assert "read_file" not in told("none")
    assert "answer in plain text" in told("auto")


@KINDS
@pytest.mark.parametrize("stream", [True, False])
def test_a_call_that_breaks_off_is_asked_for_again(worded: Mitm, sim: Simulator, kind: str, stream: bool) -> None:
    text = render_call("read_file", {"path": "a.py"}, "json")
    chance = random.Random(3)
    lay_out(sim, kind, '<tool_call>\n{"na', chance)
    lay_out(sim, kind, text, chance)
    answered = ask(
        worded,
        headers={"x-qwen-account": kind},
        model="m",
        messages=[{"role": "user", "content": "Go"}],
        tools=ROO,
        stream=stream,
        reasoning_effort="none",  # thoughts are shown at once, and after that nothing is tried again
    )

    assert answered.status_code == 200
    said = answered.text if stream else json.dumps(answered.json())
    assert "read_file" in said
    assert "tool_calls" in said


@KINDS
def test_a_call_that_breaks_off_behind_text_ends_in_an_error(worded: Mitm, sim: Simulator, kind: str) -> None:
    sim.state.pace = 0.05
    lay_out(sim, kind, 'I read it now.\n<tool_call>\n{"name": "read_file", "arguments": {"path": "a', random.Random(3))
    answered = ask(
        worded,
        headers={"x-qwen-account": kind},
        model="m",
        messages=[{"role": "user", "content": "Go"}],
        tools=ROO,
        stream=True,
    )

    told = events(answered)
    choices = [choice for event in told for choice in event.get("choices", ())]
    assert {choice["finish_reason"] for choice in choices} == {None}
    assert told[-1]["error"]["code"] == "upstream_malformed"
    assert "did not end it" in told[-1]["error"]["message"]


@KINDS
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [("read_file", {"start_line": 1}, "'path' is a required property"), ("read_files", {"path": "a"}, "no such tool")],
)
def test_a_wrong_call_is_asked_for_once_more(
    worded: Mitm, sim: Simulator, kind: str, stream: bool, name: str, arguments: dict[str, Any], why: str
) -> None:
    chance = random.Random(3)
    lay_out(sim, kind, render_call(name, arguments, "json"), chance)
    lay_out(sim, kind, render_call("read_file", {"path": "a.py"}, "json"), chance)
    answered = ask(
        worded,
        headers={"x-qwen-account": kind},
        model="m",
        messages=[{"role": "user", "content": "Go"}],
        tools=ROO,
        stream=stream,
    )

    calls = calls_of(answered, stream=stream)
    assert calls == [("read_file", '{"path":"a.py"}')]
    assert why in prompt(sim, kind)


@KINDS
def test_a_call_that_stays_wrong_is_the_clients_to_judge(worded: Mitm, sim: Simulator, kind: str) -> None:
    wrong = render_call("read_file", {"start_line": 1}, "json")
    lay_out(sim, kind, wrong, random.Random(3))
    lay_out(sim, kind, wrong, random.Random(4))
    messages = [{"role": "user", "content": "Go"}]
    answered = ask(worded, headers={"x-qwen-account": kind}, model="m", messages=messages, tools=ROO)

    assert calls_of(answered, stream=False) == [("read_file", '{"start_line":1}')]


def calls_of(answered: Any, *, stream: bool) -> list[tuple[str, str]]:
    """Names and arguments of the calls in an answer."""
    if not stream:
        calls = answered.json()["choices"][0]["message"]["tool_calls"]
        return [(call["function"]["name"], call["function"]["arguments"]) for call in calls]
    made: dict[int, list[str]] = {}
    for event in events(answered):
        for choice in event["choices"]:
            for call in choice["delta"].get("tool_calls") or ():
                known = made.setdefault(call["index"], ["", ""])
                known[0] += call["function"].get("name") or ""
                known[1] += call["function"].get("arguments") or ""
    return [(name, arguments) for name, arguments in made.values()]


def test_a_tool_that_is_no_function_is_refused(worded: Mitm) -> None:
    answered = ask(
        worded,
        headers={"x-qwen-account": "key"},
        model="m",
        messages=[{"role": "user", "content": "Go"}],
        tools=[{"type": "file_search"}],
    )

    assert answered.status_code == 400
    assert error(answered)["param"] == "tools[0].type"


@pytest.mark.parametrize("fault", ["tool-call-in-content", "tool-call-xml-in-content"])
@pytest.mark.parametrize("stream", [True, False])
async def test_calls_that_a_server_leaves_in_the_text(worded: Mitm, sim: Simulator, fault: str, stream: bool) -> None:
    """llama.cpp, and vLLM without a parser (upstream.md 4.13): the tools are native, the calls are not."""
    sim.script([{"fault": fault, "path": "/chat/completions"}])
    made = await answer(
        worded,
        "leaky",
        stream=stream,
        model="Qwen/Qwen3-32B",
        messages=[{"role": "user", "content": "read_file path=src/a.py start_line=3"}],
        tools=ROO,
    )

    check(made.message.tool_calls, [("read_file", {"path": "src/a.py", "start_line": 3})])
    assert made.finish_reason == "tool_calls"
    assert sim.log[-1].json["tools"]


async def test_a_server_that_refuses_tools_gets_them_in_words(worded: Mitm, sim: Simulator) -> None:
    """vLLM without `--enable-auto-tool-choice` (upstream.md 4.13): asked in vain once, and never again."""
    chance = random.Random(5)
    sim.script([{"fault": "no-tool-parser", "path": "/chat/completions"}])
    wish = {"model": "Qwen/Qwen3-32B", "messages": [{"role": "user", "content": "Go"}], "tools": ROO}
    for _ in range(2):
        lay_out(sim, "key", render_call("read_file", {"path": "a.py"}, "json"), chance)
        made = await answer(worded, "toolless", stream=True, **wish)
        check(made.message.tool_calls, [("read_file", {"path": "a.py"})])

    assert ["tools" in received.json for received in sim.log if received.method == "POST"] == [True, False, False]


@pytest.mark.parametrize("stream", [True, False])
async def test_thoughts_that_a_server_leaves_in_the_text(worded: Mitm, sim: Simulator, stream: bool) -> None:
    sim.script([{"fault": "think-in-content", "path": "/chat/completions"}])
    messages = [{"role": "user", "content": "Say hi"}]
    made = await answer(worded, "leaky", stream=stream, model="Qwen/Qwen3-32B", messages=messages)

    assert made.message.reasoning_content.startswith("The user has sent")
    assert made.message.content.startswith("Hello!")


async def test_the_responses_api_over_a_browser_session(worded: Mitm, sim: Simulator) -> None:
    lay_out(sim, "web", "Look:\n" + render_call("read_file", {"path": "a.py"}, "json"), random.Random(5))
    tools: list[Any] = [{"type": "function", "strict": False, **ROO[0]["function"]}]
    async with openai(worded) as client:
        made = await client.responses.create(
            model="qwen3.7-plus", input="Go", tools=tools, extra_headers={"x-qwen-account": "web"}
        )

    calls = [item for item in made.output if item.type == "function_call"]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [("read_file", {"path": "a.py"})]
    assert made.output_text == "Look:"


PATCH = "*** Begin Patch\n*** Update File: a.py\n\n-x\n+y < 1\n*** End Patch"


@CONVENTIONS
async def test_a_freeform_tool_gets_its_text_as_it_stands(worded: Mitm, sim: Simulator) -> None:
    """Codex's apply_patch (openai-surface.md section 2)."""
    lay_out(sim, "web", render_call("apply_patch", {"input": PATCH}, convention_of(worded)), random.Random(5))
    tools: list[Any] = [{"type": "custom", "name": "apply_patch", "description": "Edits files."}]
    async with openai(worded) as client:
        made = await client.responses.create(
            model="qwen3.7-plus", input="Go", tools=tools, extra_headers={"x-qwen-account": "web"}
        )

    calls = [item for item in made.output if item.type == "custom_tool_call"]
    assert [(call.name, call.input) for call in calls] == [("apply_patch", PATCH)]


@KINDS
def test_functions_of_old_are_answered_in_their_own_form(worded: Mitm, sim: Simulator, kind: str) -> None:
    lay_out(sim, kind, render_call("read_file", {"path": "a.py"}, "json"), random.Random(5))
    functions = [tool["function"] for tool in ROO]
    messages = [{"role": "user", "content": "Go"}]
    answered = ask(worded, headers={"x-qwen-account": kind}, model="m", messages=messages, functions=functions)

    choice = answered.json()["choices"][0]
    assert choice["message"]["function_call"] == {"name": "read_file", "arguments": '{"path":"a.py"}'}
    assert choice["finish_reason"] == "function_call"


@KINDS
@pytest.mark.parametrize("stream", [True, False])
def test_one_call_at_a_time_is_one_call(worded: Mitm, sim: Simulator, kind: str, stream: bool) -> None:
    text = render_call("read_file", {"path": "a.py"}, "json") + render_call("list_files", {"path": "."}, "json")
    lay_out(sim, kind, text, random.Random(5))
    answered = ask(
        worded,
        headers={"x-qwen-account": kind},
        model="m",
        messages=[{"role": "user", "content": "Go"}],
        tools=ROO,
        stream=stream,
        parallel_tool_calls=False,
    )

    assert calls_of(answered, stream=stream) == [("read_file", '{"path":"a.py"}')]
    assert "one call at most" in prompt(sim, kind)


@KINDS
def test_a_demanded_call_is_asked_for_once_more(worded: Mitm, sim: Simulator, kind: str) -> None:
    lay_out(sim, kind, "I would rather talk.", random.Random(5))
    lay_out(sim, kind, render_call("read_file", {"path": "a.py"}, "json"), random.Random(5))
    choice = {"type": "function", "function": {"name": "read_file"}}
    messages = [{"role": "user", "content": "Go"}]
    answered = ask(
        worded,
        headers={"x-qwen-account": kind},
        model="m",
        messages=messages,
        tools=ROO,
        tool_choice=choice,
        stream=True,
    )

    assert calls_of(answered, stream=True) == [("read_file", '{"path":"a.py"}')]
