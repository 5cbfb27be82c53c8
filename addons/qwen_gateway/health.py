"""`/health`: alive, and ready only when an account could serve a call now. Never asks an upstream."""

import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from mitmproxy import http

from qwen_auth.web.accounts import expiry_of
from qwen_gateway import flows, local
from qwen_gateway.engine.engine import Engine
from qwen_gateway.ledger import Ledger
from qwen_gateway.router import route
from qwen_gateway.sessions import Sessions
from qwen_gateway.version import __version__


class Health:
    """Serves `/health`, `/health/live` and `/health/ready`."""

    def __init__(self, engine: Engine, sessions: Sessions, ledger: Ledger) -> None:
        self._engine = engine
        self._ledger = ledger
        self._sessions = sessions
        self._started = time.monotonic()

    def request(self, flow: http.HTTPFlow) -> None:
        if flow.response or flow.error or flow.metadata.get(flows.SURFACE) != "health":
            return
        ready = self._engine.pool.usable() and not self._engine.leaving
        if route(flow.request.path).argument == "live":
            local.answer(flow, {"status": "ok"})
            return
        recovery = self._engine.pool.next_recovery()
        expiries = {account.name: expiry_of(account) for account in self._engine.pool.accounts}
        answer = {
            "status": "ok" if ready else "stopping" if self._engine.leaving else "unavailable",
            "ready": ready,
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            "uptime": round(time.monotonic() - self._started, 1),
            "version": __version__,
            "checks": {
                "authentication": "ok" if self._engine.pool.usable() else "error",
                "sessions": self._records(),
                "accounts": [
                    {"name": state.account, "model": state.model or None, "status": state.status,
                     "until": local.moment(state.until), "cause": state.cause or None,
                     "expires": local.moment(expiries.get(state.account))}
                    for state in self._engine.pool.states()
                ],
            },
            "metrics": {
                "activeSessions": self._sessions.active(time.time()),
                "runningCalls": len(self._engine.running),
                "memoryUsage": {"rss": resident_memory()},
            },
            "next_recovery": local.moment(recovery),
        }  # fmt: skip
        headers = []
        if not ready and recovery is not None:
            headers.append(("retry-after", str(max(1, round(recovery - time.time())))))
        local.answer(flow, answer, 200 if ready else 503, headers)

    def _records(self) -> str:
        """Whether sessions and records can be kept: calls go on in any case."""
        if not self._ledger.settings.where:
            return "off"
        return "error" if self._ledger.trouble else "ok"


def resident_memory() -> int | None:
    """Bytes of memory that the process holds; None where the system does not tell (it is read from /proc)."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return None
