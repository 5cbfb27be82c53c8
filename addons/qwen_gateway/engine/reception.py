"""One attempt's talk with an upstream: send, wait for the first content, pass on what comes; faults are returned."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from qwen_auth.account import Account
from qwen_gateway.codec.deltas import CONTENT, Begin, Delta, Fault, Finish
from qwen_gateway.engine.delivery import Delivery
from qwen_gateway.engine.errands import absorb, errand
from qwen_gateway.engine.limits import Limits
from qwen_gateway.engine.transport import Answer, Transport, TransportFault
from qwen_gateway.exchange import Attempt, Exchange
from qwen_gateway.upstreams.guard import Guard
from qwen_gateway.upstreams.key import Encoded
from qwen_gateway.upstreams.steps import Reply, Steps

ERROR_BODY_LIMIT = 256 * 1024
"""Bytes of an error's body that are read, and of an answer's beginning that are kept in case it is one."""

OPENS = (*CONTENT, Finish)
"""What lets the client see an answer: content, or its end."""

FOR_ALL = (Begin, Fault)
"""Deltas that belong to no choice."""


class Reception:
    """Receives the answers of one choice of an exchange.

    Args:
        number: which of several choices the answer becomes.
        well: told with the first content that the account serves again.
        changed: told that the attempt's request is another one now.
    """

    def __init__(
        self,
        transport: Transport,
        limits: Limits,
        exchange: Exchange,
        delivery: Delivery,
        number: int,
        *,
        well: Callable[[], None] = lambda: None,
        changed: Callable[[], Awaitable[None]] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._transport = transport
        self._limits = limits
        self._exchange = exchange
        self._delivery = delivery
        self._number = number
        self._well = well
        self._changed = changed
        self._sleep = sleep
        self._begun = False

    def receive(self, account: Account, encoded: Encoded, attempt: Attempt) -> Awaitable[Fault | None]:
        """Send what there is to send and deliver the answer; None when that went well."""
        steps = encoded.steps()
        if steps is None:
            return self._ask(account, encoded, attempt)
        return self._walk(account, encoded, attempt, steps)

    async def _walk(self, account: Account, encoded: Encoded, attempt: Attempt, steps: Steps) -> Fault | None:
        """A call of several requests: the generator says which, and which one has the answer."""
        outcome: Reply | Fault | None
        try:
            request = next(steps)
            while True:
                if request.pause:
                    await self._sleep(request.pause)
                if request.final:
                    attempt.url = account.endpoint + request.url
                    attempt.method, attempt.headers, attempt.body = request.method, request.headers, request.body
                    self._exchange.note(encoded.notices)  # what was mended on the way
                    if self._changed:
                        await self._changed()
                    outcome = await self._ask(account, encoded, attempt)
                    if outcome is None or attempt.shown:
                        return outcome
                else:
                    outcome = await errand(self._transport, account, request, self._limits.first)
                request = steps.send(outcome)
        except StopIteration as end:
            fault: Fault | None = end.value
            return fault
        finally:
            steps.close()

    async def _ask(self, account: Account, encoded: Encoded, attempt: Attempt) -> Fault | None:
        """Send the request that has the answer, and deliver that."""
        self._begun, attempt.answer, attempt.received = False, b"", []
        headers = dict(attempt.headers)
        account.credentials.apply(headers)
        patience = self._limits.first if encoded.stream else self._limits.whole
        answer: Answer | None = None
        whole = False
        try:
            async with asyncio.timeout(patience) as timer:
                answer = await self._transport.send(attempt.method, attempt.url, headers, attempt.body, account.proxy)
                absorb(account, answer)
                status = attempt.status = encoded.status_of(answer.status, answer.headers)
                attempt.answer_headers = answer.headers
                if request_id := answer.headers.get("x-request-id"):
                    self._exchange.upstream_request_id = request_id
                if status >= 300:
                    attempt.answer = await read_some(answer)
                    whole = True
                    return encoded.fault_of(status, answer.headers, attempt.answer)
                fault = await self._pass_on(encoded, attempt, answer, timer)
                whole = fault is None
                return fault
        except TransportFault as problem:
            return Fault(0, "", problem.message, origin=problem.origin)
        except TimeoutError:
            if attempt.status is not None and attempt.status >= 300:  # the body never came; its status says enough
                return encoded.fault_of(attempt.status, attempt.answer_headers, b"")
            if self._begun:
                said = f"the answer fell silent for {self._limits.idle:g} s (qwen_idle_timeout)"
            elif encoded.stream:
                said = f"no content within {patience:g} s (qwen_first_timeout)"
            else:
                said = f"no answer within {patience:g} s (qwen_whole_timeout)"
            return Fault(0, "", said, origin="timeout")
        finally:
            if answer is not None:
                await answer.aclose(reuse=whole)

    async def _pass_on(
        self, encoded: Encoded, attempt: Attempt, answer: Answer, timer: asyncio.Timeout
    ) -> Fault | None:
        """Decode and deliver. What comes before the first content is held back; all of it, for a client that gets one
        object: until that is whole another attempt may make it."""
        decoder = encoded.decoder()
        guard = encoded.guard() if encoded.guard else None
        held: list[Delta] = []
        idle = self._limits.idle
        loop = asyncio.get_running_loop()
        armed = 0.0
        room = self._exchange.keep
        async for chunk in answer.chunks():
            if room > 0:
                attempt.received.append(chunk)
                room -= len(chunk)
            deltas = decoder.feed(chunk)
            if guard is not None and deltas:
                deltas = self._guarded(guard, deltas)
            if attempt.shown:
                if deltas and (rest := self._delivery.write_now(for_choice(deltas, self._number))):
                    timer.reschedule(None)  # a client that does not read is not an upstream that is silent
                    await self._delivery.send(rest)
                    armed = 0.0
            else:
                if not self._begun and len(attempt.answer) < ERROR_BODY_LIMIT:
                    attempt.answer += chunk
                if deltas:
                    held.extend(deltas)
                    if fault := fault_in(deltas):
                        return fault
                    if not self._begun and opens(deltas):
                        self._begin()
                    if self._begun and self._exchange.call.stream and (guard is None or opens(held)):
                        timer.reschedule(None)
                        await self._show(held, attempt)
                        held, armed = [], 0.0
            if self._begun and loop.time() - armed > idle / 20:  # not with each chunk: a timer is dearer than a chunk
                armed = loop.time()
                timer.reschedule(armed + idle)
            if attempt.shown and deltas and (fault := fault_in(deltas)):
                return fault
            if decoder.done:
                break
        last = decoder.close()
        if guard is not None:
            last = [*guard.feed(last), *guard.close()]
            self._exchange.note(guard.notices)
        fault = fault_in(last)
        if fault and not attempt.shown:
            return fault
        timer.reschedule(None)
        self._begin()
        await self._show(held + last, attempt)
        return fault

    def _guarded(self, guard: Guard, deltas: list[Delta]) -> list[Delta]:
        """What of these may be shown. The upstream serves, whatever of it is held back."""
        if not self._begun and opens(deltas) and fault_in(deltas) is None:
            self._begin()
        deltas = guard.feed(deltas)
        self._exchange.note(guard.notices)
        return deltas

    def _begin(self) -> None:
        """The upstream serves: others need not wait for the end of this answer to know."""
        if not self._begun:
            self._begun = True
            self._well()

    async def _show(self, deltas: list[Delta], attempt: Attempt) -> None:
        """The client sees this attempt from now on."""
        attempt.shown = True
        attempt.answer = b""
        self._exchange.first_byte = self._exchange.first_byte or time.time()
        await self._delivery.write(for_choice(deltas, self._number))


def opens(deltas: list[Delta]) -> bool:
    """Whether there is something that lets the client see an answer."""
    return any(isinstance(delta, OPENS) for delta in deltas)


def fault_in(deltas: list[Delta]) -> Fault | None:
    """The first fault among them."""
    for delta in deltas:
        if isinstance(delta, Fault):
            return delta
    return None


def for_choice(deltas: list[Delta], number: int) -> list[Delta]:
    """The deltas of a call that asked for one answer, as the `number`th of several; only the first one introduces."""
    if number:
        for delta in deltas:
            if not isinstance(delta, FOR_ALL):
                delta.choice = number
        return [delta for delta in deltas if not isinstance(delta, Begin)]
    return deltas


async def read_some(answer: Answer) -> bytes:
    """The body of an error, up to a limit; what came before a break is enough."""
    pieces: list[bytes] = []
    size = 0
    try:
        async for chunk in answer.chunks():
            pieces.append(chunk)
            size += len(chunk)
            if size > ERROR_BODY_LIMIT:
                break
    except TransportFault:
        pass
    return b"".join(pieces)[:ERROR_BODY_LIMIT]
