"""The referee is judged first: good recordings pass, and each kind of mistake is caught."""

import copy
import json

import pytest

from tests import referee
from tests.referee import samples
from tests.referee.derive import derive

GOOD = {
    "chat.completion": samples.chat_completion,
    "text_completion": samples.text_completion,
    "text_completion.chunk": samples.text_completion_chunk,
    "model": samples.model,
    "models": samples.models,
    "embeddings": samples.embeddings,
    "error": samples.error,
    "response": samples.response,
    "response.items": samples.response_items,
    "response.deleted": samples.response_deleted,
    "conversation": samples.conversation,
    "conversation.deleted": samples.conversation_deleted,
}


@pytest.fixture(autouse=True)
def uncounted():
    """Wrong objects shown on purpose are no objects of the gateway."""
    with referee.counts.paused():
        yield


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_object_passes(kind):
    assert referee.check(GOOD[kind](), kind) == []


FREE = {"metadata", "parameters"}  # OpenAI says nothing about what is in there


def paths(value, path=()):
    """Where a sample has a value, leaving out what is free."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if key not in FREE:
            yield (*path, key)
            if isinstance(item, dict | list):
                yield from paths(item, (*path, key))


def spoil(value, path, change):
    """A copy of the value in which what is at the path is changed; `None` takes it away."""
    spoiled = copy.deepcopy(value)
    inner = spoiled
    for key in path[:-1]:
        inner = inner[key]
    if change is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = change
    return spoiled


@pytest.mark.parametrize(("kind", "path"), [(kind, path) for kind, good in GOOD.items() for path in paths(good())])
def test_a_value_of_a_wrong_type_is_caught(kind, path):
    assert referee.check(spoil(GOOD[kind](), path, {"no": ["such", "form"]}), kind)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("chat.completion", ("id",)),
        ("chat.completion", ("created",)),
        ("chat.completion", ("choices", 0, "logprobs")),
        ("chat.completion", ("choices", 0, "finish_reason")),
        ("chat.completion", ("choices", 0, "message", "refusal")),
        ("chat.completion", ("choices", 0, "message", "content")),
        ("chat.completion", ("usage", "total_tokens")),
        ("text_completion", ("choices", 0, "logprobs")),
        ("text_completion.chunk", ("choices", 0, "finish_reason")),
        ("models", ("data", 0, "owned_by")),
        ("embeddings", ("usage",)),
        ("error", ("error", "param")),
        ("response", ("tools", 0, "strict")),
        ("response", ("metadata",)),
        ("response", ("output", 1, "content", 0, "logprobs")),
        ("response", ("usage", "input_tokens_details", "cache_write_tokens")),
        ("response.items", ("first_id",)),
        ("response.items", ("data", 0, "id")),
        ("conversation", ("metadata",)),
    ],
)
def test_a_missing_key_is_caught(kind, path):
    assert any("missing" in complaint for complaint in referee.check(spoil(GOOD[kind](), path, None), kind))


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("chat.completion", ("choices", 0, "finish_reason"), "eos"),
        ("chat.completion", ("choices", 0, "finish_reason"), None),
        ("chat.completion", ("object",), "chat.completion.chunk"),
        ("chat.completion", ("created",), 1790000000.5),
        ("chat.completion", ("created",), 1790000000.0),
        ("chat.completion", ("choices", 0, "index"), True),
        ("chat.completion", ("system_fingerprint",), None),
        ("chat.completion", ("choices", 0, "message", "tool_calls"), None),
        ("chat.completion", ("choices", 0, "message", "role"), "tool"),
        ("chat.completion", ("request_id",), "not OpenAI's"),
        ("chat.completion", ("choices", 0, "message", "thinking"), "not documented"),
        ("response", ("status",), "done"),
        ("response", ("usage",), None),
        ("response", ("user",), None),
        ("response", ("output", 2, "status"), "finished"),
        ("response", ("error",), {"code": "oops", "message": "an unknown code"}),
    ],
)
def test_a_wrong_value_is_caught(kind, path, value):
    body = GOOD[kind]()
    inner = body
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert referee.check(body, kind)


def test_complaints_name_the_place_and_the_form_it_claims_to_be():
    body = samples.response()
    del body["output"][2]["call_id"]
    assert "response.output[2]: required key 'call_id' is missing" in referee.check(body, "response")


def test_assert_valid_lists_the_complaints():
    with pytest.raises(AssertionError, match="'owned_by' is missing"):
        referee.assert_valid({"id": "a", "object": "model", "created": 1}, "model")


def test_verdicts_are_counted_and_joined():
    counts = referee.Counts()
    counts.note("model", wrong=False)
    counts.add({"validated": {"model": 1, "error": 1}, "invalid": {"error": 1}})
    assert counts.summary() == "3 objects validated, 1 invalid (1 error, 2 model)"
    assert json.loads(json.dumps(counts.as_dict())) == counts.as_dict()


def test_the_table_is_derived_from_a_description():
    null = {"type": "null"}
    parts = {
        "Name": {"anyOf": [{"type": "string", "description": "dropped"}, null]},
        "Base": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
        "Whole": {
            "allOf": [{"$ref": "#/components/schemas/Base"}],
            "properties": {"name": {"$ref": "#/components/schemas/Name"}, "age": {"type": ["integer", "null"]}},
            "required": ["name"],
        },
        "Choice": {"oneOf": [{"$ref": "#/components/schemas/Whole"}, {"const": 1}]},
    }
    derived = derive({"info": {"version": "0"}, "components": {"schemas": parts}}, {"it": "Choice"})
    assert derived["schemas"] == {
        "Choice": {"any": [{"ref": "Whole"}, {"enum": [1]}]},
        "Name": {"type": "string", "null": True},
        "Whole": {
            "type": "object",
            "keys": {"id": {"type": "string"}, "name": {"ref": "Name"}, "age": {"type": "integer", "null": True}},
            "required": ["id", "name"],
        },
    }
