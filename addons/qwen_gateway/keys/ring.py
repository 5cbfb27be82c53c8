"""Which key a caller showed."""

import hmac
import secrets
import time
from collections.abc import Callable, Iterable, Mapping

from qwen_gateway.callers import KEY_HEADERS, Keys, digest_of, key_of
from qwen_gateway.keys.grants import Grant
from qwen_gateway.openai.errors import BadKey, OpenAIError

PREFIX = "sk-gw-"
NOBODY = b"\0" * 32
"""A hash that no key has: who shows an unknown ID waits as long as the others."""


def new_key() -> tuple[str, str]:
    """A key, and its ID."""
    key_id = secrets.token_hex(6)
    return f"{PREFIX}{key_id}-{secrets.token_urlsafe(32)}", f"key_{key_id}"


def id_of(key: str) -> str:
    """The ID that a key names, whether there is such a key or not."""
    return f"key_{key.removeprefix(PREFIX).partition('-')[0]}" if key.startswith(PREFIX) else ""


class KeyRing:
    """The operator's plain keys, and those of the ledger.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, plain: Keys | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self.plain = plain or Keys()
        self.loaded = True
        """Whether the ledger's keys are known; while they are not, nobody is let in."""
        self._grants: dict[str, Grant] = {}
        self._clock = clock

    def __bool__(self) -> bool:
        """Whether callers need a key. A key that was revoked closes the door as well."""
        return bool(self.plain) or bool(self._grants)

    def replace(self, grants: Iterable[Grant]) -> None:
        """The keys of the ledger, as they are now."""
        self._grants = {grant.id: grant for grant in grants}
        self.loaded = True

    def grant(self, caller: str) -> Grant | None:
        """The key of a caller, if it is one of the ledger's."""
        return self._grants.get(caller)

    def caller(self, headers: Mapping[str, str]) -> str:
        """Who calls: the ID of the key that was shown; empty where no keys are needed.

        Raises:
            BadKey: missing, unknown, revoked or expired.
            OpenAIError: the ledger's keys are not known.
        """
        if not self.loaded:
            raise OpenAIError(
                "This gateway cannot look up its keys just now; its log has the reason.",
                status=503,
                code="keys_unavailable",
                retry_after=5,
            )
        if not self:
            return ""
        given = [key for name in KEY_HEADERS if (key := key_of(headers.get(name, "")))]
        if not given:
            raise BadKey("This gateway wants a key: send it as 'Authorization: Bearer KEY'.", code="missing_api_key")
        for key in given:
            grant = self._grants.get(id_of(key))
            if hmac.compare_digest(digest_of(key), grant.hash if grant else NOBODY) and grant is not None:
                return self._good(grant)
        if plain := self.plain.name_of(headers):
            return plain
        raise BadKey("The key is not one of this gateway's keys; ask its operator for one.")

    def _good(self, grant: Grant) -> str:
        if grant.disabled:
            raise BadKey(f"The key '{grant.name}' was revoked; ask the gateway's operator for another one.")
        if grant.expires_at is not None and self._clock() >= grant.expires_at:
            raise BadKey(f"The key '{grant.name}' has expired; ask the gateway's operator for another one.")
        return grant.id
