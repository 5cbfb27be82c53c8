"""Stop sequences and token limits, wherever the text is cut."""

from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.codec.deltas import Delta, Finish, Text, Thought, Usage
from qwen_gateway.upstreams.cut import Cut


def run(cut: Cut, *batches: list[Delta]) -> list[Delta]:
    out: list[Delta] = []
    for batch in batches:
        if not cut.done:
            out += cut.feed(batch)
    return out


def text(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, Text))


def test_a_stop_sequence_is_found_across_pieces_and_not_shown() -> None:
    cut = Cut(("END",))

    out = run(cut, [Text("one E")], [Text("N")], [Text("D two")], [Finish("stop")])

    assert (text(out), out[-1]) == ("one ", Finish("stop"))
    assert cut.early


def test_what_only_looked_like_one_is_shown() -> None:
    cut = Cut(("END",))

    out = run(cut, [Text("one EN")], [Text("OUGH E")], [Finish("stop")])

    assert text(out) == "one ENOUGH E"
    assert not cut.early


def test_the_first_of_several_counts_and_thoughts_have_none() -> None:
    out = run(Cut(("zz", "b")), [Thought("abc")], [Text("aabzz")])

    assert out == [Thought("abc"), Text("aa"), Finish("stop")]


@given(st.text("abE", max_size=30), st.lists(st.integers(1, 5), max_size=30), st.sampled_from(["E", "ab", "abE", "bb"]))
def test_the_cuts_do_not_matter(whole: str, sizes: list[int], stop: str) -> None:
    pieces, rest = [], whole
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    pieces.append(rest)

    out = run(Cut((stop,)), *([Text(piece)] for piece in pieces if piece), [Finish("stop")])

    assert text(out) == whole.partition(stop)[0]
    assert [delta for delta in out if isinstance(delta, Finish)] == [Finish("stop")]


def test_an_answer_ends_at_its_limit_by_what_the_upstream_counts() -> None:
    cut = Cut(limit=4)

    out = run(cut, [Text("a b "), Usage(5, 2, 7)], [Text("c d e f "), Usage(5, 6, 11)], [Text("g"), Finish("stop")])

    assert text(out) == "a b c d "
    assert out[-2:] == [Finish("length"), Usage(5, 4, 9)]
    assert cut.early


def test_without_counts_four_bytes_are_a_token() -> None:
    out = run(Cut(limit=2), [Text("12345678")], [Text("9")])

    assert (text(out), out[-1]) == ("12345678", Finish("length"))


def test_an_answer_within_its_limit_is_left_alone() -> None:
    cut = Cut(limit=100)
    batches: list[list[Delta]] = [[Text("Hi"), Usage(1, 1, 2)], [Finish("stop"), Usage(1, 1, 2)]]

    assert run(cut, *batches) == [delta for batch in batches for delta in batch]
    assert not cut.done
