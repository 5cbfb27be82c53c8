"""Tool calls on their way to the client: every piece exact, whatever the upstream sent."""

import json

from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.codec.deltas import ToolCall
from qwen_gateway.openai.tool_calls import ToolCallShaper, freeform_input


def shaped(*pieces: ToolCall, only_first: bool = False, renamed: dict[str, str] | None = None) -> list[ToolCall]:
    shaper = ToolCallShaper(renamed or {}, only_first=only_first)
    found = [piece for given in pieces if (piece := shaper.shape(given))]
    return found + shaper.missing(0)


def test_id_and_name_come_with_the_first_piece_only() -> None:
    first, second = shaped(
        ToolCall(0, '{"a"', "call_1", "look"), ToolCall(0, "", "call_1", "look"), ToolCall(0, ":1}", "call_1", "look")
    )

    assert first == ToolCall(0, '{"a"', "call_1", "look")
    assert second == ToolCall(0, ":1}")


def test_numbers_have_no_gaps() -> None:
    pieces = shaped(ToolCall(3, "{}", "a", "look"), ToolCall(7, "{", "b", "wait"), ToolCall(7, "}"))

    assert [piece.index for piece in pieces] == [0, 1, 1]


def test_missing_and_repeated_ids_are_minted() -> None:
    pieces = shaped(ToolCall(0, "{}", "", "look"), ToolCall(1, "{}", "same", "look"), ToolCall(2, "{}", "same", "look"))

    ids = [piece.id or "" for piece in pieces]
    assert ids[1] == "same"
    assert len(set(ids)) == 3
    assert ids[0].startswith("call_")
    assert ids[2].startswith("call_")


def test_names_are_the_clients() -> None:
    (piece,) = shaped(ToolCall(0, "{}", "a", "search_tool"), renamed={"search_tool": "search"})

    assert piece.name == "search"


def test_a_call_waits_for_its_name() -> None:
    (piece,) = shaped(ToolCall(0, '{"a"', "call_1"), ToolCall(0, ":1}", name="look"))

    assert piece == ToolCall(0, '{"a":1}', "call_1", "look")


def test_a_call_that_nobody_names_is_left_out() -> None:
    shaper = ToolCallShaper({})

    assert shaper.shape(ToolCall(0, "{}", "call_1")) is None
    assert shaper.missing(0) == []
    assert shaper.left_out == 1


def test_later_calls_are_left_out_when_the_client_takes_one() -> None:
    pieces = shaped(
        ToolCall(0, "{", "a", "look"),
        ToolCall(1, "{", "b", "wait"),
        ToolCall(1, "}"),
        ToolCall(0, "}"),
        only_first=True,
    )

    assert [(piece.index, piece.arguments) for piece in pieces] == [(0, "{"), (0, "}")]


def test_a_call_without_arguments_gets_an_empty_object() -> None:
    pieces = shaped(ToolCall(0, "", "a", "look"), ToolCall(1, "{}", "b", "wait"))

    assert pieces[2:] == [ToolCall(0, "{}")]


def test_the_text_of_a_freeform_call_is_unwrapped() -> None:
    assert freeform_input('{"input": "a\\nb"}') == "a\nb"
    assert freeform_input('"plain"') == "plain"
    assert freeform_input("*** not JSON") == "*** not JSON"
    assert freeform_input('{"other": 1}') == '{"other": 1}'
    assert freeform_input("{}") == ""


PIECES = st.lists(
    st.builds(
        ToolCall,
        index=st.integers(-2, 4),
        arguments=st.sampled_from(["", "{}", " "]),
        id=st.sampled_from([None, "", "same", "other"]),
        name=st.sampled_from([None, "", "look", "wait"]),
    ),
    max_size=15,
)


@given(PIECES, st.booleans())
def test_any_pieces_make_numbered_calls_with_unique_ids(pieces: list[ToolCall], only_first: bool) -> None:
    found = shaped(*pieces, only_first=only_first)

    firsts = [piece for piece in found if piece.id is not None]
    assert [piece.index for piece in firsts] == list(range(len(firsts)))
    assert len({piece.id for piece in firsts}) == len(firsts)
    assert all(piece.name for piece in firsts)
    assert all(piece.name is None for piece in found if piece.id is None)
    assert not only_first or len(firsts) <= 1


@given(st.lists(st.sampled_from(["", " ", "{}"]), max_size=3))
def test_arguments_never_stay_empty(arguments: list[str]) -> None:
    found = shaped(ToolCall(0, "", "a", "look"), *(ToolCall(0, text) for text in arguments if text != "{}"))

    assert json.loads("".join(piece.arguments for piece in found)) == {}
