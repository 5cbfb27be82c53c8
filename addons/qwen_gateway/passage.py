"""One call on a lane (`lane.py`): its hooks, its answer, its end; and the client as `engine.delivery.Client` sees it.

Does what mitmproxy's `HttpStream` and `Http1Server` do for such a call: the hooks in their order, an error instead of
a response when it breaks, a flow that is not alive any more at its end.
"""

import asyncio
import logging
import time
from asyncio import StreamWriter
from collections.abc import Awaitable, Callable

from mitmproxy import flow as mitmflow
from mitmproxy import http
from mitmproxy.net.http import http1
from mitmproxy.proxy.commands import StartHook
from mitmproxy.proxy.layers.http._hooks import (
    HttpErrorHook,
    HttpRequestHeadersHook,
    HttpRequestHook,
    HttpResponseHeadersHook,
    HttpResponseHook,
)
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.utils import asyncio_utils

from qwen_gateway import local
from qwen_gateway.engine.delivery import Headers
from qwen_gateway.framing import CHUNKS, as_http1, framing_of
from qwen_gateway.leg import Serve
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.prompt_hooks import Tell
from qwen_gateway.pseudo import response_of

logger = logging.getLogger(__name__)

LEFT = "Client disconnected."
"""What the flow of a client that went away says: mitmproxy's own words."""


class Passage:
    """One call.

    Attributes:
        flow: what mitmproxy's addons see of it.
        gone: the client went away.

    Args:
        tell: tells a hook's listeners; see `PromptHooks`.
        over: told when nothing more of this call will be written.
    """

    def __init__(
        self,
        handler: ConnectionHandler,
        writer: StreamWriter,
        flow: http.HTTPFlow,
        tell: Tell,
        over: Callable[[], None],
    ) -> None:
        self.flow = flow
        self._serve: Serve | None = None
        self.gone = False
        self._handler = handler
        self._writer = writer
        self._tell = tell
        self._over = over
        self._serving: asyncio.Task[None] | None = None
        self._ended = False
        self._framing = CHUNKS
        self._collected: bytearray | None = None

    def attach(self, serve: Serve) -> None:
        """Have `serve` answer.

        Raises:
            LookupError: nobody waits for an answer any more.
        """
        if self.gone:
            raise LookupError("the client's connection is gone")
        self._serve = serve

    async def run(self, body: bytes) -> None:
        """From the request's hooks to the answer's last byte."""
        flow = self.flow
        try:
            if not await self._passes(HttpRequestHeadersHook(flow)):
                return
            flow.request.timestamp_end = time.time()
            flow.request.data.content = body
            if not await self._passes(HttpRequestHook(flow)):
                return
            if flow.response is None and self._serve is not None:
                self._serving = asyncio.current_task()
                await self._serve(self)
                return
            if flow.response is None:
                logger.error("nobody answered a call at %s", flow.request.path)
                local.refuse(
                    flow, OpenAIError("The gateway itself failed; its log has the reason.", code="internal_error")
                )
            assert flow.response is not None
            flow.response.timestamp_start = time.time()
            await self._give(flow.response)
        finally:
            await self.end(torn=True)
            self._over()

    def leave(self) -> None:
        """The client went away. Hooks that run are waited for, as mitmproxy does; the exchange is cancelled."""
        self.gone = True
        if self._serving is None or self._ended:
            return
        self._ended = True
        self._serving.cancel("the client went away")
        if (rest := self._broken(LEFT)) is not None:
            asyncio_utils.create_task(_await(rest), name="qwen call", keep_ref=True)

    async def _passes(self, hook: StartHook) -> bool:
        """Tell a hook; whether the call goes on after it: a listener may have killed it, the client may be gone."""
        if (rest := self._tell(hook)) is not None:
            with self._handler.timeout_watchdog.disarm():
                await rest
        error = self.flow.error
        if not self.gone and (error is None or error.msg != mitmflow.Error.KILLED_MESSAGE):
            return True
        self._ended = True
        if error is None or not isinstance(hook, HttpResponseHook):
            await self._break(error.msg if error else LEFT)
        else:
            self._hang_up()
        return False

    def _broken(self, why: str) -> Awaitable[None] | None:
        """Tell that the call broke; what is left to wait for."""
        if self.flow.error is None:
            self.flow.error = mitmflow.Error(why)
        rest = self._tell(HttpErrorHook(self.flow))
        self.flow.live = False
        return rest

    async def _break(self, why: str) -> None:
        """End so that no client takes what it has for a whole answer."""
        if (rest := self._broken(why)) is not None:
            await rest
        self._hang_up()

    def _hang_up(self) -> None:
        self.flow.live = False
        if self._handler.client in self._handler.transports:
            self._handler.close_connection(self._handler.client)

    def _write(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._handler.timeout_watchdog.register_activity()
            self._writer.write(data)

    async def _give(self, response: http.Response, body: bytes | None = None) -> None:
        """Send a response that is whole; listeners to its head do not see a body that has yet to come."""
        if self._ended:
            return
        self.flow.response = response
        if not await self._passes(HttpResponseHeadersHook(self.flow)):
            return
        if body is not None and self._response().stream:  # a listener wants it to be one
            self._write(self._head())
            self._piece(body)
            await self.end(torn=False)
        else:
            await self._finish(body)

    async def _finish(self, body: bytes | None) -> None:
        """Send a response whose head was shown; a listener may have put another one in its place, each time."""
        response = self._response()
        if body is not None:
            response.data.content = body
        response.timestamp_end = time.time()
        if not await self._passes(HttpResponseHook(self.flow)):
            return
        self._ended = True
        head = self._head()
        self._write(head + self._framed(self._response().raw_content or b"") + self._framing.last)
        self._close()

    def _response(self) -> http.Response:
        response = self.flow.response
        assert response is not None
        return response

    def _head(self) -> bytes:
        """The head as it stands now, which says how the body is framed."""
        response = self._response()
        self._framing = framing_of(self.flow.request, response)
        head: bytes = http1.assemble_response_head(as_http1(response))
        return head

    def _framed(self, data: bytes) -> bytes:
        """One piece is one chunk; an empty one would be the last."""
        return b"%x\r\n%b\r\n" % (len(data), data) if self._framing.chunked and data else data

    def _close(self) -> None:
        """The answer is over."""
        self.flow.live = False
        if self._framing.closes:
            self._hang_up()

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send the whole answer."""
        response = response_of(b"HTTP/1.1", status, [*headers, ("content-length", str(len(body)))])
        await self._give(response, body)

    async def begin(self, status: int, headers: Headers) -> None:
        """Begin a stream."""
        if self._ended:
            return
        response = response_of(b"HTTP/1.1", status, [*headers, ("transfer-encoding", "chunked")])
        response.stream = True
        self.flow.response = response
        try:
            goes_on = await self._passes(HttpResponseHeadersHook(self.flow))
        except asyncio.CancelledError:  # what comes now would come without a head
            await self.end(torn=True)
            raise
        if goes_on and self._response().stream:
            self._write(self._head())
        elif goes_on:
            self._collected = bytearray()  # a listener wants the whole of it before the client has any

    def send_now(self, data: bytes) -> bool:
        """Send bytes if that needs no waiting; else nothing happened and they must be sent by `send`."""
        if self._writer.transport.get_write_buffer_size():
            return False
        self._piece(data)
        return True

    async def send(self, data: bytes) -> None:
        """Send bytes; waits while the client is slower than we are."""
        self._piece(data)
        await self._handler.drain_writers()

    def _piece(self, data: bytes) -> None:
        if self._ended:
            return
        if self._collected is not None:
            self._collected += data
            return
        if self.flow.response is not None and callable(change := self.flow.response.stream):
            made = change(data)
            data = made if isinstance(made, bytes) else b"".join(made)
        if data:
            self._write(self._framed(data))

    async def end(self, *, torn: bool) -> None:
        """The answer is complete, or cut so that no client takes it for complete."""
        if self._ended:
            return
        if torn or self.flow.response is None:
            self._ended = True
            await self._break("the upstream's answer broke off")
            return
        if self._collected is not None:
            await self._finish(bytes(self._collected))
            return
        if callable(self.flow.response.stream):
            self._piece(b"")
        self._ended = True
        self.flow.response.timestamp_end = time.time()
        if await self._passes(HttpResponseHook(self.flow)):
            self._write(self._framing.last)
            self._close()


async def _await(rest: Awaitable[None]) -> None:
    await rest
