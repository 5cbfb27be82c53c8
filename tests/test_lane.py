"""A call on the lane is, for every addon and for the client, what it is through mitmproxy's layers.

Each scenario runs twice on real sockets, with the lane and without it: the hooks, what the flow shows in each, and the
bytes that the client gets must be the same. A release of mitmproxy that does it another way fails here.
"""

import asyncio
import gc
import re
from contextlib import asynccontextmanager

import pytest
from mitmproxy import exceptions, flow, http
from mitmproxy.addons.next_layer import NextLayer
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.proxy import mode_specs
from mitmproxy.proxy.layers.modes import ReverseProxy
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.test import taddons

from qwen_gateway import lane, plain_request
from qwen_gateway.legs import Legs
from qwen_gateway.prompt_hooks import PromptHooks, no_lane
from qwen_gateway.tuning import HookTable

BODY = b'{"model":"qwen-plus"}'
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n%b\r\n"
CALL = HEAD % (len(BODY), b"") + BODY
CHUNKED = HEAD.replace(b"content-length: %d", b"transfer-encoding: chunked") % b""
HOOKS = ("requestheaders", "request", "responseheaders", "response", "error")


class Watcher:
    """Writes down every hook, and what its flow shows."""

    def __init__(self):
        self.seen = []
        self.flows = []

    def _note(self, name, found):
        response = found.response
        self.seen.append(
            (
                name, found.request.pretty_url, found.request.headers.fields, found.request.raw_content,
                found.request.timestamp_end is not None, response and (response.status_code, response.raw_content),
                response and response.headers.fields, found.error and found.error.msg, found.live,
                found.server_conn.address,
            )
        )  # fmt: skip

    def requestheaders(self, found):
        self.flows.append(found)
        self._note("requestheaders", found)

    def request(self, found):
        self._note("request", found)

    def responseheaders(self, found):
        self._note("responseheaders", found)

    def response(self, found):
        self._note("response", found)

    def error(self, found):
        self._note("error", found)

    @property
    def hooks(self):
        return [entry[0] for entry in self.seen]


class Serves:
    """Answers every call through the leg or the lane, as the gateway does."""

    def __init__(self, legs, serve):
        self.legs, self.serve = legs, serve
        self.ended = []

    def next_layer(self, nextlayer):
        self.legs.watch(nextlayer, lambda _: True)

    async def request(self, found):
        if not found.response and not found.error:
            self.legs.attach(found, lambda client: self._run(client, found))

    async def _run(self, client, found):
        try:
            await self.serve(client, found)
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        self.ended.append("served")


async def whole(client, _):
    await asyncio.sleep(0.01)
    await client.whole(200, [("content-type", "application/json"), ("x-said", "Grüße ☺")], b'{"a":1}')


class Listener:
    """A reverse listener on a real socket, with these addons; `taken` counts the calls that went by the lane."""

    def __init__(self, port, watcher, serves, counted):
        self.port, self.watcher, self.serves, self._counted = port, watcher, serves, counted
        self.legs = serves.legs

    @property
    def taken(self):
        return self._counted[0]

    @asynccontextmanager
    async def connect(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()


@pytest.fixture
def listen(monkeypatch):
    @asynccontextmanager
    async def listening(by_lane, *addons, serve=whole, **options):
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        watcher, legs, taken = Watcher(), Legs(), [0]
        serves = Serves(legs, serve)
        begin = lane.Lane._begin

        def counting(self, head, body):
            taken[0] += 1
            begin(self, head, body)

        monkeypatch.setattr(lane.Lane, "_begin", counting)
        proxyserver = Proxyserver()
        chooser = NextLayer()
        with taddons.context(proxyserver, chooser, watcher, serves, *addons) as testing:
            testing.configure(chooser, tcp_hosts=[], udp_hosts=[], ignore_hosts=[])
            testing.options.update(connection_strategy="lazy", keep_host_header=True, **options)
            mode = mode_specs.ProxyMode.parse("reverse:http://qwen.example:80")

            async def handle(reader, writer):
                handler = ProxyConnectionHandler(testing.master, reader, writer, testing.options, mode)
                handler.layer = ReverseProxy(handler.layer.context)
                proxyserver.connections[handler.client.id] = handler
                table = HookTable(testing.master.addons)
                PromptHooks.install(handler, table, legs.open_lane if by_lane else no_lane)
                try:
                    await handler.handle_client()
                finally:
                    del proxyserver.connections[handler.client.id]

            server = await asyncio.start_server(handle, "127.0.0.1", 0)
            async with server:
                yield Listener(server.sockets[0].getsockname()[1], watcher, serves, taken)

    return listening


async def answer_to(reader, *, streamed=False):
    """The bytes of one answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    if streamed:
        return head + await reader.readuntil(b"\r\n0\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", head)
    return head + await reader.readexactly(int(found[1]))


async def both(listen, talk, *addons, calls=1, **how):
    """Run the scenario by the layers and by the lane; all that can be seen of it, which must be the same."""
    outcomes = []
    for by_lane in (False, True):
        async with listen(by_lane, *(addon() for addon in addons), **how) as listener:
            async with asyncio.timeout(10), listener.connect() as (reader, writer):
                got = await talk(reader, writer)
            await asyncio.sleep(0.05)
            assert listener.taken == (calls if by_lane else 0)
            assert not any(found.live for found in listener.watcher.flows)
            outcomes.append((got, listener.watcher.seen, listener.serves.ended))
    assert outcomes[1] == outcomes[0]
    return outcomes[1]


async def ask(reader, writer):
    writer.write(CALL)
    return await answer_to(reader)


async def ask_and_hear_the_end(reader, writer):
    writer.write(CALL)
    return await reader.read()


async def test_a_whole_answer(listen):
    got, seen, ended = await both(listen, ask)

    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert got.endswith(b'\r\n\r\n{"a":1}')
    assert [entry[0] for entry in seen] == ["requestheaders", "request", "responseheaders", "response"]
    assert ended == ["served"]


async def test_a_connection_that_ended_is_forgotten(listen):
    async with listen(True) as listener:
        for _ in range(3):
            async with listener.connect() as (reader, writer):
                await ask(reader, writer)
                assert len(listener.legs.lanes()) == 1
            await asyncio.sleep(0.05)
            gc.collect()
            assert listener.legs.lanes() == []  # although whoever keeps its flows keeps the client


async def test_a_stream(listen):
    async def stream(client, found):
        await client.begin(200, [("content-type", "text/event-stream")])
        for number in range(3):
            piece = b"data: %d\n\n" % number
            if not client.send_now(piece):
                await client.send(piece)
        found.response.data.content = b"shown"
        await client.end(torn=False)

    async def talk(reader, writer):
        writer.write(CALL)
        return await answer_to(reader, streamed=True)

    got, seen, _ = await both(listen, talk, serve=stream)

    assert got.endswith(b"9\r\ndata: 0\n\n\r\n9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n")
    assert seen[-1][5] == (200, b"shown")


async def test_a_torn_stream_ends_with_the_connection(listen):
    async def stream(client, _):
        await client.begin(200, [])
        await client.send(b"data: 0\n\n")

    got, seen, _ = await both(listen, ask_and_hear_the_end, serve=stream)

    assert got.endswith(b"data: 0\n\n\r\n")
    assert [entry[0] for entry in seen] == ["requestheaders", "request", "responseheaders", "error"]


async def test_many_calls_on_one_connection(listen):
    async def talk(reader, writer):
        return [await ask(reader, writer) for _ in range(5)]

    got, _, ended = await both(listen, talk, calls=5)

    assert len(set(got)) == 1
    assert len(ended) == 5


async def test_a_request_in_pieces(listen):
    async def talk(reader, writer):
        end = CALL.index(b"\r\n\r\n") + 4
        for piece in (CALL[:end], CALL[end : end + 3], CALL[end + 3 :]):
            writer.write(piece)
            await asyncio.sleep(0.02)
        return await answer_to(reader)

    await both(listen, talk)


async def test_a_request_behind_another_waits_for_its_turn(listen):
    async def talk(reader, writer):
        writer.write(CALL)
        await asyncio.sleep(0.005)
        writer.write(CALL[:30])
        await asyncio.sleep(0.05)
        writer.write(CALL[30:])
        return [await answer_to(reader) for _ in range(2)]

    # The second one's head came in two pieces: it is not ordinary any more.
    await both(listen, talk, calls=1)


async def test_two_requests_at_once_go_by_the_layers(listen):
    async def talk(reader, writer):
        writer.write(CALL + CALL)
        first = [await answer_to(reader) for _ in range(2)]
        return [*first, await ask(reader, writer)]

    await both(listen, talk, calls=1)


class Refuses:
    def requestheaders(self, found):
        found.response = http.Response.make(401, b'{"error":{}}', {"content-type": "application/json"})


async def test_a_response_of_an_addon(listen):
    got, seen, ended = await both(listen, ask, Refuses)

    assert got.startswith(b"HTTP/1.1 401")
    assert [entry[0] for entry in seen] == ["requestheaders", "request", "responseheaders", "response"]
    assert ended == []


class Closes:
    def request(self, found):
        found.response = http.Response.make(413, b"{}", {"connection": "close"})


class Changes:
    def response(self, found):
        found.response.text = "changed"


@pytest.mark.parametrize(("addon", "talk", "body"), [(Closes, ask_and_hear_the_end, b"{}"), (Changes, ask, b"changed")])
async def test_an_addon_may_end_the_connection_or_change_the_response(listen, addon, talk, body):
    got, _, _ = await both(listen, talk, addon)

    assert got.endswith(b"\r\n\r\n" + body)


class Replaces:
    """Puts another response in the place of ours, in one of the hooks."""

    def __init__(self, hook, **made):
        self.made = made
        setattr(self, hook, self.replace)

    def replace(self, found):
        found.response = http.Response.make(**self.made)


async def stream_two(client, _):
    await client.begin(200, [("content-type", "text/event-stream")])
    await client.send(b"data: a\n\n")
    await client.send(b"data: b\n\n")
    await client.end(torn=False)


async def ask_and_read_on(reader, writer):
    """All that comes, and whether the connection has ended."""
    writer.write(CALL)
    got = b""
    try:
        async with asyncio.timeout(0.3):
            while piece := await reader.read(2**16):
                got += piece
    except TimeoutError:
        return got, False
    return got, True


@pytest.mark.parametrize("hook", ["request", "responseheaders", "response"])
@pytest.mark.parametrize(
    "made",
    [
        {"status_code": 451, "content": b"redacted"},
        {"content": b"hello", "headers": {"transfer-encoding": "chunked"}},
        {"content": b"hello", "headers": {"connection": "close", "content-length": "5"}},
        {"content": b"hello", "headers": {"content-type": "text/plain"}},  # up to the close
    ],
)
async def test_an_addon_may_put_another_response_in_its_place(listen, hook, made):
    await both(listen, ask_and_read_on, lambda: Replaces(hook, **made))


async def test_the_response_of_another_protocol_is_one_of_http_1(listen):
    class Replays:
        def request(self, found):
            found.response = http.Response.make(200, b"hello")
            found.response.http_version = "HTTP/2.0"

    (got, _), _, _ = await both(listen, ask_and_read_on, Replays)

    assert got.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("change", "serve"),
    [
        (lambda response: setattr(response, "stream", False), stream_two),
        (lambda response: response.headers.pop("transfer-encoding"), stream_two),
        (lambda response: response.headers.update({"connection": "close"}), stream_two),
        (lambda response: setattr(response, "stream", bytes.upper), whole),
    ],
)
async def test_an_addon_may_change_how_an_answer_is_sent(listen, change, serve):
    class Changing:
        def responseheaders(self, found):
            change(found.response)

        def response(self, found):
            if found.response.content:
                found.response.content = found.response.content.replace(b"a", b"*")

    await both(listen, ask_and_read_on, Changing, serve=serve)


@pytest.mark.parametrize("ending", [lambda found: found.kill(), lambda found: Closes().request(found)])
async def test_what_stands_behind_a_call_that_ends_the_connection_is_not_served(listen, ending):
    class Ends:
        async def request(self, found):
            await asyncio.sleep(0.05)
            ending(found)

    async def talk(reader, writer):
        writer.write(CALL)
        await asyncio.sleep(0.02)
        writer.write(CALL)
        return await reader.read()

    await both(listen, talk, Ends)


async def test_what_piles_up_behind_a_call_ends_the_connection(listen, monkeypatch):
    monkeypatch.setattr(lane, "LIMIT", 1000)

    async def never(client, _):
        await asyncio.sleep(60)

    async with listen(True, serve=never) as listener:
        async with listener.connect() as (reader, writer), asyncio.timeout(5):
            writer.write(CALL)
            await asyncio.sleep(0.02)
            writer.write(CALL * 2000)
            assert await reader.read() == b""
            await asyncio.sleep(0.05)
        assert listener.serves.ended == ["cancelled"]


async def test_an_answer_that_is_given_up_before_its_head_has_no_bytes(listen):
    class Waiting:
        async def responseheaders(self, found):
            await asyncio.sleep(60)

    async def stream(client, _):
        try:
            async with asyncio.timeout(0.05):
                await client.begin(200, [])
        except TimeoutError:
            await client.send(b"data: {error}\n\n")
            await client.end(torn=False)

    async with listen(True, Waiting(), serve=stream) as listener:
        async with listener.connect() as (reader, writer), asyncio.timeout(5):
            assert await ask_and_hear_the_end(reader, writer) == b""
        assert listener.watcher.hooks == ["requestheaders", "request", "responseheaders", "error"]


async def test_a_client_that_leaves_before_a_stream_began_is_told_of_once(listen):
    class Waiting:
        async def responseheaders(self, found):
            await asyncio.sleep(60)

    async with listen(True, Waiting(), serve=stream_two) as listener:
        async with listener.connect() as (_, writer):
            writer.write(CALL)
            await asyncio.sleep(0.05)
            writer.close()
            await asyncio.sleep(0.05)
        assert listener.watcher.hooks == ["requestheaders", "request", "responseheaders", "error"]
        assert listener.serves.ended == ["cancelled"]


class Shouts:
    def responseheaders(self, found):
        if found.response.stream:
            found.response.stream = lambda data: data.upper() if data else b"the end"


async def test_an_addon_may_change_a_stream(listen):
    async def stream(client, _):
        await client.begin(200, [])
        await client.send(b"data: a\n\n")
        await client.end(torn=False)

    async def talk(reader, writer):
        writer.write(CALL)
        return await answer_to(reader, streamed=True)

    got, _, _ = await both(listen, talk, Shouts, serve=stream)

    assert got.endswith(b"9\r\nDATA: A\n\n\r\n7\r\nthe end\r\n0\r\n\r\n")


@pytest.mark.parametrize("hook", HOOKS[:4])
async def test_a_flow_that_is_killed_ends_with_the_connection(listen, hook):
    class Kills:
        pass

    setattr(Kills, hook, lambda self, found: found.kill())

    got, _, _ = await both(listen, ask_and_hear_the_end, Kills)

    assert got == b""


@pytest.mark.parametrize("hook", HOOKS[:4])
async def test_a_flow_that_is_held_goes_on_when_it_is_let_go(listen, hook):
    class Holds:
        def __init__(self):
            setattr(self, hook, self.hold)

        def hold(self, found):
            found.intercept()
            asyncio.get_running_loop().call_later(0.05, found.resume)

    got, _, _ = await both(listen, ask, Holds)

    assert got.endswith(b'{"a":1}')


class Waits:
    async def request(self, found):
        await asyncio.sleep(0.05)


async def test_a_client_that_leaves_while_a_hook_waits(listen):
    async def talk(reader, writer):
        writer.write(CALL)
        await asyncio.sleep(0.02)
        writer.close()
        await asyncio.sleep(0.1)

    for by_lane in (False, True):
        async with listen(by_lane, Waits()) as listener:
            async with listener.connect() as (reader, writer):
                await talk(reader, writer)
            assert listener.watcher.hooks == ["requestheaders", "request", "error"]
            assert listener.serves.ended == []


async def test_a_client_that_leaves_while_it_is_served(listen):
    async def never(client, _):
        await asyncio.sleep(60)

    async def talk(reader, writer):
        writer.write(CALL)
        await asyncio.sleep(0.05)
        writer.close()
        await asyncio.sleep(0.05)

    _, seen, ended = await both(listen, talk, serve=never)

    assert ended == ["cancelled"]
    assert seen[-1][0] == "error"
    assert seen[-1][7] == "Client disconnected."


async def test_a_client_that_leaves_amid_a_stream(listen):
    async def stream(client, _):
        await client.begin(200, [])
        while True:
            await client.send(b"data: x\n\n")
            await asyncio.sleep(0.01)

    async def talk(reader, writer):
        writer.write(CALL)
        await reader.readuntil(b"data: x")
        writer.close()
        await asyncio.sleep(0.05)

    _, seen, ended = await both(listen, talk, serve=stream)

    assert ended == ["cancelled"]
    assert seen[-1][0] == "error"


async def test_a_client_that_leaves_before_its_body_has_come(listen):
    async def talk(reader, writer):
        writer.write(CALL[:-3])
        await asyncio.sleep(0.02)
        writer.close()
        await asyncio.sleep(0.05)

    _, seen, ended = await both(listen, talk, calls=0)

    assert [entry[0] for entry in seen] == ["requestheaders", "error"]
    assert ended == []


@pytest.mark.parametrize(
    "request_",
    [
        HEAD % (len(BODY), b"connection: close\r\n") + BODY,
        CALL.replace(b"HTTP/1.1", b"HTTP/1.0"),
        CALL.replace(b"/v1/chat/completions", b"/v1/elsewhere"),
        CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY),
    ],
)
async def test_what_is_not_ordinary_goes_by_the_layers(listen, request_):
    async def talk(reader, writer):
        writer.write(request_)
        return await answer_to(reader)

    await both(listen, talk, calls=0)


async def test_a_long_body_goes_by_the_layers(listen, monkeypatch):
    monkeypatch.setattr(lane, "LIMIT", len(BODY) - 1)

    await both(listen, ask, calls=0)


async def test_a_long_body_comes_in_many_pieces(listen):
    body = BODY + b" " * 3_000_000

    async def talk(reader, writer):
        writer.write(HEAD % (len(body), b"") + body)
        return await answer_to(reader)

    _, seen, _ = await both(listen, talk)

    assert seen[1][3] == body


async def test_calls_may_take_turns_between_lane_and_layers(listen):
    async def talk(reader, writer):
        found = []
        for _ in range(3):
            writer.write(CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY))
            found.append(await answer_to(reader))
            found.append(await ask(reader, writer))
        return found

    got, _, _ = await both(listen, talk, calls=3)

    assert len(set(got)) == 1


async def test_nothing_passes_a_request_that_the_layers_are_still_reading(listen):
    async def talk(reader, writer):
        writer.write(CHUNKED + b"5\r\n" + CALL[:5])
        await asyncio.sleep(0.02)
        writer.write(CALL[:5] + b"\r\n0\r\n\r\n")
        return await reader.read(65536)

    await both(listen, talk, calls=0)


@pytest.mark.parametrize("option", [{"store_streamed_bodies": True}, {"stream_large_bodies": "1m"}])
async def test_options_that_change_what_bodies_do_close_the_lane(listen, option):
    await both(listen, ask, calls=0, **option)


async def test_a_halt_is_a_halt(listen):
    class Halts:
        def response(self, found):
            raise exceptions.AddonHalt

    await both(listen, ask, Halts)


async def test_a_call_that_nobody_answers_is_not_sent_anywhere(listen, caplog):
    async with listen(True) as listener:
        listener.serves.legs.attach = lambda *_: None
        async with listener.connect() as (reader, writer):
            got = await ask(reader, writer)

    assert got.startswith(b"HTTP/1.1 500")
    assert b"internal_error" in got
    assert "nobody answered" in caplog.text


def test_a_killed_flow_says_so():
    assert flow.Error.KILLED_MESSAGE == "Connection killed."
    assert plain_request.START in CALL
