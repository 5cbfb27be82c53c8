"""Forgets chats at chat.qwen.ai that nobody went on with, and deletes them there when the operator wants that."""

import asyncio

from mitmproxy import ctx
from mitmproxy.utils import asyncio_utils

from qwen_gateway import options
from qwen_gateway.engine.engine import Engine
from qwen_gateway.upstreams.web.turn import delete

EVERY = 600.0
"""Seconds between two looks (upstream.md 3.13)."""


class WebChats:
    """Cleans up."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._task: asyncio.Task[None] | None = None

    def configure(self, updated: set[str]) -> None:
        if updated & {"qwen_session_timeout", "qwen_delete_chats"}:
            self._settings = options.read(ctx.options)

    def running(self) -> None:
        self._task = asyncio_utils.create_task(self._clean(), name="forget idle chats", keep_ref=True)

    def done(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _clean(self) -> None:
        while True:
            timeout = self._settings.session_timeout
            if any(account.kind == "web" for account in self._engine.pool.accounts):
                accounts = {account.name: account for account in self._engine.pool.accounts}
                for session in await self._engine.sessions.idle(timeout):
                    account = accounts.get(session.account)
                    if account is not None and self._settings.delete_chats:
                        self._engine.tidy(account, [delete(account.endpoint, session.chat_id)])
            await asyncio.sleep(min(EVERY, max(1.0, timeout)))
