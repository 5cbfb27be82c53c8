"""One attempt's talk with an upstream: time limits, connections, odd bodies."""

import asyncio

import pytest

from qwen_gateway.codec.deltas import Begin, Fault, Finish, Text, Usage
from qwen_gateway.engine.delivery import Headers
from qwen_gateway.engine.limits import Limits
from qwen_gateway.engine.reception import ERROR_BODY_LIMIT, fault_in, for_choice
from qwen_gateway.engine.transport import TransportFault
from tests.engine.fakes import END, OK, SILENT, STREAM, Client, Gateway, Script, Upstream, chunk, error, sse


async def test_a_finished_answer_gives_its_connection_back() -> None:
    gateway = Gateway(Upstream(OK), "a")

    await gateway.ask()

    (answer,) = gateway.upstream.answers
    assert (answer.closed, answer.reuse) == (1, True)


async def test_a_read_error_gives_its_connection_back() -> None:
    gateway = Gateway(Upstream(Script([error("InvalidParameter")], 400)), "a")

    await gateway.ask()

    assert gateway.upstream.answers[0].reuse


@pytest.mark.parametrize("pieces", [[SILENT], [*STREAM[:2], SILENT], [*STREAM[:2], TransportFault("cut", "x")]])
async def test_an_unfinished_answer_does_not(pieces: list[object]) -> None:
    gateway = Gateway(Upstream(Script(pieces)), "a", limits=Limits(first=0.01, idle=0.01, wait=0, attempts=1))

    await gateway.ask()

    (answer,) = gateway.upstream.answers
    assert (answer.closed, answer.reuse) == (1, False)


@pytest.mark.parametrize(
    ("pieces", "option"),
    [([SILENT], "qwen_first_timeout"), ([STREAM[0], SILENT], "qwen_first_timeout"),
     ([*STREAM[:2], SILENT], "qwen_idle_timeout")],
)  # fmt: skip
async def test_silence_names_the_limit_that_it_broke(pieces: list[object], option: str) -> None:
    gateway = Gateway(Upstream(Script(pieces)), "a", limits=Limits(first=0.01, idle=0.01, wait=0, attempts=1))

    served = await gateway.ask()

    assert option in served.client.error["message"]
    assert served.client.error["code"] == "upstream_timeout"


@pytest.mark.parametrize("step", ["begin", "send"])
async def test_a_client_that_does_not_read_is_not_a_silent_upstream(step: str) -> None:
    class Dawdler(Client):
        async def begin(self, status: int, headers: Headers) -> None:
            await asyncio.sleep(0.15 * (step == "begin"))  # as for a flow that is intercepted in mitmweb
            await super().begin(status, headers)

        async def send(self, data: bytes) -> None:
            await asyncio.sleep(0.15 * (step == "send"))
            await super().send(data)

    gateway = Gateway(Upstream(OK), "a", limits=Limits(first=0.05, idle=0.05, wait=0, attempts=1))

    served = await gateway.ask(Dawdler())

    assert served.exchange.outcome == "finished"
    assert b"[DONE]" in served.client.body
    assert gateway.states() == {("a", ""): "healthy"}


async def test_a_whole_answer_has_a_limit_of_its_own() -> None:
    limits = Limits(first=60, whole=0.01, wait=0, attempts=1)
    gateway = Gateway(Upstream(Script([b"{", SILENT])), "a", limits=limits)

    served = await gateway.ask(stream=False, max_tokens=10)

    assert "qwen_whole_timeout" in served.client.error["message"]


async def test_pieces_that_keep_coming_are_no_silence() -> None:
    async def later(event: asyncio.Event) -> None:
        await asyncio.sleep(0.08)
        event.set()

    events = [asyncio.Event() for _ in range(5)]
    pieces = [piece for event in events for piece in (event, sse(chunk("x")))]
    gateway = Gateway(Upstream(Script([*STREAM[:2], *pieces, END])), "a", limits=Limits(first=0.3, idle=0.3))

    async def wake() -> None:
        for event in events:
            await later(event)

    served, _ = await asyncio.gather(gateway.ask(), wake())

    assert served.client.text == "Helxxxxx"


async def test_an_error_whose_body_never_comes_is_told_by_its_status() -> None:
    gateway = Gateway(Upstream(Script([SILENT], 401)), "a", limits=Limits(first=0.01))

    served = await gateway.ask()

    assert served.exchange.attempts[0].verdict == "auth_dead"


async def test_an_endless_error_is_read_up_to_a_limit() -> None:
    script = Script([b"x" * 65_536] * 100, 500)
    gateway = Gateway(Upstream(script), "a", limits=Limits(attempts=1))

    served = await gateway.ask()

    assert gateway.upstream.answers[0].given <= 6
    assert len(served.exchange.attempts[0].answer) == ERROR_BODY_LIMIT


async def test_what_was_shown_is_not_kept_twice() -> None:
    served = await Gateway(Upstream(OK), "a").ask()

    assert served.exchange.attempts[0].answer == b""
    assert served.exchange.first_byte is not None


async def test_the_upstreams_id_is_handed_on() -> None:
    served = await Gateway(Upstream(Script(STREAM, headers={"x-request-id": "r-9"})), "a").ask()

    assert served.client.header("x-gateway-upstream-request-id") == "r-9"


async def test_usage_behind_the_end_of_the_choice_is_read() -> None:
    served = await Gateway(Upstream(OK), "a").ask(stream_options={"include_usage": True})

    assert served.client.chunks()[-1]["usage"]["total_tokens"] == 12
    assert served.exchange.usage is not None


def test_a_choice_of_many_gets_its_number() -> None:
    deltas = [Begin("x"), Text("Hi"), Finish("stop"), Usage(1, 1, 2), Fault(500, "", "x")]

    found = for_choice(deltas, 2)

    assert [getattr(delta, "choice", None) for delta in found] == [2, 2, 2, None]
    assert for_choice([Begin("x")], 0) == [Begin("x")]


def test_the_first_fault_is_found() -> None:
    fault = Fault(500, "", "x")

    assert fault_in([Text("Hi"), fault, Fault(400, "", "y")]) is fault
    assert fault_in([Text("Hi")]) is None
