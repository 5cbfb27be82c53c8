"""The referee: every object and stream that the gateway emits, held against OpenAI's own description.

    from tests import referee

    referee.assert_valid(answer, "chat.completion")
    events = referee.read_sse(body)
    assert referee.check_chat_stream([event.json for event in events], include_usage=True) == []

Two judges must agree: the facts derived from OpenAI's OpenAPI description (required keys, types, enumerations,
nullability, no unknown keys; `facts.json`, made by `derive.py`) and the models of the `openai` package in strict
mode. Where the description and OpenAI's reality differ, the strict form is asked for (`name` in
function_call_arguments.done, `logprobs: []`, `cache_write_tokens`; optional keys are left out instead of null).
"""

from tests.referee.chat_stream import check_chat_stream
from tests.referee.facts import EXTENSIONS, KINDS
from tests.referee.responses_stream import check_responses_stream
from tests.referee.sse import Event, SseError, read_sse
from tests.referee.verdict import Counts, assert_valid, check, counts

__all__ = [
    "EXTENSIONS",
    "KINDS",
    "Counts",
    "Event",
    "SseError",
    "assert_valid",
    "check",
    "check_chat_stream",
    "check_responses_stream",
    "counts",
    "read_sse",
]
