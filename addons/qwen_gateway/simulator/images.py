"""How large an image is, and what that costs (upstream.md 4.3, 5)."""

import base64
import binascii
import struct
from typing import Any

LARGEST_URI = 10_485_760
"""Bytes of a data URI (4.3)."""
USUAL = 1_024
"""Tokens of an image whose size nobody knows: one of 1024 by 1024."""
CEILING, HIGH_CEILING = 2_560, 16_384


def url_of(part: Any) -> str | None:
    """The address of an image part; None for other parts."""
    if not isinstance(part, dict) or part.get("type") not in {"image_url", "image", "input_image"}:
        return None
    image = part.get("image_url", part.get("image"))
    if isinstance(image, dict):
        image = image.get("url")
    return image if isinstance(image, str) else ""


def size(url: str) -> tuple[int, int] | None:
    """Width and height of a PNG, GIF or JPEG in a data URI; None when it cannot be told."""
    head, comma, text = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return None
    try:
        # The size stands at the start; a JPEG's may come after its thumbnail.
        content = base64.b64decode(text[: 4 * 65_536])
    except (binascii.Error, ValueError):
        return None
    if content.startswith(b"\x89PNG") and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    if content.startswith(b"GIF8") and len(content) >= 10:
        width, height = struct.unpack("<HH", content[6:10])
        return width, height
    return _jpeg(content) if content.startswith(b"\xff\xd8") else None


def tokens(url: str, *, high: bool) -> int:
    """What the image costs: about one token for 32 by 32 pixels."""
    known = size(url)
    if known is None:
        return USUAL
    width, height = known
    return max(1, min(-(-width // 32) * -(-height // 32), HIGH_CEILING if high else CEILING))


def _jpeg(content: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 9 < len(content) and content[place] == 0xFF:
        marker, length = content[place + 1], struct.unpack(">H", content[place + 2 : place + 4])[0]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack(">HH", content[place + 5 : place + 9])
            return width, height
        place += 2 + length
    return None
