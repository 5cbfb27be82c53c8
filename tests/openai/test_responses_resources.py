"""Items as they are given out again: valid whatever the client once sent."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.openai.pages import list_object
from qwen_gateway.openai.responses_resources import PREFIXES, named, resources
from tests import referee

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)
PARTS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["input_text", "output_text", "refusal", "input_image", "input_file", "input_audio"])},
        optional={name: st.text(max_size=5) for name in ("text", "refusal", "image_url", "detail", "filename")},
    ),
    max_size=3,
)
FIELDS = {
    "status": st.sampled_from(["completed", "incomplete", "in_progress", "odd"]), "summary": PARTS, "content": PARTS,
    "name": st.text(max_size=5), "arguments": JSON, "input": JSON, "output": JSON,
    "tools": st.lists(JSON, max_size=2), "encrypted_content": st.text(max_size=5), "namespace": st.text(max_size=5),
}  # fmt: skip
ITEMS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(sorted(PREFIXES)),
            "role": st.sampled_from(["user", "assistant", "developer"]),
            "call_id": st.text(max_size=5),
        },
        optional=FIELDS,
    ),
    max_size=4,
)


@given(ITEMS)
def test_every_item_is_valid(items: list[dict[str, Any]]) -> None:
    given_out = resources(named(items, "0" * 48))

    assert len(given_out) == len(items)
    assert len({item["id"] for item in given_out}) == len(items)
    referee.assert_valid(list_object(given_out, more=False), "response.items")


def test_ids_that_are_there_stay() -> None:
    items = named([{"role": "user", "content": "Hi"}, {"id": "fc_1", "type": "function_call"}], "stem")

    assert [item["id"] for item in items] == ["msg_stemi00", "fc_1"]
    assert items[0]["content"] == "Hi"


def test_records_of_a_providers_tools_stay_inside() -> None:
    assert resources(named([{"type": "web_search_call"}], "stem")) == []
