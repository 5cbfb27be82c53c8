"""Between mitmproxy's flows and our types: secrets, bodies, what a flow shows."""

import gzip
import zlib
from functools import partial
from typing import Any

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.test import tflow, tutils

from qwen_gateway import flows
from qwen_gateway.codec.deltas import Fault
from qwen_gateway.exchange import Attempt, Exchange
from qwen_gateway.openai.errors import BadRequest, TooLarge, UpstreamError
from tests.engine.fakes import Client
from tests.openai.asking import call

BODY = b'{"model":"gpt-4o"}' * 10
CANARY = "sk-canary-1234"


def request(body: bytes = BODY, **headers: str) -> http.Request:
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return tutils.treq(method=b"POST", path=b"/v1/chat/completions", content=body, headers=http.Headers(fields))


def attempt(**more: Any) -> Attempt:
    made = Attempt(1, "a", "first", "qwen-plus", "https://x.test/v1/chat/completions", {"accept": "*/*"}, b'{"a":1}')
    for name, value in more.items():
        setattr(made, name, value)
    return made


class TestSecrets:
    @pytest.mark.parametrize(
        "name", ["Authorization", "X-Api-Key", "api-key", "Cookie", "Proxy-Authorization", "OpenAI-Organization"]
    )
    def test_they_leave_the_flow(self, name: str) -> None:
        flow = tflow.tflow(req=request(**{name.replace("-", "_"): CANARY, "accept": "x"}))

        found = flows.take_secrets(flow)

        assert found == {name.lower(): CANARY}
        assert CANARY not in str(flow.get_state())
        assert flow.request.headers["accept"] == "x"

    @pytest.mark.parametrize("name", ["api_key", "key", "access_token"])
    def test_those_in_the_url_too(self, name: str) -> None:
        flow = tflow.tflow(req=request())
        flow.request.path = f"/v1/models?{name}={CANARY}&x=1"

        flows.take_secret_parameters(flow)

        assert flow.request.path == "/v1/models?x=1"

    def test_bytes_that_are_no_text_do_not_hurt(self) -> None:
        flow = tflow.tflow(req=request())
        flow.request.headers.fields = ((b"authorization", b"Bearer \xff"),)

        assert flows.take_secrets(flow)["authorization"].startswith("Bearer ")


PACKINGS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": partial(brotli.compress, quality=1),
    "zstd": zstandard.ZstdCompressor().compress,
}


class TestBodies:
    @pytest.mark.parametrize("coding", PACKINGS)
    def test_they_are_unpacked(self, coding: str) -> None:
        assert flows.body_of(request(PACKINGS[coding](BODY), content_encoding=coding), 1_000) == BODY

    def test_raw_deflate_is_understood(self) -> None:
        assert flows.body_of(request(zlib.compress(BODY, wbits=-15), content_encoding="deflate"), 1_000) == BODY

    def test_several_packings_are_taken_off_in_order(self) -> None:
        packed = gzip.compress(brotli.compress(BODY))

        assert flows.body_of(request(packed, content_encoding="br, gzip"), 1_000) == BODY

    def test_several_members_are_one_body(self) -> None:
        packed = gzip.compress(BODY[:50]) + gzip.compress(BODY[50:])

        assert flows.body_of(request(packed, content_encoding="gzip"), 1_000) == BODY

    @pytest.mark.parametrize("coding", ["", "identity", "Identity"])
    def test_no_packing_is_no_work(self, coding: str) -> None:
        assert flows.body_of(request(content_encoding=coding), 1_000) == BODY

    @pytest.mark.parametrize("coding", PACKINGS)
    def test_a_bomb_is_not_unpacked(self, coding: str) -> None:
        bomb = PACKINGS[coding](bytes(20_000_000))

        with pytest.raises(TooLarge) as refused:
            flows.body_of(request(bomb, content_encoding=coding), 100_000)

        assert refused.value.status == 413

    def test_a_bomb_of_many_members_is_not_unpacked(self) -> None:
        with pytest.raises(TooLarge):
            flows.body_of(request(gzip.compress(bytes(60_000)) * 100, content_encoding="gzip"), 100_000)

    def test_a_body_over_the_limit_is_refused(self) -> None:
        with pytest.raises(TooLarge):
            flows.body_of(request(b"x" * 101), 100)
        assert flows.body_of(request(b"x" * 100), 100)

    @pytest.mark.parametrize("coding", ["compress", "snappy", "gzip, x"])
    def test_an_unknown_packing_is_415(self, coding: str) -> None:
        with pytest.raises(BadRequest) as refused:
            flows.body_of(request(content_encoding=coding), 1_000)

        assert refused.value.status == 415

    @pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
    @pytest.mark.parametrize("body", [BODY, b"\x78", b"\x1f\x8b"])
    def test_a_broken_packing_is_told(self, coding: str, body: bytes) -> None:
        with pytest.raises(BadRequest) as refused:
            flows.body_of(request(body, content_encoding=coding), 1_000)

        assert (refused.value.status, refused.value.code) == (400, "invalid_encoding")

    @pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
    def test_half_a_body_is_not_taken_for_a_whole(self, coding: str) -> None:
        with pytest.raises(BadRequest):
            flows.body_of(request(PACKINGS[coding](BODY)[:-6], content_encoding=coding), 1_000)

    @given(st.binary(max_size=100), st.sampled_from([*PACKINGS]))
    def test_no_bytes_raise_anything_else(self, body: bytes, coding: str) -> None:
        try:
            flows.body_of(request(body, content_encoding=coding), 50)
        except BadRequest as error:
            assert error.status in (400, 413)  # noqa: PT017


class TestShowing:
    def test_the_flow_becomes_the_call_that_is_made(self) -> None:
        flow = tflow.tflow(req=request())

        flows.show_attempt(flow, attempt())

        assert flow.request.pretty_url == "https://x.test/v1/chat/completions"
        assert flow.request.headers["host"] == "x.test"
        assert flow.request.content == b'{"a":1}'
        assert flow.request.method == "POST"

    @pytest.mark.parametrize(
        ("url", "host"),
        [("http://localhost:8000/v1/x", "localhost:8000"), ("https://x.test:443/v1", "x.test"),
         ("http://[::1]:8000/v1", "[::1]:8000")],
    )  # fmt: skip
    def test_the_host_header_is_the_upstreams(self, url: str, host: str) -> None:
        flow = tflow.tflow(req=request())

        flows.show_attempt(flow, attempt(url=url))

        assert flow.request.headers["host"] == host

    def test_a_replay_serves_what_the_client_asked(self) -> None:
        flow = tflow.tflow(req=request())
        flows.keep_client_request(flow, BODY)
        flows.show_attempt(flow, attempt())
        flow.is_replay = "request"

        assert flows.body_to_serve(flow, 1_000) == BODY
        flow.request.content = b"edited"
        assert flows.body_to_serve(flow, 1_000) == b"edited"

    def test_what_is_kept_can_be_saved_and_holds_no_secret(self) -> None:
        flow = tflow.tflow(req=request(x_custom=CANARY, user_agent="test"))
        flows.keep_client_request(flow, b"\xff{}")

        assert CANARY not in str(flow.metadata)
        assert ["user-agent", "test"] in flow.metadata[flows.CLIENT]["headers"]

    def test_a_failed_attempt_is_a_marked_flow_of_its_own(self) -> None:
        exchange = Exchange(call())
        failed = attempt(
            status=429, answer=b'{"error":1}', answer_headers={"Content-Type": "x", "Set-Cookie": CANARY},
            fault=Fault(429, "Throttling", "Slow down."), verdict="throttle",
        )  # fmt: skip

        flow = flows.attempt_flow(tflow.tflow(), exchange, failed)

        assert flow.marked
        assert flow.response is not None
        assert (flow.response.status_code, flow.response.content) == (429, b'{"error":1}')
        assert CANARY not in str(flow.get_state())
        assert f"attempt 1 of {exchange.id} on a: throttle" in flow.comment
        assert flow.metadata[flows.ATTEMPT] == exchange.id

    def test_an_attempt_without_an_answer_has_an_error(self) -> None:
        flow = flows.attempt_flow(
            tflow.tflow(), Exchange(call()), attempt(fault=Fault(0, "", "no connection"), verdict="unreachable")
        )

        assert flow.response is None
        assert flow.error is not None
        assert flow.error.msg == "no connection"

    def test_an_error_is_a_response_with_its_headers(self) -> None:
        response = flows.error_response(UpstreamError("No.", status=429, retry_after=3), [("vary", "origin")])

        assert (response.status_code, response.headers["retry-after"], response.headers["vary"]) == (429, "3", "origin")
        assert response.json()["error"]["message"] == "No."


class TestWhatWasShown:
    async def test_a_stream_is_passed_on_and_its_beginning_kept(self) -> None:
        client = Client()
        shown = flows.Shown(client)
        await shown.begin(200, [])
        for _ in range(3):
            await shown.send(b"x" * 500_000)
        await shown.send(b"x")
        await shown.end(torn=False)

        assert shown.streamed
        assert len(client.body) == 1_500_001
        assert shown.content().endswith(b": 1 more bytes were sent\n")

    async def test_a_whole_answer_is_passed_on(self) -> None:
        client = Client()
        shown = flows.Shown(client)
        await shown.whole(200, [], b"x")

        assert not shown.streamed
        assert client.body == b"x"

    async def test_an_answer_for_nobody_is_collected(self) -> None:
        collected = flows.Collected()
        await collected.begin(200, [("content-type", "text/event-stream")])
        await collected.send(b"a")
        await collected.send(b"b")
        await collected.end(torn=False)

        response = collected.response()

        assert (response.status_code, response.content) == (200, b"ab")
        assert response.headers["content-type"] == "text/event-stream"
