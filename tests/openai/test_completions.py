"""Legacy completions as clients write them, and the objects and chunks they get."""

import json
from typing import Any

import pytest

from qwen_gateway.codec.deltas import Delta, Finish, Text, Thought, Usage
from qwen_gateway.openai.completion_answer import CompletionObject, CompletionStream
from qwen_gateway.openai.completion_request import CompletionCall, parse_completion
from qwen_gateway.openai.errors import BadRequest, UpstreamError
from tests import referee


def parse(**fields: Any) -> CompletionCall:
    return parse_completion(json.dumps({"model": "gpt-3.5-turbo-instruct", "prompt": "Once", **fields}).encode())


def row(token: str, logprob: float, **tops: float) -> dict[str, Any]:
    found = [{"token": name, "logprob": value, "bytes": None} for name, value in tops.items()]
    return {"token": token, "logprob": logprob, "bytes": None, "top_logprobs": found}


def whole(call: CompletionCall, *deltas: Delta) -> Any:
    writer = CompletionObject(call)
    for delta in deltas:
        assert writer.write([delta]) == b""
    answer = json.loads(writer.end())
    referee.assert_valid(answer, "text_completion")
    return answer


def chunks(call: CompletionCall, *deltas: Delta) -> list[Any]:
    writer = CompletionStream(call)
    data = b"".join(writer.write([delta]) for delta in deltas) + writer.end()
    found = [event.json for event in referee.read_sse(data)]
    for chunk in found:
        referee.assert_valid(chunk, "text_completion.chunk")
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in found}) == 1
    return found


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"prompt": None}, "prompt", "NoneType"),
        ({"prompt": []}, "prompt", "empty"),
        ({"prompt": ["a", 1]}, "prompt[1]", "int"),
        ({"n": 2, "best_of": 1}, "best_of", "less than 'n'"),
        ({"best_of": 2, "stream": True}, "best_of", "streamed"),
        ({"n": 5}, "n", "4 answers"),
        ({"prompt": ["a"] * 40, "n": 4}, "prompt", "160 calls"),
        ({"echo": True, "logprobs": 1}, "echo", "prompt"),
        ({"suffix": "x", "logprobs": 1}, "logprobs", "filled in"),
        ({"logprobs": 6}, "logprobs", "5"),
        ({"max_tokens": 0}, "max_tokens", "1"),
        ({"temperature": 3}, "temperature", "2"),
    ],
)
def test_what_cannot_be_asked_is_named(fields: dict[str, Any], param: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says) as refused:
        parse(**fields)
    assert refused.value.param == param


def test_a_template_that_an_editor_filled_in_is_read() -> None:
    call = parse(prompt="<|fim_prefix|>def f():\n<|fim_suffix|>\nf()<|fim_middle|>")
    assert (call.prompts, call.suffix) == (["def f():\n"], "\nf()")


def test_an_empty_suffix_is_none() -> None:
    assert parse(suffix="").suffix is None


def test_parameters_become_those_of_a_chat() -> None:
    body = parse(logprobs=3, temperature=0.5, user="me", n=2).body
    assert body == {
        "prompt": ["Once"], "logprobs": True, "top_logprobs": 3, "temperature": 0.5, "user": "me",
    }  # fmt: skip


def test_choices_are_numbered_over_prompts_and_answers() -> None:
    call = parse(prompt=["A", "B"], n=2, echo=True)
    answer = whole(call, *(Text(str(number), number) for number in (3, 0, 2, 1)), Finish("length", 1))
    assert [(c["index"], c["text"], c["finish_reason"]) for c in answer["choices"]] == [
        (0, "A0", "stop"),
        (1, "A1", "length"),
        (2, "B2", "stop"),
        (3, "B3", "stop"),
    ]


def test_the_likeliest_answers_are_the_best() -> None:
    call = parse(best_of=3, n=1)
    answer = whole(
        call,
        Text("bad", 0, {"content": [row("bad", -3.0)]}),
        Text("good", 1, {"content": [row("good", -0.1)]}),
        Text("fair", 2, {"content": [row("fair", -1.0)]}),
        *(Usage(5, 1, 6, choice=number) for number in range(3)),
    )
    [choice] = answer["choices"]
    assert (choice["text"], choice["logprobs"]) == ("good", None)
    assert answer["usage"]["completion_tokens"] == 3


def test_log_probabilities_have_the_old_form() -> None:
    call = parse(logprobs=1)
    answer = whole(
        call,
        Text(" a", 0, {"content": [row(" a", -0.5, **{" a": -0.5, " b": -1.0})]}),
        Text("bc", 0, {"content": [row("bc", -0.2)]}),
    )
    assert answer["choices"][0]["logprobs"] == {
        "tokens": [" a", "bc"],
        "token_logprobs": [-0.5, -0.2],
        "top_logprobs": [{" a": -0.5}, {}],
        "text_offset": [0, 2],
    }


def test_a_stream_of_two_choices() -> None:
    call = parse(n=2, echo=True, stream=True, stream_options={"include_usage": True})
    found = chunks(
        call, Thought("hm"), Text(" upon", 0), Text(" more", 1), Text(" a", 0), Usage(2, 3, 5), Finish("length", 0)
    )
    texts = ["", ""]
    for chunk in found:
        for choice in chunk["choices"]:
            texts[choice["index"]] += choice["text"]
    assert texts == ["Once upon a", "Once more"]
    assert [c["finish_reason"] for chunk in found for c in chunk["choices"] if c["finish_reason"]] == ["length", "stop"]
    assert found[-1]["choices"] == []
    assert found[-1]["usage"]["total_tokens"] == 5
    assert all(chunk["usage"] is None for chunk in found[:-1])


def test_a_stream_that_fails_ends_with_one_error() -> None:
    writer = CompletionStream(parse(stream=True))
    data = writer.write([Text("a")]) + writer.fail(UpstreamError("No."))
    last = referee.read_sse(data, done=False)[-1].json
    referee.assert_valid(last, "error")


def test_what_comes_after_the_end_is_not_shown() -> None:
    answer = whole(parse(), Text("a"), Finish("stop"), Text("b"))
    assert answer["choices"][0]["text"] == "a"
