"""Sealed text: what a client keeps for the gateway without being able to read or change it.

OpenAI hands out reasoning as `encrypted_content` and takes it back in a later call (openai-surface.md section 4); so
does the gateway, with a key of its own. AES-GCM: a text that was changed, or sealed by someone else, does not open.
"""

import base64
import binascii
import secrets
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREFIX = "qgw1."
"""Begins whatever was sealed here; another gateway's text, or OpenAI's, is told apart by it."""

_NONCE = 12  # bytes, as NIST SP 800-38D recommends
KEY = 32
"""Bytes of a key."""


class Seal:
    """Seals and opens with one key.

    Args:
        key: gives the key; asked for once, when something is sealed or opened for the first time.
    """

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._load = key
        self._key: bytes | None = None

    def __repr__(self) -> str:
        return "Seal()"

    def seal(self, text: str, purpose: str) -> str:
        """The text, sealed; it opens for the same purpose only."""
        nonce = secrets.token_bytes(_NONCE)
        data = text.encode("utf-8", "replace")
        return PREFIX + base64.urlsafe_b64encode(nonce + self._cipher().encrypt(nonce, data, purpose.encode())).decode()

    def open(self, sealed: str, purpose: str) -> str | None:
        """The text; None when it was not sealed here for this purpose, or has been changed."""
        if not sealed.startswith(PREFIX):
            return None
        try:
            data = base64.b64decode(sealed.removeprefix(PREFIX), altchars=b"-_", validate=True)
            return bytes(self._cipher().decrypt(data[:_NONCE], data[_NONCE:], purpose.encode())).decode()
        except (binascii.Error, ValueError, InvalidTag):
            return None

    def _cipher(self) -> AESGCM:
        if self._key is None:
            self._key = self._load()
        return AESGCM(self._key)
