"""Faults in what the model says: thoughts and tool calls in the wrong place, odd usage, odd ends."""

from collections.abc import Callable
from dataclasses import replace

from qwen_gateway.codec.json import dumps, loads

from ..chunks import Answer
from ..echo import Speech, ToolCall
from ..errors import Row
from ..shapes import error_reply
from ..wire import Reply
from .table import Asked, Fault, Params

_THOUGHTS = "The server has no parser for thoughts."


def _each(change: Callable[[Speech, Params], Speech]) -> Callable[[Answer, Params], Answer]:
    def on_answer(answer: Answer, params: Params) -> Answer:
        return replace(answer, speeches=tuple(change(speech, params) for speech in answer.speeches))

    return on_answer


def _think_in_content(speech: Speech, params: Params) -> Speech:
    opening = "" if params["closing_only"] else "<think>\n"
    text = f"{opening}{speech.thoughts or _THOUGHTS}\n</think>\n\n{speech.text}"
    return replace(speech, text=text, thoughts="")


def _call_in_content(speech: Speech, params: Params) -> Speech:
    if not speech.calls:
        return speech
    form = _function_form if params["form"] == "function" else _json_form
    blocks = "\n".join(f"<tool_call>\n{form(call)}\n</tool_call>" for call in speech.calls)
    return replace(speech, text=blocks, calls=(), finish="stop")


def _json_form(call: ToolCall) -> str:
    return dumps({"name": call.name, "arguments": loads(call.arguments)}).decode()


def _function_form(call: ToolCall) -> str:
    lines = [f"<function={call.name}>"]
    for name, value in loads(call.arguments).items():
        text = value if isinstance(value, str) else dumps(value).decode()
        lines += [f"<parameter={name}>", text, "</parameter>"]
    return "\n".join([*lines, "</function>"])


def _invalid_arguments(speech: Speech, _: Params) -> Speech:
    calls = tuple(replace(call, arguments=call.arguments[:-1] + ', "cut": "off') for call in speech.calls)
    return replace(speech, calls=calls)


def _long_answer(speech: Speech, params: Params) -> Speech:
    words = int(params["words"])
    text = " ".join(f"word{number}" for number in range(words))
    return replace(speech, text=text, calls=(), finish="stop")


def _says(answer: Answer, params: Params) -> Answer:
    speech = replace(answer.speeches[0], text=str(params["text"]), calls=(), finish=str(params["finish"]))
    return replace(answer, speeches=(speech, *answer.speeches[1:]), cut=int(params["cut"]))


def _calls(answer: Answer, params: Params) -> Answer:
    call = ToolCall("call_scripted", str(params["name"]), str(params["arguments"]))
    speech = replace(answer.speeches[0], text="", calls=(call,), finish="tool_calls")
    return replace(answer, speeches=(speech, *answer.speeches[1:]))


def _repeated_ids(answer: Answer, _: Params) -> Answer:
    return replace(answer, fragments="repeat")


def _omitted_ids(answer: Answer, _: Params) -> Answer:
    return replace(answer, fragments="omit")


def _whole_calls(answer: Answer, _: Params) -> Answer:
    return replace(answer, fragments="whole")


def _finish(answer: Answer, params: Params) -> Answer:
    return replace(answer, finish=str(params["reason"]) or None)


def _usage(answer: Answer, params: Params) -> Answer:
    return replace(answer, usage=str(params["usage"]))


def _field(answer: Answer, params: Params) -> Answer:
    return replace(answer, thought=str(params["name"]))


def _no_tool_parser(asked: Asked, _: Params) -> Reply | None:
    if not asked.tools:
        return None
    text = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
    row = Row("no-tool-parser", 400, "invalid_request_error", text)
    return error_reply(row, asked.request_id, asked.shape)


FAULTS = [
    Fault("no-tool-parser", "4.13", "vLLM without a tool parser refuses tools", reply=_no_tool_parser),
    Fault("old-errors", "4.13", "vLLM's older form of errors"),
    Fault("embeddings-shuffled", "4.10", "embeddings out of order"),
    Fault("embeddings-total-only", "4.10", "embeddings usage with total_tokens only"),
    Fault(
        "think-in-content",
        "4.13",
        "<think> stays in the content: vLLM without a parser",
        {"closing_only": 0},
        answer=_each(_think_in_content),
    ),
    Fault(
        "think-closing-only",
        "4.13",
        "only </think> appears, as with Qwen3.5 and later",
        {"closing_only": 1},
        answer=_each(_think_in_content),
    ),
    Fault(
        "tool-call-in-content",
        "3.12",
        "a raw <tool_call> with JSON in the content",
        {"form": "json"},
        answer=_each(_call_in_content),
    ),
    Fault(
        "tool-call-xml-in-content",
        "3.12",
        "a raw <tool_call><function=NAME> in the content",
        {"form": "function"},
        answer=_each(_call_in_content),
    ),
    Fault("invalid-arguments", "", "tool arguments that are no JSON", answer=_each(_invalid_arguments)),
    Fault("long-answer", "", "an answer of many words", {"words": 20_000}, answer=_each(_long_answer)),
    Fault("says", "", "exactly this text", {"text": "", "cut": 0, "finish": "stop"}, answer=_says),
    Fault("calls", "", "calls this tool with exactly these arguments", {"name": "", "arguments": ""}, answer=_calls),
    Fault("repeated-ids", "4.4", "each piece of a tool call repeats id and name", answer=_repeated_ids),
    Fault("omitted-ids", "4.4", "later pieces of a tool call have no id and name", answer=_omitted_ids),
    Fault("whole-tool-call", "4.13", "a tool call comes in one piece", answer=_whole_calls),
    Fault("no-finish", "", "no chunk has a finish reason", {"reason": ""}, answer=_finish),
    Fault("finish", "", "another finish reason", {"reason": "content_filter"}, answer=_finish),
    Fault("usage-null", "4.13", "usage is null where numbers belong", {"usage": "null"}, answer=_usage),
    Fault("usage-in-finish", "", "usage comes with the finish reason", {"usage": "in-finish"}, answer=_usage),
    Fault("thought-field", "4.13", "thoughts in another field", {"name": "reasoning_content"}, answer=_field),
]
