"""Pictures of a call: found in its messages, unpacked for an upload (upstream.md 3.8, 3.9).

Only pictures that the call carries itself (`data:` URLs) are taken. An address would have to be fetched from here, with
the operator's network behind it, for whoever calls.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Any

from qwen_gateway.openai.errors import BadRequest, Unsupported
from qwen_gateway.upstreams.messages import TEXT_PARTS

LIMIT = 20_000_000
"""Bytes of one picture or document; the page's own limit (3.9)."""

MOST = 5
"""Files of one message (3.9)."""

_DATA = re.compile(r"data:(image/[\w.+-]+);base64,", re.ASCII)


@dataclass(slots=True)
class Upload:
    """A file that a turn needs.

    Attributes:
        data: base64, or the bytes themselves.
        file_class: of 3.9: `vision` or `document`.
    """

    name: str
    content_type: str
    data: str | bytes = field(repr=False)
    file_class: str = "vision"

    @property
    def size(self) -> int:
        """Bytes, known before the base64 is unpacked."""
        if isinstance(self.data, bytes):
            return len(self.data)
        return len(self.data) * 3 // 4 - self.data[-2:].count("=")

    @property
    def kind(self) -> str:
        """`filetype` and `type` of 3.9."""
        return "image" if self.file_class == "vision" else "file"

    def content(self) -> bytes:
        """The bytes. Takes time for large ones: not on the event loop."""
        return self.data if isinstance(self.data, bytes) else base64.b64decode(self.data)


def find_pictures(messages: list[dict[str, Any]], first: int = 0) -> list[Upload]:
    """The pictures of the messages from `first` on, in order.

    Raises:
        Unsupported: a part that this upstream cannot take.
        BadRequest: a picture that is none.
    """
    found: list[Upload] = []
    for index, message in enumerate(messages[first:], first):
        content = message.get("content")
        for number, part in enumerate(content if isinstance(content, list) else ()):
            place = f"messages[{index}].content[{number}]"
            kind = part.get("type")
            if kind in TEXT_PARTS:
                continue
            if kind not in ("image_url", "input_image"):
                raise Unsupported(f"chat.qwen.ai takes no parts of type '{str(kind)[:40]}' from here.", param=place)
            found.append(_picture(part.get("image_url"), f"{place}.image_url", len(found) + 1))
    if len(found) > MOST:
        raise Unsupported(
            f"The messages carry {len(found)} pictures, and chat.qwen.ai takes {MOST} in one turn.", param="messages"
        )
    return found


def _picture(image: Any, place: str, number: int) -> Upload:
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str):
        raise BadRequest("An image part needs `image_url.url`.", param=place)
    head = _DATA.match(url[:100])
    if head is None:
        raise Unsupported(
            "The gateway fetches no addresses for its callers: send the picture itself, as data:image/png;base64,…",
            param=place,
        )
    data = url[head.end() :]
    if len(data) % 4 or not re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", data[-64:] if len(data) % 64 == 0 else data[-4:]):
        raise BadRequest("The picture is not valid base64.", param=place)
    suffix = head[1].removeprefix("image/").split("+")[0].replace("jpeg", "jpg")
    upload = Upload(f"image-{number}.{suffix}", head[1], data)
    if upload.size > LIMIT:
        raise BadRequest(f"The picture has {upload.size} bytes; chat.qwen.ai takes {LIMIT}.", param=place)
    return upload


def unpack(upload: Upload) -> bytes:
    """The bytes of a file, empty when its base64 is broken. Not on the event loop."""
    try:
        return upload.content()
    except (binascii.Error, ValueError):
        return b""
