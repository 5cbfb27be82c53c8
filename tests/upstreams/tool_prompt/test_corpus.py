"""Every text of the corpus, whole, letter by letter, and in random pieces."""

import json
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.upstreams.tool_prompt.boxes import box, hear
from tests.upstreams.tool_prompt.corpus import ROWS, Row

CASES = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)


def check(row: Row, pieces: list[str]) -> None:
    heard = hear(pieces)
    assert [(name, json.loads(settled.arguments)) for name, settled in heard.calls] == list(row.calls)
    assert [settled.problem for _, settled in heard.calls] == [None] * len(row.calls)
    assert heard.named == [name for name, _ in row.calls]
    assert heard.said == row.said
    assert heard.torn == []


@CASES
def test_whole(row: Row) -> None:
    check(row, [row.text])


@CASES
def test_letter_by_letter(row: Row) -> None:
    check(row, list(row.text))


@CASES
def test_cut_once_at_every_place(row: Row) -> None:
    for place in range(1, len(row.text)):
        check(row, [row.text[:place], row.text[place:]])


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_random_cuts_and_texts_joined(data: st.DataObject) -> None:
    """Several texts behind each other, in random pieces, give what they give whole."""
    rows = data.draw(st.lists(st.sampled_from(sorted(ROWS)), min_size=1, max_size=4))
    text = "\n\nThen:\n".join(ROWS[name].text for name in rows)
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=30)))
    pieces = [text[start:stop] for start, stop in pairwise([0, *places, len(text)])]
    assert hear(pieces) == hear([text])


def test_a_fenced_call_counts_where_one_is_demanded() -> None:
    text = "```xml\n<read_file>\n<path>a</path>\n</read_file>\n```"
    for pieces in ([text], list(text)):
        heard = hear(pieces, box(tool_choice="required"))
        assert [(name, settled.arguments) for name, settled in heard.calls] == [("read_file", '{"path":"a"}')]


ALPHABET = st.sampled_from(
    ["<", ">", "/", "</", "tool_call>", "<tool_call>", "</tool_call>", "{", "}", '"', "name", '{"name": "', "read_file",
     '", "arguments": {', "}}", "<read_file>", "</read_file>", "<path>", "</path>", "<function=", "</function>",
     "<parameter=path>", "</parameter>", "`", "```", "\n", " ", "x", "\\", "<think>", "</think>", "<get_time", "json",
     "[", "]", ",", ":", "'", "é"]
)  # fmt: skip


@given(st.lists(ALPHABET, max_size=40), st.data())
@example(["<tool_call>", "{", '"'], None)
@settings(max_examples=1_500, deadline=None)
def test_any_text_is_read_alike_however_it_is_cut_and_never_breaks(
    words: list[str], data: st.DataObject | None
) -> None:
    text = "".join(words)
    whole = hear([text])
    assert hear(list(text)) == whole
    if data is not None:
        places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
        assert hear([text[start:stop] for start, stop in pairwise([0, *places, len(text)])]) == whole
    for _, settled in whole.calls:
        assert isinstance(json.loads(settled.arguments), dict)
    assert len(whole.named) == len(whole.calls) + sum(one.named for one in whole.torn)


@given(st.text(st.characters(exclude_characters="<{"), max_size=200), st.data())
@settings(max_examples=200, deadline=None)
def test_text_without_tags_comes_out_as_it_went_in(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text)))
    assert hear([text[:place], text[place:]]).said == text
