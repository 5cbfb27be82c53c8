"""Phases into deltas, however the bytes are cut; what refuses is a fault, and so is silence."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.codec.deltas import Begin, Delta, Extra, Fault, Finish, Text, Thought, Usage
from qwen_gateway.simulator.web import rows
from qwen_gateway.upstreams.web.answer import WebAnswer
from qwen_gateway.upstreams.web.refusals import fault_of_reply
from tests.upstreams.web.events import CREATED, END, USAGE, cuts, decoded, event, stream


def said(deltas: list[Delta], kind: Any = Text) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, kind))


def test_thoughts_then_an_answer_then_usage_whatever_the_cuts() -> None:
    body = stream(
        CREATED,
        event("think", "Let me ", usage={"input_tokens": 31, "output_tokens": 4}),
        event("think", "see 思考"),
        event("think", status="finished"),
        event("answer", "Hi ", usage=USAGE),
        event("answer", "你好"),
        END,
    )
    for pieces in cuts(body):
        deltas = decoded(pieces)

        assert deltas[0] == Begin(id="r1")
        assert (said(deltas, Thought), said(deltas)) == ("Let me see 思考", "Hi 你好")
        assert deltas[-2:] == [Finish("stop"), Usage(31, 9, 40, {"cached_tokens": 2}, {"reasoning_tokens": 5})]


def test_summaries_are_cumulative_and_only_what_is_new_is_passed_on() -> None:
    def summary(titles: list[str], thoughts: list[str], status: str = "typing") -> dict[str, Any]:
        extra = {"summary_title": {"content": titles}, "summary_thought": {"content": thoughts}}
        return event("thinking_summary", status=status, extra=extra)

    deltas = decoded(
        [
            stream(
                summary(["Read"], []),
                summary(["Read"], ["I rea"]),
                summary(["Read"], ["I read it."]),
                summary(["Read", "Plan"], ["I read it.", "I plan."]),
                summary(["Read", "Plan"], ["I read it.", "I plan."], "finished"),
                event("answer", "Hi"),
                END,
            )
        ]
    )

    assert said(deltas, Thought) == "Read\nI read it.\n\nPlan\nI plan."
    assert said(deltas) == "Hi"


def test_a_search_becomes_citations_at_the_end() -> None:
    found = [
        {"url": "https://a.example", "title": "A", "snippet": "…"},
        {"url": "https://b.example"},
        {"title": "no url"},
    ]
    deltas = decoded([stream(event("web_search", extra={"web_search_info": found}), event("answer", "Hi"), END)])

    (extra,) = [delta for delta in deltas if isinstance(delta, Extra)]
    assert [each["url_citation"]["title"] for each in extra.fields["annotations"]] == ["A", "https://b.example"]
    assert said(deltas) == "Hi"


def test_pictures_are_shown_by_address_once() -> None:
    alive = {"response.info": {"action": "keep_alive", "chat_id": "c1"}}
    one, two = "https://cdn.qwenlm.ai/output/1.png?key=x", "https://cdn.qwenlm.ai/output/2.png?key=y"
    deltas = decoded(
        [
            stream(
                CREATED,
                alive,
                event("image_gen", one, usage={"width": 1024, "height": 1024, "image_count": 1}),
                event("image_gen_tool", extra={"image_list": [{"image": one}, {"image": two}]}),
                event("image_gen", status="finished"),
            )
        ]
    )

    assert said(deltas) == f"![image]({one})\n\n![image]({two})"
    assert not any(isinstance(delta, Usage) for delta in deltas)


@pytest.mark.parametrize("phase", [None, "answer", "something_new"])
def test_text_without_a_known_phase_is_the_answer(phase: str | None) -> None:
    assert said(decoded([stream(event(phase, "Hi"))])) == "Hi"


def test_the_site_may_end_by_closing_and_with_done() -> None:
    closed = decoded([stream(event("answer", "Hi"))])
    done = decoded([stream(event("answer", "Hi")) + b"data: [DONE]\n\n"])

    assert closed[-1] == done[-1] == Finish("stop")


@pytest.mark.parametrize(
    "body",
    [b"", b"\n\n", stream(CREATED), stream(CREATED, END), stream(event("think", "Hm")), b"data: [DONE]\n\n"],
)
def test_silence_is_a_fault(body: bytes) -> None:
    for pieces in cuts(body):
        fault = decoded(pieces)[-1]

        assert isinstance(fault, Fault)
        assert fault.origin == "empty"


@pytest.mark.parametrize("name", list(rows.ROWS))
@pytest.mark.parametrize("shape", ["json", "old", "stream"])
def test_every_refusal_is_a_fault_with_its_code(name: str, shape: str) -> None:
    row = rows.ROWS[name]
    sent = rows.reply(row, "req-1", shape).body
    body = sent if isinstance(sent, bytes) else b"".join(piece for piece in sent if isinstance(piece, bytes))
    for pieces in cuts(body):
        (fault,) = decoded(pieces)

        assert isinstance(fault, Fault)
        assert fault.message == row.details
        if name == "rate-limited" and shape != "stream":
            assert fault.retry_after == 6 * 3600


@pytest.mark.parametrize("form", ["json", "html"])
def test_a_challenge_is_known_in_either_form(form: str) -> None:
    body = rows.challenge(form).body
    assert isinstance(body, bytes)
    for pieces in cuts(body):
        (fault,) = decoded(pieces)

        assert isinstance(fault, Fault)
        assert fault.code == "FAIL_SYS_USER_VALIDATE"
        assert "x5secdata" not in fault.message


def test_a_redirect_to_the_challenge_is_one() -> None:
    fault = fault_of_reply(302, {"location": "https://chat.qwen.ai//_____tmd_____/punish?x5secdata=1"}, b"")

    assert fault is not None
    assert fault.code == "FAIL_SYS_USER_VALIDATE"


def test_the_real_status_stands_in_a_header() -> None:
    fault = fault_of_reply(200, {"x-actual-status-code": "504"}, b"<html>alibaba-ga</html>")

    assert fault is not None
    assert (fault.status, fault.message) == (504, "alibaba-ga")


@pytest.mark.parametrize("body", [b"data: {broken\n\n", b"<html>504 alibaba-ga</html>", b'{"x": 1}', b"[1]", b'{"a'])
def test_nonsense_is_a_fault_and_never_raises(body: bytes) -> None:
    for pieces in cuts(body):
        fault = decoded(pieces)[-1]

        assert isinstance(fault, Fault)
        assert fault.origin == "body"


def test_an_error_after_text_is_a_fault() -> None:
    error = {"error": {"code": "data_inspection_failed", "details": "No."}, "response_id": "r1"}
    deltas = decoded([stream(event("answer", "Hi"), error)])

    assert said(deltas) == "Hi"
    assert isinstance(deltas[-1], Fault)
    assert deltas[-1].code == "data_inspection_failed"


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_fault_or_an_answer(data: bytes) -> None:
    deltas = decoded([data])

    assert isinstance(deltas[-1], Fault | Finish | Usage)


KEYS = [
    "choices", "delta", "phase", "content", "extra", "usage", "error", "data", "success", "web_search_info",
    "summary_title", "image_list", "response.created", "status", "code", "details", "num",
]  # fmt: skip


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(KEYS),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_event_is_survived(payload: Any) -> None:
    decoder = WebAnswer()
    decoder.feed(b"data: " + json.dumps(payload).encode() + b"\n\n")

    decoder.close()
