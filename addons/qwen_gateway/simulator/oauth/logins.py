"""Device codes, tokens and who they belong to (upstream.md 2.1 to 2.4). No HTTP here.

A device code is pending until somebody approves or denies it, and good for one token. Refresh tokens
are good for one refresh: the old one is dead at once. Access tokens live out their time.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from ..keys import Key
from ..wire import Clock, JsonObject

CLIENT_ID = "f0304373b74a44d2b584a3fb70ca9e56"
SCOPE = "openid profile email model.completion"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass(slots=True, eq=False)
class Login:
    """One login of an account, as one token file holds it."""

    account: str
    until: float
    """When the refresh token dies of age."""
    fault: str = ""
    """Answers of the portal to this login."""
    revoked: bool = False
    refreshes: int = 0
    refused_refreshes: int = 0

    def as_json(self) -> JsonObject:
        """The record as `GET /__sim__/logins` shows it."""
        return {
            "account": self.account,
            "fault": self.fault,
            "revoked": self.revoked,
            "refreshes": self.refreshes,
            "refused_refreshes": self.refused_refreshes,
        }


@dataclass(slots=True, eq=False)
class Code:
    """A device code and the user code that goes with it."""

    device_code: str
    user_code: str
    challenge: str
    scope: str
    until: float
    state: Literal["pending", "approved", "denied", "used"] = "pending"
    account: str = ""
    polled_at: float | None = None
    polls: int = 0

    def verified_by(self, verifier: str) -> bool:
        """PKCE, S256: whether the challenge was made from this verifier (RFC 7636, 4.6)."""
        digest = hashlib.sha256(verifier.encode()).digest()
        made = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return hmac.compare_digest(made, self.challenge)


@dataclass(slots=True)
class Logins:
    """What the authorization server remembers. The first fields are its settings."""

    clock: Clock
    seed: int = 0
    token_life: float = 21_600
    told_life: float | None = None
    """The `expires_in` that is told, where tokens live longer than that."""
    refresh_life: float = 30 * 86_400
    code_life: float = 1_800
    interval: float = 5
    client_ids: tuple[str, ...] = (CLIENT_ID,)
    resource_url: str = ""
    """Host and port of the simulator, with `http://` when it speaks no TLS."""
    logins: list[Login] = field(default_factory=list)
    codes: list[Code] = field(default_factory=list)
    _access: dict[str, tuple[Login, float]] = field(default_factory=dict)
    _refresh: dict[str, Login] = field(default_factory=dict)
    _made: int = 0

    def begin(self, challenge: str, scope: str) -> Code:
        """A new device code."""
        letters = "".join(_LETTERS[byte % 36] for byte in self._bytes(6))
        code = Code(self._token(), f"{letters}_M", challenge, scope, self.clock() + self.code_life)
        self.codes.append(code)
        return code

    def code(self, *, device_code: str = "", user_code: str = "") -> Code | None:
        """The code, by either of its names; also when it has expired."""
        for code in self.codes:
            if device_code == code.device_code or user_code == code.user_code:
                return code
        return None

    def approve(self, user_code: str, account: str = "user") -> None:
        """Somebody presses Approve."""
        self._decide(user_code, "approved", account)

    def deny(self, user_code: str) -> None:
        """Somebody presses Deny."""
        self._decide(user_code, "denied", "")

    def _decide(self, user_code: str, state: Literal["approved", "denied"], account: str) -> None:
        code = self.code(user_code=user_code)
        if code is None or code.until <= self.clock() or code.state != "pending":
            raise KeyError(f"no user code {user_code!r} is waiting")
        code.state, code.account = state, account

    def login(self, account: str = "user", *, fault: str = "", life: float | None = None) -> JsonObject:
        """Log an account in without any ceremony; the token body is returned."""
        login = Login(account, self.clock() + self.refresh_life, fault)
        self.logins.append(login)
        return self.grant(login, life=life)

    def grant(self, login: Login, *, life: float | None = None) -> JsonObject:
        """A new pair of tokens for a login."""
        access, refresh = self._token(), self._token()
        life = self.token_life if life is None else life
        self._access[access] = (login, self.clock() + life)
        self._refresh[refresh] = login
        return {
            "access_token": access,
            "refresh_token": refresh,
            "token_type": "Bearer",
            "expires_in": int(life if self.told_life is None else self.told_life),
            "scope": SCOPE,
            "resource_url": self.resource_url,
        }

    def refresh(self, token: str) -> JsonObject | None:
        """A new pair for a refresh token, which is dead from now on; None: it was no good."""
        login = self._refresh.pop(token, None)
        if login is None or login.revoked or login.until <= self.clock():
            if login is not None:
                login.refused_refreshes += 1
            return None
        login.refreshes += 1
        return self.grant(login)

    def holder(self, access_token: str) -> Login | None:
        """Who holds this access token, if it is good."""
        login, until = self._access.get(access_token, (None, 0.0))
        return login if login is not None and not login.revoked and until > self.clock() else None

    def key(self, access_token: str) -> Key | None:
        """The login as a key: its account and its faults."""
        login = self.holder(access_token)
        return Key(plan="own", account=login.account, fault=login.fault) if login is not None else None

    def revoke(self, account: str) -> int:
        """All logins of an account are dead; how many there were."""
        found = [login for login in self.logins if login.account == account and not login.revoked]
        for login in found:
            login.revoked = True
        return len(found)

    def expire(self, account: str) -> None:
        """The access tokens of an account are over; its refresh tokens live on."""
        for token, (login, _) in list(self._access.items()):
            if login.account == account:
                del self._access[token]

    def __iter__(self) -> Iterator[Login]:
        return iter(self.logins)

    def _token(self) -> str:
        return base64.urlsafe_b64encode(self._bytes(64)).rstrip(b"=").decode()

    def _bytes(self, count: int) -> bytes:
        self._made += 1
        return hashlib.shake_256(f"oauth:{self.seed}:{self._made}".encode()).digest(count)
