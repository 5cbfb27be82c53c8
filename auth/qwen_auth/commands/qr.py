"""A QR code of half-block characters: two rows of modules in one line of text, so that it fits 80x24."""

from __future__ import annotations

from qrcode.constants import ERROR_CORRECT_L
from qrcode.main import QRCode
from rich.text import Text

_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def qr_lines(content: str, *, border: int = 2) -> list[str]:
    """The lines, dark modules drawn. The standard wants a border of four modules; readers are content with two."""
    code = QRCode(error_correction=ERROR_CORRECT_L, border=border)
    code.add_data(content)
    code.make(fit=True)
    rows = [[bool(module) for module in row] for row in code.get_matrix()]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    return ["".join(_HALVES[pair] for pair in zip(*rows[top : top + 2], strict=True)) for top in range(0, len(rows), 2)]


def qr_text(content: str, *, colours: bool) -> Text:
    """The code, dark on light whatever the terminal's colours are.

    Without colours the modules are drawn the other way round, as most terminals are light on dark.
    """
    lines = qr_lines(content)
    if colours:
        return Text("\n").join(Text(line, "black on bright_white", no_wrap=True) for line in lines)
    inverted = str.maketrans("▀▄█ ", "▄▀ █")
    return Text("\n".join(line.translate(inverted) for line in lines), no_wrap=True)
