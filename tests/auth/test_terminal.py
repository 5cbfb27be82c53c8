"""What the terminal shows: QR codes, times."""

import pytest
from qrcode.main import QRCode

from qwen_auth.commands.qr import qr_lines, qr_text
from qwen_auth.commands.terminal import harmless
from qwen_auth.commands.words import countdown, from_now, moment, span

LINK = "https://chat.qwen.ai/authorize?user_code=K7Q2X9_M&client=qwen-code"


def modules(lines, upper, lower):
    rows = []
    for line in lines:
        rows.append([character in upper for character in line])
        rows.append([character in lower for character in line])
    return rows


def test_a_qr_code_of_half_blocks_has_the_modules_of_the_real_one():
    code = QRCode(error_correction=1, border=2)
    code.add_data(LINK)
    code.make(fit=True)

    drawn = modules(qr_lines(LINK), "▀█", "▄█")

    assert drawn[: len(code.get_matrix())] == code.get_matrix()


def test_it_leaves_room_for_the_words_on_80x24():
    lines = qr_lines(LINK)

    assert len(lines) <= 20
    assert len(lines[0]) <= 80


def test_with_colours_it_is_dark_on_light_whatever_the_terminal_is():
    drawn = qr_text(LINK, colours=True)

    assert drawn.plain.splitlines() == qr_lines(LINK)
    assert {str(span.style) for span in drawn.spans} == {"black on bright_white"}


def test_without_colours_the_light_modules_are_drawn():
    drawn = qr_text(LINK, colours=False).plain.splitlines()

    light = modules(drawn, "▀█", "▄█")
    dark = modules(qr_lines(LINK), "▀█", "▄█")
    assert light == [[not module for module in row] for row in dark]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0 s"), (40.4, "40 s"), (59.6, "1 min"), (720, "12 min"), (18720, "5 h 12 min"), (7200, "2 h"),
     (86400, "1 d"), (273600, "3 d 4 h")],
)  # fmt: skip
def test_spans(seconds, words):
    assert span(seconds) == words


def test_nothing_that_a_terminal_obeys_is_shown():
    assert harmless("a\x1b[2Jb\rc\x9bd\ne\t\u4f60") == "a[2Jbcd\ne\u4f60"


def test_moments():
    assert from_now(61) == "in 1 min"
    assert from_now(-7200) == "2 h ago"
    assert countdown(1781.9) == "29:41"
    assert countdown(-1) == "0:00"
    assert moment(1790000000.4)[:5] == "2026-"
