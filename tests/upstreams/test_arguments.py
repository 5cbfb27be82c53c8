"""Arguments of tool calls: what is shown of them is JSON, or the call is known to be broken."""

import json
import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.upstreams.arguments import Arguments


def run(text: str, *cuts: int) -> str | None:
    """The arguments as a client gets them, cut at these places; None when they are broken."""
    arguments = Arguments()
    shown = ""
    places = [0, *sorted(cuts), len(text)]
    for start, end in pairwise(places):
        shown += arguments.feed(text[start:end])
    rest = arguments.finish()
    return None if rest is None else shown + rest


MENDED: list[tuple[str, Any]] = [
    ("", {}),
    ("   ", {}),
    ("{}", {}),
    ('{}{"a": 1}', {"a": 1}),
    ('```json\n{"a": 1}\n```', {"a": 1}),
    ('```\n{"a": 1}```', {"a": 1}),
    ('<tool_call>{"a": 1}</tool_call>', {"a": 1}),
    ('Here it is: {"a": 1}', {"a": 1}),
    ('{"a": 1}}', {"a": 1}),
    ('{"a": 1} I hope this helps', {"a": 1}),
    ('{"a": 1}{"a": 1}', {"a": 1}),
    ('{"a": 1,}', {"a": 1}),
    ('{"a": [1, 2,],}', {"a": [1, 2]}),
    ('{"a": 1 "b": 2}', {"a": 1, "b": 2}),
    ('{"a": {"b": 1} "c": 2}', {"a": {"b": 1}, "c": 2}),
    ("{'a': 'b'}", {"a": "b"}),
    ("{'a': 'it\\'s \"so\"'}", {"a": 'it\'s "so"'}),
    ("{'a': \"it's\"}", {"a": "it's"}),
    ("{a: 1, b_c: 2}", {"a": 1, "b_c": 2}),
    ('{"a": True, "b": False, "c": None}', {"a": True, "b": False, "c": None}),
    ('{"a": undefined}', {"a": None}),
    ('{"a": "one\ntwo"}', {"a": "one\ntwo"}),
    ('{"a": "one\ttwo\r"}', {"a": "one\ttwo\r"}),
    ('{"a": "bell\x07"}', {"a": "bell\x07"}),
    ('{"path": "C:\\dir"}', {"path": "C:\\dir"}),
    ('{"re": "\\d+\\s"}', {"re": "\\d+\\s"}),
    ('{"a": "\\u12"}', {"a": "\\u12"}),
    ('{"a": "say "hi" now"}', {"a": 'say "hi" now'}),
    ('{"a": "say "hi", then go", "b": 1}', {"a": 'say "hi", then go', "b": 1}),
    ('{"a": "<p class="x">", "b": 1}', {"a": '<p class="x">', "b": 1}),
    ('{"a": "x", b: 2}', {"a": "x", "b": 2}),
    ('{"a": "x', {"a": "x"}),
    ('{"a": "x"', {"a": "x"}),
    ('{"a": [1, {"b": 2', {"a": [1, {"b": 2}]}),
    ('{"a": tru', {"a": True}),
    ('{"a": 12', {"a": 12}),
    ('{"a": [1,', {"a": [1]}),
    ('{"a": {"b": 1}', {"a": {"b": 1}}),
    (json.dumps(json.dumps({"a": 1})), {"a": 1}),
]  # fmt: skip

BROKEN = ['{"a": 01}', '{"a": .5}', '{"a": NaN}', '{"a": [1 2]}', '{"a"', '{"a', '{"a":', "{", "null", "[1]", "12",
          "nothing of the kind", '{"a": @}', '{"a" = 1}']  # fmt: skip


@pytest.mark.parametrize(("text", "value"), MENDED)
def test_slips_are_mended_however_the_text_is_cut(text: str, value: Any) -> None:
    chance = random.Random(text)
    for cuts in ([], range(len(text)), *(chance.choices(range(len(text) + 1), k=5) for _ in range(40))):
        found = run(text, *cuts)
        assert found is not None
        assert json.loads(found) == value


@pytest.mark.parametrize("text", BROKEN)
def test_what_cannot_be_read_is_known_to_be_broken(text: str) -> None:
    chance = random.Random(text)
    for cuts in ([], range(len(text)), *(chance.choices(range(len(text) + 1), k=5) for _ in range(40))):
        assert run(text, *cuts) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON, min_size=1, max_size=4), st.booleans(), st.sampled_from([None, 2]), st.data())
def test_sound_arguments_go_through_untouched(
    value: dict[str, Any], escaped: bool, indent: int | None, data: st.DataObject
) -> None:
    text = json.dumps(value, ensure_ascii=escaped, indent=indent)
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=20))
    assert run(text, *cuts) == text


@given(st.text(alphabet="{}[]\":,\\'ab1 \nt-.", max_size=60), st.data())
def test_whatever_comes_is_an_object_or_known_to_be_broken(text: str, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=8))
    found = run(text, *cuts)
    assert found is None or isinstance(json.loads(found), dict)


def test_what_is_shown_comes_early() -> None:
    arguments = Arguments()
    assert arguments.feed('{"content": "a long') == '{"content": "a long'
    assert arguments.feed(" text") == " text"


def test_a_large_text_full_of_slips_is_read_in_time() -> None:
    text = '{"a": "' + "line\n" * 100_000 + '"}'
    found = run(text, 1)
    assert found is not None
    assert json.loads(found)["a"] == "line\n" * 100_000
