"""The keys the simulator knows, and which key opens which face (upstream.md 4.1, 4.6, 4.7).

Names that always work, without any table: `sk-sim` (pay as you go), `sk-sp-sim` (Coding Plan and
Token Plan, which share the prefix), `sk-ws-H.sim` (a workspace). Behind them may follow `-FAULT`, so
that every answer is that fault, and `.LABEL`, so that it is another key: `sk-sim-throttling.second`.
Other keys have to be in the table.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from .errors import refuse
from .faces import Face
from .log import Received


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account may use of one model; None: no limit."""

    rpm: int | None = None
    tpm: int | None = None
    rps: int | None = None
    """Requests within one second; the services set it to RPM / 60."""
    burst: int | None = None
    """Requests within one second that are taken for a surge."""
    concurrency: int | None = None
    hour5: int | None = None
    week: int | None = None
    month: int | None = None
    credits7: int | None = None
    day: int | None = None
    """Calls in a day of UTC (2.13)."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the table."""

    plan: str = "payg"
    """`payg`, `coding`, `token`, or `plan` for both plans."""
    region: str = "any"
    account: str = ""
    """The Alibaba account behind it: its keys share all windows. The key itself, when empty."""
    models: frozenset[str] | None = None
    """The models it may call; None: all."""
    balance: str = "good"
    """Or the name of an error row, such as `arrearage` or `free-tier-only`."""
    expired: bool = False
    limits: Limits = field(default_factory=Limits)
    fault: str = ""

    @classmethod
    def from_json(cls, settings: dict[str, Any]) -> "Key":
        """A key from the control endpoint; limits may stand beside the other settings."""
        settings = dict(settings)
        limits = dict(settings.pop("limits", {}))
        for name in Limits.__slots__:
            if name in settings:
                limits[name] = settings.pop(name)
        if settings.get("models") is not None:
            settings["models"] = frozenset(settings["models"])
        return cls(**settings, limits=Limits(**limits))


_NAME = re.compile(r"(sk-sim|sk-sp-sim|sk-ws-H\.sim|sk-or-sim)(?:-([a-z0-9-]+))?(?:\.[\w.-]+)?")
_PLANS = {"sk-sim": "payg", "sk-sp-sim": "plan", "sk-ws-H.sim": "payg", "sk-or-sim": "own"}


def parse(name: str) -> Key | None:
    """The key that a name describes by itself."""
    found = _NAME.fullmatch(name)
    return Key(plan=_PLANS[found[1]], fault=found[2] or "") if found else None


def presented(received: Received) -> str | None:
    """The key in the request; None without an Authorization header, "" in an unreadable one."""
    header = received.header("authorization")
    if header is None:
        return None
    scheme, _, name = header.partition(" ")
    return name.strip() if scheme.lower() == "bearer" else ""


def admit(face: Face, name: str | None, key: Key | None) -> Key:
    """The key, if it opens the face; otherwise the refusal of 4.6 and 4.7."""
    if face.kind in {"vllm", "ollama"}:
        return key or Key(plan="own")
    if name is None:
        raise refuse("missing-authorization")
    if not name:
        raise refuse("no-api-key")
    if face.kind == "openrouter":
        if key is None and not name.startswith("sk-or-"):
            raise refuse("invalid-api-key", "User not found.")
        return key or Key(plan="own")
    if face.plan == "payg":
        if name.startswith("sk-sp-") or (key is not None and key.plan in {"coding", "token", "plan"}):
            raise refuse("plan-key")
        if key is None or key.region not in {"any", face.region}:
            raise refuse("invalid-api-key")
        if name.startswith("sk-ws-") and face.name not in {"workspace", "dashscope"}:
            raise refuse("not-authorized")
    elif key is None or key.plan not in {face.plan, "plan"} or key.expired:
        raise refuse("invalid-access-token")
    if key.balance != "good":
        raise refuse(key.balance)
    return key
