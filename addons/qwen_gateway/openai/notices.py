"""Notices: what the gateway changed in a call, told to the client and kept with the flow (mission row D6)."""

from dataclasses import dataclass
from typing import Literal

Action = Literal["translated", "emulated", "clamped", "defaulted", "withheld", "dropped"]


@dataclass(frozen=True, slots=True)
class Notice:
    """One change: what was done, to which parameter, and in words why or how."""

    action: Action
    param: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.action} {self.param}: {self.detail}" if self.detail else f"{self.action} {self.param}"


HEADER = "x-gateway-notice"
_HEADER_LIMIT = 1_500  # bytes; some clients refuse header lines of 8 KiB, and there are other headers


def header_value(notices: list[Notice]) -> str:
    """`dropped=service_tier; clamped=max_tokens`: each pair once, in order, printable ASCII, of bounded length."""
    pairs = dict.fromkeys(f"{notice.action}={_token(notice.param)}" for notice in notices)
    value = ""
    for number, pair in enumerate(pairs):
        longer = f"{value}; {pair}" if value else pair
        if len(longer) > _HEADER_LIMIT:
            return f"{value}; more={len(pairs) - number}"
        value = longer
    return value


def _token(param: str) -> str:
    """A parameter's name as a header may carry it: a client chose some of these names."""
    kept = "".join(char if char.isascii() and (char.isalnum() or char in "_.-[]") else "_" for char in param)
    return kept[:80]
