"""Sizes of images in data URIs."""

import base64
import struct

import pytest

from qwen_gateway.simulator import images

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 640, 320)
GIF = b"GIF89a" + struct.pack("<HH", 64, 32)
JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08" + struct.pack(">HH", 100, 200) + b"\x01"


def uri(content: bytes) -> str:
    return "data:image/x;base64," + base64.b64encode(content).decode()


@pytest.mark.parametrize(
    ("url", "size"),
    [
        (uri(PNG), (640, 320)),
        (uri(GIF), (64, 32)),
        (uri(JPEG), (200, 100)),
        (uri(b"RIFF"), None),
        ("data:image/png;base64,%%%", None),
        ("https://example.org/a.png", None),
    ],
)
def test_sizes(url: str, size: tuple[int, int] | None) -> None:
    assert images.size(url) == size


def test_an_image_costs_a_token_for_32_by_32_pixels() -> None:
    assert images.tokens(uri(PNG), high=False) == 20 * 10
    assert images.tokens("https://example.org/a.png", high=False) == 1_024
    huge = uri(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 9_999, 9_999))
    assert images.tokens(huge, high=False) == 2_560
    assert images.tokens(huge, high=True) == 16_384
