"""Our own events, carried by mitmproxy's hook system: observers know the event, not each other."""

from dataclasses import dataclass

from mitmproxy import hooks, http

from qwen_gateway.exchange import Attempt, Exchange


@dataclass
class QwenStartHook(hooks.Hook):
    """An exchange starts. Awaited: an observer may hold the call back, but not for long."""

    flow: http.HTTPFlow
    exchange: Exchange


@dataclass
class QwenExchangeHook(hooks.Hook):
    """An exchange ended: finished, failed or cancelled. Once for each exchange."""

    flow: http.HTTPFlow
    exchange: Exchange


@dataclass
class QwenAttemptHook(hooks.Hook):
    """An attempt failed; the exchange may go on."""

    flow: http.HTTPFlow
    exchange: Exchange
    attempt: Attempt


@dataclass
class QwenFlushHook(hooks.Hook):
    """The last call has ended and the process is about to: what an observer holds must be written now. Awaited."""
