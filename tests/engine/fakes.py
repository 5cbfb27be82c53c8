"""An upstream that answers by script, a client that is a list, a clock that is a number."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from qwen_auth.account import Account
from qwen_auth.credentials import KeyCredentials
from qwen_auth.pool import Strategy
from qwen_gateway.engine.delivery import Headers
from qwen_gateway.engine.encoder import Ask
from qwen_gateway.engine.engine import Engine
from qwen_gateway.engine.limits import Limits
from qwen_gateway.engine.transport import TransportFault
from qwen_gateway.exchange import Exchange
from qwen_gateway.openai.chat_choice import Dress
from qwen_gateway.openai.chat_object import ChatObject
from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.openai.chat_stream import ChatStream
from qwen_gateway.upstreams.flavours import flavour
from qwen_gateway.upstreams.key import Encoded, encode_chat
from tests import referee
from tests.openai.asking import call

MODEL = "qwen3.7-plus"
START = 1_790_000_000.0


def sse(*payloads: Any) -> bytes:
    """Events, as a service sends them."""
    return b"".join(b"data: " + (p if isinstance(p, bytes) else json.dumps(p).encode()) + b"\n\n" for p in payloads)


def chunk(text: str = "", finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text, **delta}, "finish_reason": finish}], "model": MODEL}


USAGE = {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}}
END = sse(chunk(finish="stop"), USAGE, b"[DONE]")
STREAM = [sse(chunk(role="assistant")), sse(chunk("Hel")), sse(chunk("lo")), END]


def error(code: str, message: str = "No.") -> bytes:
    return json.dumps({"error": {"message": message, "type": code, "code": code}}).encode()


@dataclass
class Script:
    """One answer: a status, and a body whose pieces are bytes, pauses (events to wait for) and faults."""

    pieces: Iterable[Any] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


OK = Script(STREAM)
THROTTLED = Script([error("Throttling")], 429)
OVERLOADED = Script([error("InternalError")], 500)
BAD = Script([error("InvalidParameter", "messages is wrong")], 400)
WRONG_KEY = Script([error("InvalidApiKey", "Incorrect API key provided.")], 401)
REFUSED = TransportFault("connect", "no connection to x.test")
SILENT = asyncio.Event()
"""A piece of a body that never comes."""


class ScriptedAnswer:
    """An answer on its way."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.status = script.status
        self.headers: Mapping[str, str] = script.headers
        self.closed = 0
        self.reuse = False
        self.given = 0

    @property
    def set_cookies(self) -> list[str]:
        return []

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._script.pieces:
            self.given += 1
            if isinstance(piece, asyncio.Event):
                await (asyncio.Event() if piece is SILENT else piece).wait()
            elif isinstance(piece, Exception):
                raise piece
            else:
                await asyncio.sleep(0)
                yield piece

    async def aclose(self, *, reuse: bool = False) -> None:
        self.closed += 1
        self.reuse = reuse


Answering = Callable[["Sent"], Script | Exception | Awaitable[Script | Exception]]


@dataclass
class Sent:
    """What an upstream got."""

    number: int
    url: str
    headers: dict[str, str]
    body: Any

    @property
    def account(self) -> str:
        return self.headers["Authorization"].removeprefix("Bearer sk-")


class Upstream:
    """Every upstream at once: gives scripts one after the other (the last one for ever), or asks a function."""

    def __init__(self, *scripts: Script | Exception, answer: Answering | None = None) -> None:
        self._scripts = list(scripts)
        self._answer = answer
        self.sent: list[Sent] = []
        self.answers: list[ScriptedAnswer] = []

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, proxy: str | None = None
    ) -> ScriptedAnswer:
        sent = Sent(len(self.sent), url, dict(headers), json.loads(body) if body else None)
        self.sent.append(sent)
        await asyncio.sleep(0)
        script: Any
        if self._answer is not None:
            script = self._answer(sent)
            if isinstance(script, Awaitable):
                script = await script
        else:
            script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        if isinstance(script, Exception):
            raise script
        self.answers.append(ScriptedAnswer(script))
        return self.answers[-1]

    async def aclose(self) -> None:
        """Nothing is open."""

    @property
    def accounts(self) -> list[str]:
        """Which accounts were used, in order."""
        return [sent.account for sent in self.sent]


class Clock:
    """Time that passes only while someone sleeps."""

    def __init__(self) -> None:
        self.now = START
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        wake = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, wake)


@dataclass
class Client:
    """What a client saw."""

    status: int | None = None
    headers: Headers = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    ended: int = 0
    events: list[str] = field(default_factory=list)

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        self.events.append("whole")
        assert self.status is None
        self.status, self.headers = status, headers
        self.pieces.append(body)
        self.ended += 1

    async def begin(self, status: int, headers: Headers) -> None:
        self.events.append("begin")
        assert self.status is None
        self.status, self.headers = status, headers

    def send_now(self, data: bytes) -> bool:
        return False

    async def send(self, data: bytes) -> None:
        self.events.append("send")
        assert self.status is not None
        assert not self.ended
        self.pieces.append(data)

    async def end(self, *, torn: bool) -> None:
        self.events.append("end")
        self.ended += 1

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def error(self) -> Any:
        """The judged error, wherever it is."""
        found = referee.read_sse(self.body, done=False)[-1].json if "begin" in self.events else self.json
        referee.assert_valid(found, "error")
        return found["error"]

    def chunks(self, *, failed: bool = False) -> list[Any]:
        """The judged chunks of a stream."""
        chunks = [event.json for event in referee.read_sse(self.body, done=not failed)]
        assert referee.check_chat_stream(chunks, failed=failed) == []
        return chunks

    @property
    def text(self) -> str:
        """The text that the client got, from either form."""
        if "begin" not in self.events:
            referee.assert_valid(self.json, "chat.completion")
            return str(self.json["choices"][0]["message"]["content"])
        failed = b"[DONE]" not in self.body
        return "".join(
            part["delta"].get("content") or ""
            for event in referee.read_sse(self.body, done=not failed)
            for part in event.json.get("choices", ())
        )


HOSTS = {"v": "vllm"}
"""Hosts of accounts by name; all others are DashScope's."""


class Encoder:
    """Every account has the same model."""

    def __init__(self, asked: ChatCall) -> None:
        self._asked = asked

    @property
    def asks(self) -> int:
        return self._asked.choices

    async def prepare(self, wanted: str | None) -> None:
        """Nothing is to be found out."""

    async def begin(self, exchange: Exchange) -> None:
        """Nothing to take."""

    def settle(self) -> None:
        """Nothing was taken."""

    def model_of(self, account: Account) -> str | None:
        return MODEL

    def encode(self, account: Account, ceilings: Mapping[str, int], ask: Ask) -> Encoded:
        host = flavour(HOSTS.get(account.name, "dashscope"))
        return encode_chat(self._asked, MODEL, host, output_ceiling=ceilings.get(MODEL))


def account(name: str) -> Account:
    return Account(name, "key", "model-studio-intl", f"https://{name}.test/v1", KeyCredentials(f"sk-{name}"))


@dataclass
class Served:
    """An exchange and what became of it."""

    exchange: Exchange
    client: Client
    ended: int


class Gateway:
    """An engine with accounts, a scripted upstream and a clock that nobody waits for."""

    def __init__(
        self, upstream: Upstream, *names: str, strategy: Strategy = "fill-first", limits: Limits | None = None
    ) -> None:
        self.upstream = upstream
        self.clock = Clock()
        self.engine = Engine(upstream, limits=limits, sleep=self.clock.sleep, clock=self.clock)
        self.engine.pool.strategy = strategy
        self.engine.use([account(name) for name in names or ("a",)])
        self.pool = self.engine.pool

    async def ask(
        self, client: Client | None = None, *, wanted: str | None = None, caller: str = "", **fields: Any
    ) -> Served:
        """Serve one call; a stream unless said otherwise."""
        asked = call(**{"stream": True, **fields})
        exchange = Exchange(asked, wanted_account=wanted, caller=caller)
        served = Served(exchange, client or Client(), 0)

        def ended() -> None:
            served.ended += 1

        writer = ChatStream(asked, Dress()) if asked.stream else ChatObject(asked, Dress())
        await self.engine.serve(exchange, Encoder(asked), served.client, writer, ended=ended)
        return served

    def states(self) -> dict[tuple[str, str], str]:
        return {(state.account, state.model): state.status for state in self.pool.states()}
