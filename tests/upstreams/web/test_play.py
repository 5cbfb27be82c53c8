"""The requests of a call, without the network: their order, and what is mended on the way."""

from typing import Any

import pytest

from qwen_gateway.codec.deltas import Fault
from qwen_gateway.codec.json import dumps, loads
from qwen_gateway.openai.errors import BadRequest, TooLarge, Unsupported
from qwen_gateway.upstreams.flavours import flavour
from qwen_gateway.upstreams.situation import Chat, Situation
from qwen_gateway.upstreams.steps import Reply, Request
from qwen_gateway.upstreams.web.encode import WebEncoded, encode_chat
from tests.openai.asking import call

HI = {"role": "user", "content": "Say hi"}
HISTORY = [{"role": "user", "content": "I am Alice"}, {"role": "assistant", "content": "Hello Alice."}, HI]
PIXEL = "data:image/png;base64,iVBORw0KGgo="
HOME = Situation("https://chat.qwen.ai")
NEW = Reply(200, body=dumps({"success": True, "data": {"id": "c-new"}}))
TICKET = {
    "access_key_id": "STS.x", "access_key_secret": "secret", "security_token": "token", "bucketname": "qwen-webui-prod",
    "region": "oss-ap-southeast-1", "endpoint": "oss-ap-southeast-1.aliyuncs.com", "file_path": "u-1/f-1_a.png",
    "file_url": "https://x", "file_id": "f-1",
}  # fmt: skip


def encoded(situation: Situation = HOME, model: str = "qwen3.7-plus", **fields: Any) -> WebEncoded:
    return encode_chat(call(**{"messages": [HI], **fields}), model, flavour("web"), situation=situation)


def refusal(code: str, details: str) -> Fault:
    from qwen_gateway.upstreams.web.refusals import fault_of_object

    fault = fault_of_object({"success": False, "data": {"code": code, "details": details}})
    assert fault is not None
    return fault


IN_PROGRESS = refusal("Bad_Request", "The chat is in progress!")
LOST = refusal("Bad_Request", "Invalid input chat parent_id 7 is not exist.")
GONE = refusal("Not_Found", "Chat not found")


def played(made: WebEncoded, *outcomes: Reply | Fault) -> tuple[list[Request], Fault | None]:
    """The requests that these outcomes lead to, and how it ended; a final request without an outcome was answered."""
    steps = made.steps()
    requests = [next(steps)]
    for outcome in outcomes:
        try:
            requests.append(steps.send(outcome))
        except StopIteration as end:
            return requests, end.value
    return requests, None


def paths(requests: list[Request]) -> list[str]:
    return [request.url.partition("?")[0].removeprefix("/api/v2/") for request in requests]


def turn_of(request: Request) -> Any:
    assert request.final
    return loads(request.body)


def test_a_new_chat_and_one_message_in_it() -> None:
    (new, turn), _ = played(encoded(), NEW)

    assert loads(new.body)["chat_mode"] == "normal"
    assert loads(new.body)["timestamp"] > 10**12
    body = turn_of(turn)
    assert turn.url == "/api/v2/chat/completions?chat_id=c-new"
    assert (body["parent_id"], body["chat_id"], body["stream"]) == (None, "c-new", True)
    (message,) = body["messages"]
    assert message["content"] == "Say hi"
    assert message["feature_config"]["output_schema"] == "phase"
    assert body["timestamp"] < 10**11


def test_a_chat_is_continued_with_the_new_message_alone() -> None:
    (turn,), _ = played(encoded(Situation("https://chat.qwen.ai", chat=Chat("c-1", "r-1")), messages=HISTORY))

    body = turn_of(turn)
    assert (body["chat_id"], body["parent_id"], body["messages"][0]["parentId"]) == ("c-1", "r-1", "r-1")
    assert body["messages"][0]["content"] == "Say hi"


@pytest.mark.parametrize("fault", [LOST, GONE])
def test_a_lost_chat_is_begun_anew_with_everything_once(fault: Fault) -> None:
    made = encoded(Situation("https://chat.qwen.ai", chat=Chat("c-1", "r-1")), messages=HISTORY)

    requests, ended = played(made, fault, NEW, fault)

    assert paths(requests) == ["chat/completions", "chats/new", "chat/completions"]
    assert "Hello Alice." in turn_of(requests[2])["messages"][0]["content"]
    assert turn_of(requests[2])["parent_id"] is None
    assert "the chat was lost" in made.notices[-1].detail
    assert ended is fault


def test_a_chat_that_still_talks_is_stopped_and_asked_again() -> None:
    made = encoded(Situation("https://chat.qwen.ai", chat=Chat("c-1", "r-1")), messages=HISTORY)

    requests, _ = played(made, IN_PROGRESS, Reply(200), IN_PROGRESS, NEW)

    assert paths(requests) == [
        "chat/completions", "chat/completions/stop", "chat/completions", "chats/new", "chat/completions",
    ]  # fmt: skip
    assert 2 <= requests[2].pause <= 4


@pytest.mark.parametrize("fault", [refusal("RateLimited", "No."), Fault(0, "", "cut", origin="cut")])
def test_other_faults_are_for_the_engine(fault: Fault) -> None:
    made = encoded(Situation("https://chat.qwen.ai", chat=Chat("c-1", "r-1")), messages=HISTORY)

    assert played(made, fault)[1] is fault
    assert played(encoded(), fault)[1] is fault


def test_a_refused_chat_is_a_fault() -> None:
    _, ended = played(encoded(), Reply(200, body=dumps({"ret": ["FAIL_SYS_USER_VALIDATE"], "data": {}})))

    assert ended is not None
    assert ended.code == "FAIL_SYS_USER_VALIDATE"


def test_a_picture_is_uploaded_first() -> None:
    picture = {
        "role": "user",
        "content": [{"type": "text", "text": "See?"}, {"type": "image_url", "image_url": {"url": PIXEL}}],
    }
    requests, _ = played(
        encoded(messages=[picture]), Reply(200, body=dumps({"success": True, "data": TICKET})), Reply(200), NEW
    )

    assert paths(requests)[0] == "files/getstsToken"
    assert loads(requests[0].body) == {"filename": "image-1.png", "filesize": 8, "filetype": "image"}
    put = requests[1]
    assert put.url == "https://qwen-webui-prod.oss-ap-southeast-1.aliyuncs.com/u-1/f-1_a.png"
    assert put.work is not None
    put.work(put)
    assert put.body == b"\x89PNG\r\n\x1a\n"
    assert put.headers["Authorization"].startswith("OSS4-HMAC-SHA256 Credential=STS.x/")
    assert put.headers["x-oss-content-sha256"] == "UNSIGNED-PAYLOAD"
    message = turn_of(requests[3])["messages"][0]
    assert message["content"] == "See?"
    assert (message["files"][0]["id"], message["files"][0]["file_class"]) == ("f-1", "vision")


def test_bytes_go_to_no_other_store() -> None:
    picture = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": PIXEL}}]}
    ticket = Reply(200, body=dumps({"data": TICKET | {"endpoint": "evil.example"}}))

    _, ended = played(encoded(messages=[picture]), ticket)

    assert ended is not None
    assert "qwen-webui-prod.evil.example" in ended.message


def test_a_long_conversation_becomes_a_document() -> None:
    messages = [{"role": "user", "content": "x" * 150_000}, {"role": "assistant", "content": "ok"}, HI]
    status = Reply(200, body=dumps({"success": True, "data": [{"status": "pending"}]}))
    ready = Reply(200, body=dumps({"success": True, "data": [{"status": "success"}]}))
    ticket = Reply(200, body=dumps({"data": TICKET}))
    fine = Reply(200, body=dumps({"success": True, "data": {}}))

    made = encoded(messages=messages)
    requests, _ = played(made, ticket, Reply(200), fine, status, ready, NEW)

    assert paths(requests)[2:] == [
        "files/parse",
        "files/parse/status",
        "files/parse/status",
        "chats/new",
        "chat/completions",
    ]
    assert len(requests[-1].body) < 128 * 1024
    message = turn_of(requests[-1])["messages"][0]
    assert message["content"].endswith("Say hi")
    assert message["files"][0]["file_class"] == "document"
    assert any("sent as a file" in notice.detail for notice in made.notices)


def test_a_guest_has_no_files_and_is_told() -> None:
    guest = Situation("https://chat.qwen.ai", guest=True)

    with pytest.raises(TooLarge, match="a guest's session cannot upload"):
        encoded(guest, messages=[{"role": "user", "content": "x" * 150_000}])
    with pytest.raises(Unsupported, match="cannot upload pictures"):
        encoded(guest, messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PIXEL}}]}])


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest"}}, "fetches no addresses"),
        ({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}, "fetches no addresses"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,###="}}, "base64"),
        ({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}, "input_audio"),
    ],
)
def test_a_part_that_cannot_go_is_refused(part: dict[str, Any], why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        encoded(messages=[{"role": "user", "content": [part]}])


@pytest.mark.parametrize(
    ("name", "known", "base", "chat_type", "mode"),
    [
        ("qwen3.7-plus", None, "qwen3.7-plus", "t2t", "Auto"),
        ("qwen3.7-plus-thinking-search", None, "qwen3.7-plus", "t2t", "Thinking"),
        ("qwen3.7-plus-deep-research", ["qwen3.7-plus"], "qwen3.7-plus", "deep_research", "Auto"),
        ("qwen3-x-thinking", ["qwen3-x-thinking"], "qwen3-x-thinking", "t2t", "Auto"),
        ("qwen3.7-plus-image-edit", None, "qwen3.7-plus", "image_edit", "Auto"),
    ],
)
def test_a_suffix_is_taken_off_unless_it_is_the_model_s_own(
    name: str, known: list[str] | None, base: str, chat_type: str, mode: str
) -> None:
    (new, turn), _ = played(encoded(Situation("https://chat.qwen.ai", known=known), name), NEW)

    body = turn_of(turn)
    assert (loads(new.body)["chat_type"], body["model"]) == (chat_type, base)
    assert body["messages"][0]["feature_config"]["thinking_mode"] == mode
