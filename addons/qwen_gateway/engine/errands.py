"""The small requests around an answer: a ticket, a chat, a word to stop. Their replies are read whole."""

import asyncio
import logging
from collections.abc import Iterable

from qwen_auth.account import Account
from qwen_auth.web.credentials import WebCredentials
from qwen_gateway.codec.deltas import Fault
from qwen_gateway.engine.transport import Answer, Transport, TransportFault
from qwen_gateway.upstreams.steps import Reply, Request

logger = logging.getLogger(__name__)

REPLY_LIMIT = 4 * 1024 * 1024
"""Bytes of a reply that are read."""

PARTING = 2.0
"""Seconds that such requests have when the process ends."""

PATIENCE = 30.0
"""Seconds for a request that nobody waits for."""


async def errand(transport: Transport, account: Account, request: Request, patience: float = PATIENCE) -> Reply | Fault:
    """Send it; the reply, or why there is none. The account's credentials go to the account's own host only."""
    own = "://" not in request.url
    if request.work is not None:
        await asyncio.to_thread(request.work, request)
    headers = dict(request.headers)
    if own:
        account.credentials.apply(headers)
    url = account.endpoint + request.url if own else request.url
    answer: Answer | None = None
    try:
        async with asyncio.timeout(patience):
            answer = await transport.send(request.method, url, headers, request.body, account.proxy)
            body = b""
            async for chunk in answer.chunks():
                body += chunk
                if len(body) > REPLY_LIMIT:
                    return Fault(0, "", f"a reply over {REPLY_LIMIT} bytes", origin="body")
    except TransportFault as problem:
        return Fault(0, "", problem.message, origin=problem.origin)
    except TimeoutError:
        return Fault(0, "", f"no reply within {patience:g} s", origin="timeout")
    finally:
        if answer is not None:
            await answer.aclose(reuse=True)
    if own:
        absorb(account, answer)
    return Reply(answer.status, {name.lower(): value for name, value in answer.headers.items()}, body)


def absorb(account: Account, answer: Answer) -> None:
    """Take over the cookies that an answer set, where the credentials are cookies."""
    if isinstance(account.credentials, WebCredentials) and (cookies := answer.set_cookies):
        account.credentials.absorb(cookies)


class Afterwards:
    """Requests that nobody waits for, made one after the other; what becomes of them is of no consequence."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, transport: Transport, account: Account, requests: Iterable[Request]) -> None:
        """Begin."""
        if requests := list(requests):
            task = asyncio.get_running_loop().create_task(self._send(transport, account, requests))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Let what is under way finish, for a moment."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=PARTING)
            for task in late:
                task.cancel()

    async def _send(self, transport: Transport, account: Account, requests: list[Request]) -> None:
        for request in requests:
            reply = await errand(transport, account, request)
            if isinstance(reply, Fault):
                logger.debug("%s %s: %s", request.method, request.url, reply.message)
