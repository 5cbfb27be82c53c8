"""Who visits the site: users with a JWT, guests with a `bx-umidtoken` (upstream.md 3.1). No answers here."""

import base64
import hashlib
import hmac
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any

from qwen_gateway.codec.json import BadJSON, dumps, loads

from ..log import Received
from ..wire import Clock, JsonObject
from .rows import refuse

GUEST_PREFIX = "T2gA"
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"


@dataclass(slots=True, eq=False)
class Visitor:
    """A user or a guest."""

    name: str
    """Of a guest: `guest` and the first characters of its token's digest."""
    id: str
    guest: bool = False
    password: str = ""
    fault: str = ""
    """On each turn of this visitor that names none."""
    dead_before: float = 0.0
    """Tokens minted before are revoked."""
    expired_before: float = 0.0
    """Tokens minted before have expired."""
    renewals: int = 0
    turns: deque[float] = field(default_factory=deque)

    def as_json(self) -> JsonObject:
        """The record as `GET /__sim__/web/visitors` shows it."""
        return {"name": self.name, "id": self.id, "guest": self.guest, "renewals": self.renewals}


@dataclass(slots=True)
class Visitors:
    """Everybody who may come. The first fields are settings."""

    clock: Clock
    seed: int = 0
    token_life: float = 900
    """Seconds; 15 minutes since 2026-09, 7 to 30 days before (3.1)."""
    jwt_form: str = "2026"
    """Or "2025": without `iat`, `type` and `kid`."""
    known: dict[str, Visitor] = field(default_factory=dict)
    _refresh: dict[str, Visitor] = field(default_factory=dict)
    _minted: int = 0

    def __iter__(self) -> Iterator[Visitor]:
        return iter(self.known.values())

    def user(self, name: str, *, password: str | None = None, fault: str | None = None) -> Visitor:
        """The user of that name, made if need be."""
        visitor = self.known.setdefault(name, Visitor(name, self._uuid(name)))
        visitor.password = visitor.password if password is None else password
        visitor.fault = visitor.fault if fault is None else fault
        return visitor

    def token(self, name: str, *, life: float | None = None) -> str:
        """A new JWT of a user."""
        visitor, now = self.user(name), self.clock()
        self._minted += 1
        expires = int(now + (self.token_life if life is None else life))
        header: JsonObject = {"alg": "HS256", "typ": "JWT"}
        payload: JsonObject = {"id": visitor.id, "last_password_change": 1_750_000_000, "exp": expires}
        if self.jwt_form != "2025":
            header["kid"] = "legacy"
            payload |= {"type": "access_token", "iat": int(now)}
        # Two tokens of one second are two tokens.
        payload["jti"] = f"{self._minted}:{now}"
        said = f"{_b64(dumps(header))}.{_b64(dumps(payload))}"
        return f"{said}.{self._sign(said)}"

    def refresh_token(self, name: str) -> str:
        """A new refresh token of a user, good for one use."""
        self._minted += 1
        token = hashlib.sha256(f"{self.seed}:refresh:{self._minted}".encode()).hexdigest()
        self._refresh[token] = self.user(name)
        return token

    def spend_refresh(self, token: str) -> Visitor | None:
        """Who the refresh token belonged to; it is dead now."""
        return self._refresh.pop(token, None)

    def cookies(self, name: str, *, life: float | None = None) -> str:
        """The `Cookie` header of a user's browser."""
        mark = self._mark(name)
        return (
            f"cna={mark}; acw_tc={mark}; x-ap=ap-southeast-1; ssxmod_itna={mark}; token={self.token(name, life=life)}"
        )

    def browser(self, name: str = "", *, life: float | None = None, guest: str = "") -> dict[str, str]:
        """The headers of a browser: of a user, or of a guest with this name."""
        mark = self._mark(name or guest)
        headers = {
            "accept": "application/json",
            "origin": "https://chat.qwen.ai",
            "referer": "https://chat.qwen.ai/",
            "user-agent": AGENT,
            "source": "web",
            "version": "0.3.11",
            "timezone": "Sat Nov 21 2026 12:00:00 GMT+0000",
            "bx-v": "2.5.37",
            "bx-umidtoken": GUEST_PREFIX + _b64(hashlib.sha512(mark.encode()).digest())[:84],
            "bx-ua": f"231!{mark}",
        }
        headers["cookie"] = self.cookies(name, life=life) if name else f"acw_tc={mark}; x-ap=ap-southeast-1"
        return headers

    def expire(self, name: str) -> None:
        """All tokens of a user so far have expired."""
        self.user(name).expired_before = self.clock()

    def revoke(self, name: str) -> None:
        """All tokens of a user so far are dead, its refresh tokens too."""
        visitor = self.user(name)
        visitor.dead_before = self.clock()
        self._refresh = {token: one for token, one in self._refresh.items() if one is not visitor}

    def name_of(self, received: Received) -> str:
        """Who it says it is, whether its token is still good or not; "" for nobody."""
        claims = self.claims(received)
        if claims is not None:
            return next((one.name for one in self if one.id == claims.get("id")), "")
        umid = received.header("bx-umidtoken") or ""
        return self._guest_name(umid) if umid and not presented(received) else ""

    def claims(self, received: Received) -> JsonObject | None:
        """The payload of the request's token, if we have signed it."""
        said, _, signature = presented(received).rpartition(".")
        if not said or not hmac.compare_digest(signature, self._sign(said)):
            return None
        try:
            made = loads(_unb64(said.rpartition(".")[2]))
        except (BadJSON, ValueError):
            return None
        return made if isinstance(made, dict) else None

    def identify(self, received: Received, *, guests: bool) -> Visitor:
        """The visitor, if its token is good or guests may come."""
        if not presented(received):
            umid = received.header("bx-umidtoken") or ""
            if not guests or not umid.startswith(GUEST_PREFIX) or not cookies_of(received):
                raise refuse("unauthorized")
            name = self._guest_name(umid)
            return self.known.setdefault(name, Visitor(name, self._uuid(name), guest=True))
        claims, now = self.claims(received), self.clock()
        visitor = next((one for one in self if claims is not None and one.id == claims["id"]), None)
        if claims is None or visitor is None:
            raise refuse("unauthorized")
        minted = float(str(claims["jti"]).partition(":")[2])
        if minted <= visitor.dead_before:
            raise refuse("unauthorized")
        if claims["exp"] <= now or minted <= visitor.expired_before:
            raise refuse("token-expired")
        return visitor

    def _guest_name(self, umid: str) -> str:
        return "guest-" + hashlib.sha256(umid.encode()).hexdigest()[:8]

    def _sign(self, said: str) -> str:
        return _b64(hmac.digest(f"the simulator's secret {self.seed}".encode(), said.encode(), "sha256"))

    def _uuid(self, name: str) -> str:
        mark = hashlib.sha256(f"{self.seed}:visitor:{name}".encode()).hexdigest()
        return f"{mark[:8]}-{mark[8:12]}-4{mark[13:16]}-8{mark[17:20]}-{mark[20:32]}"

    def _mark(self, name: str) -> str:
        return hashlib.sha256(f"{self.seed}:browser:{name}".encode()).hexdigest()[:24]


def cookies_of(received: Received) -> dict[str, str]:
    """The cookies of a request."""
    jar: SimpleCookie = SimpleCookie()
    for key, value in received.headers:
        if key.lower() == "cookie":
            try:
                jar.load(value)
            except CookieError:
                continue
    return {name: one.value for name, one in jar.items()}


def presented(received: Received) -> str:
    """The token in the request: the bearer's, else the cookie's; "" without one."""
    scheme, _, token = (received.header("authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else cookies_of(received).get("token", "")


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> Any:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
