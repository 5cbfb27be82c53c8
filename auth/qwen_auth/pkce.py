"""Proof Key for Code Exchange (RFC 7636), method S256, as upstream.md 2.1 wants it."""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Pkce:
    """A verifier, which stays here, and its challenge, which goes out first."""

    verifier: str = field(repr=False)
    challenge: str


def new_pkce(entropy: Callable[[int], bytes] = secrets.token_bytes) -> Pkce:
    """A verifier of 43 characters from 32 random bytes, and the SHA-256 of its ASCII form."""
    verifier = _base64url(entropy(32))
    return Pkce(verifier, _base64url(hashlib.sha256(verifier.encode("ascii")).digest()))


def _base64url(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
