"""Server-sent events: the same events whole, byte by byte, and cut anywhere."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.codec import sse
from qwen_gateway.codec.sse import Event, EventTooLong, Parser

GREETING = 'data: {"text":"你好 🌞"}\n\ndata: [DONE]\n\n'.encode()
FAILED = b'id:1\nevent:error\n:HTTP_STATUS/429\ndata:{"code":"Throttling"}\n\n'  # upstream.md 4.5, E3


def read(*pieces: bytes) -> list[Event]:
    parser = Parser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.close()


def bytewise(data: bytes) -> list[bytes]:
    return [data[place : place + 1] for place in range(len(data))]


def in_mid_letter(data: bytes) -> list[bytes]:
    place = data.index("你".encode()) + 1
    return [data[:place], data[place:]]


@pytest.mark.parametrize("cut", [lambda data: [data], bytewise, in_mid_letter])
def test_events_do_not_depend_on_the_cuts(cut: object) -> None:
    events = read(*cut(GREETING))  # type: ignore[operator]

    assert events == [Event('{"text":"你好 🌞"}'.encode()), Event(b"[DONE]")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("cut", [lambda data: [data], bytewise])
def test_any_end_of_line_will_do(end: bytes, cut: object) -> None:
    stream = (b": hello\nevent: ping\ndata: 1\ndata: 2\n\n" + GREETING).replace(b"\n", end)

    events = read(*cut(stream))  # type: ignore[operator]

    assert events[0] == Event(b"1\n2", "ping")
    assert [event.data for event in events[1:]] == [event.data for event in read(GREETING)]


@given(st.data())
def test_random_cuts_give_the_same_events(data: st.DataObject) -> None:
    end = data.draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    closing = data.draw(st.sampled_from([b"", b"\n", b"\n\n", b"data: last", b"data: a\ndata: b"]))
    stream = ((b"\xef\xbb\xbf" if data.draw(st.booleans()) else b"") + FAILED + GREETING + closing).replace(b"\n", end)
    places = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    bounds = [0, *places, len(stream)]

    events = read(*(stream[start:stop] for start, stop in pairwise(bounds)))

    assert events == read(stream)


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_no_bytes_make_it_raise(pieces: list[bytes]) -> None:
    read(*pieces)


@given(st.lists(st.sampled_from([b"data", b":", b" ", b"\r", b"\n", b"\r\n", b"x", b"event", b"\xef", b"\xbb\xbf"])))
def test_pieces_of_syntax_mean_the_same_however_they_are_cut(pieces: list[bytes]) -> None:
    assert read(*pieces) == read(b"".join(pieces))


def test_the_status_in_a_comment_belongs_to_its_event() -> None:
    events = read(FAILED + GREETING)

    assert events[0] == Event(b'{"code":"Throttling"}', "error", 429)
    assert (events[1].name, events[1].status) == ("", None)


def test_a_last_event_without_its_blank_line_is_handed_out() -> None:
    assert read(b"data: 1\n\ndata: 2") == [Event(b"1"), Event(b"2")]


def test_lines_with_bare_carriage_returns_at_the_very_end_are_lines() -> None:
    assert read(b"data: 1\r", b"data: 2") == [Event(b"1\n2")]


def test_a_byte_order_mark_is_skipped_once() -> None:
    assert read(b"\xef", b"\xbb", b"\xbfdata: 1\n\n") == [Event(b"1")]


def test_comments_and_unknown_fields_say_nothing() -> None:
    assert read(b": OPENROUTER PROCESSING\n\nretry: 3000\n\nid: 7\n\nnonsense\n\n") == []


def test_one_blank_after_the_colon_is_no_data() -> None:
    assert [event.data for event in read(b"data:1\n\ndata:  2\n\ndata\n\n")] == [b"1", b" 2", b""]


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 100, b"data: " + b"x" * 100 + b"\n", b"data:\n", b"data\n"])
def test_an_event_without_an_end_is_refused(piece: bytes) -> None:
    parser = Parser(limit=1_000)

    with pytest.raises(EventTooLong):
        list(map(parser.feed, [piece] * 2_000))


def test_many_events_are_not_one_long_one() -> None:
    parser = Parser(limit=1_000)

    assert sum(len(parser.feed(b"data: " + b"x" * 50 + b"\n\n")) for _ in range(100)) == 100


def test_a_long_line_in_many_pieces_is_joined_once() -> None:
    parser = Parser()
    parser.feed(b"data: ")
    for _ in range(10_000):
        assert parser.feed(b"0123456789") == []

    assert parser.feed(b"\n\n") == [Event(b"0123456789" * 10_000)]


def test_what_is_written_is_read_back() -> None:
    assert read(sse.data_line(b'{"a":1}') + sse.KEEP_ALIVE + sse.DONE) == [Event(b'{"a":1}'), Event(b"[DONE]")]
