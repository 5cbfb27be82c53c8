"""A call for the portal of Qwen's logins (upstream.md 2.7 to 2.10)."""

import json
from typing import Any

import pytest

from qwen_gateway.codec.json import loads
from qwen_gateway.openai.errors import BadRequest, NotFound
from qwen_gateway.simulator.app import App
from qwen_gateway.simulator.faces import FACES
from qwen_gateway.simulator.log import Log, Received
from qwen_gateway.simulator.state import State
from qwen_gateway.upstreams.flavours import flavour
from qwen_gateway.upstreams.key import Encoded
from qwen_gateway.upstreams.kinds import ENCODERS
from qwen_gateway.upstreams.models import Naming, resolve
from qwen_gateway.upstreams.portal import MARKER, user_agent
from tests.openai.asking import call

PORTAL = flavour("portal")
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
SYSTEM = {"role": "system", "content": [MARKER]}


def encode(model: str = "coder-model", **fields: Any) -> Encoded:
    return ENCODERS["oauth"](call(**fields), model, PORTAL)


def messages(*given: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = loads(encode(messages=list(given), **fields).body)["messages"]
    return found


def user(content: Any = "Say hi") -> dict[str, Any]:
    return {"role": "user", "content": content}


def system(content: Any) -> dict[str, Any]:
    return {"role": "system", "content": content}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def test_a_call_without_a_system_message_gets_an_empty_one() -> None:
    assert messages(user()) == [SYSTEM, user()]


def test_the_clients_system_texts_follow_the_marker() -> None:
    found = messages(system("Be brief."), {"role": "developer", "content": "Be kind."}, user())

    assert found == [system([MARKER, text("Be brief.\n\nBe kind.")]), user()]


def test_a_later_system_message_moves_to_the_front() -> None:
    assert messages(user(), system("Be brief.")) == [system([MARKER, text("Be brief.")]), user()]


def test_the_clients_own_cache_marks_in_the_system_message_stay() -> None:
    marked = text("Long.", cache_control={"type": "ephemeral"})

    assert messages(system([marked]), user())[0] == system([MARKER, marked])


def test_a_users_text_is_one_string() -> None:
    assert messages(user([text("one"), text("two")]))[1] == user("one\ntwo")


def test_a_mark_in_a_users_text_is_dropped_with_a_notice() -> None:
    encoded = encode(messages=[user([text("one", cache_control={"type": "ephemeral"}), text("two")])])

    assert loads(encoded.body)["messages"][1] == user("one\ntwo")
    assert [notice.param for notice in encoded.notices if notice.action == "dropped"] == ["cache_control"]


def test_a_users_text_with_a_picture_keeps_its_parts() -> None:
    assert messages(user([text("what?"), IMAGE]))[1] == user([text("what?"), IMAGE])


def test_what_is_asked_for_in_words_goes_behind_the_clients_system_text() -> None:
    found = messages(system("Be brief."), user(), response_format={"type": "json_object"})

    assert found[0]["content"][:2] == [MARKER, text("Be brief.")]
    assert "JSON" in found[0]["content"][2]["text"]


def test_the_headers_name_qwens_own_client() -> None:
    headers = encode(stream=True).headers

    assert headers["x-dashscope-authtype"] == "qwen-oauth"
    assert headers["x-dashscope-useragent"] == headers["user-agent"] == user_agent()
    assert headers["x-dashscope-cachecontrol"] == "enable"
    assert headers["accept"] == "text/event-stream"
    assert "authorization" not in headers


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [
        ("linux", "x86_64", "QwenCode/0.14.3 (linux; x64)"),
        ("darwin", "arm64", "QwenCode/0.14.3 (darwin; arm64)"),
        ("win32", "AMD64", "QwenCode/0.14.3 (win32; x64)"),
    ],
)
def test_platforms_have_the_names_that_node_gives_them(system: str, machine: str, expected: str) -> None:
    assert user_agent(system, machine) == expected


def test_keys_are_not_given_the_portals_headers() -> None:
    headers = ENCODERS["key"](call(), "qwen3.7-plus", flavour("dashscope")).headers

    assert not [name for name in headers if name.startswith("x-dashscope")]


@pytest.mark.parametrize(
    ("effort", "expected"),
    [
        ("none", {"enable_thinking": False}),
        ("low", {"enable_thinking": True, "thinking_budget": 1_024}),
        ("medium", {"enable_thinking": True, "thinking_budget": 8_192}),
        ("high", {"enable_thinking": True}),
    ],
)
def test_efforts_are_seed_as(effort: str, expected: dict[str, Any]) -> None:
    body = loads(encode(reasoning_effort=effort).body)

    assert {name: body[name] for name in ("enable_thinking", "thinking_budget") if name in body} == expected


@pytest.mark.parametrize(("model", "ceiling"), [("coder-model", 65_536), ("vision-model", 32_768)])
def test_long_answers_are_clamped_to_the_model(model: str, ceiling: int) -> None:
    assert loads(encode(model, max_tokens=100_000).body)["max_tokens"] == ceiling


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("coder-model", "coder-model"),
        ("vision-model", "vision-model"),
        ("qwen3-coder-plus", "qwen3-coder-plus"),
        ("qwen3.5-plus", "coder-model"),
        ("qwen3.7-plus", "coder-model"),
        ("gpt-4o", "coder-model"),
        ("gpt-4o-mini", "coder-model"),
        ("gpt-5-codex", "coder-model"),
        ("kimi-k3", "coder-model"),
        ("whatever", "coder-model"),
    ],
)
def test_every_name_becomes_one_that_the_portal_takes(name: str, expected: str) -> None:
    model, notice = resolve(name, Naming({}), PORTAL, PORTAL.models)

    assert model == expected
    assert (notice is None) == (name == expected)


def test_the_operators_default_for_other_accounts_is_not_sent_to_the_portal() -> None:
    assert resolve("whatever", Naming({}, "qwen3.7-plus"), PORTAL, PORTAL.models)[0] == "coder-model"
    assert resolve("whatever", Naming({}, "vision-model"), PORTAL, PORTAL.models)[0] == "vision-model"


def test_the_strict_policy_keeps_what_is_written_down_and_refuses_the_rest() -> None:
    strict = Naming({}, strict=True)

    assert resolve("qwen3.5-plus", strict, PORTAL, PORTAL.models)[0] == "coder-model"
    with pytest.raises(NotFound):
        resolve("kimi-k3", strict, PORTAL, PORTAL.models)


def test_files_are_refused_there_too() -> None:
    with pytest.raises(BadRequest):
        encode(messages=[user([{"type": "file", "file": {"file_id": "f"}}])])


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [user()]},
        {"messages": [user(), system("late")]},
        {"messages": [user([text("what?"), IMAGE])]},
        {"messages": [user()], "max_completion_tokens": 200_000},
        {"messages": [user()], "response_format": {"type": "json_object"}, "reasoning_effort": "none"},
    ],
)
def test_the_simulated_portal_takes_it(fields: dict[str, Any]) -> None:
    encoded = encode(**fields)
    state = State(Log(), lambda: 1_790_000_000.0)
    token = state.logins.login()["access_token"]
    headers = [*encoded.headers.items(), ("authorization", f"Bearer {token}")]
    path = FACES["portal"].prefix + encoded.path

    reply = App(state)(Received(1, 1, "1.1", "POST", path, headers, 0.0, encoded.body))

    assert reply.status == 200, json.dumps(loads(encoded.body))
