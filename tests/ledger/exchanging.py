"""Exchanges as the engine leaves them, for tests that record some."""

from typing import Any

from qwen_gateway.codec.deltas import Usage
from qwen_gateway.codec.json import dumps
from qwen_gateway.exchange import Attempt, Exchange
from qwen_gateway.ledger.lineage import Lineage
from qwen_gateway.ledger.record import How, Origin, Record
from qwen_gateway.ledger.redaction import Redactor
from qwen_gateway.openai.chat_request import parse_chat

HOW = How(bodies=True, events=True, redact=Redactor(["keys"]), lineage=Lineage())


def begun(*messages: str, model: str = "gpt-4o", caller: str = "", **fields: Any) -> Exchange:
    """A call, whose messages are the user's and the model's in turn."""
    roles = ("user", "assistant") * len(messages)
    said = [{"role": role, "content": text} for role, text in zip(roles, messages or ("hi",), strict=False)]
    body = dumps({"model": model, "messages": said, **fields})
    return Exchange(parse_chat(body), request_body=body, caller=caller)


def ended(exchange: Exchange, answer: bytes = b'{"choices":[{"finish_reason":"stop"}]}', **fields: Any) -> Exchange:
    """The same, answered at the first attempt."""
    exchange.model, exchange.account, exchange.first_byte = "qwen-plus", "me", exchange.started + 0.1
    exchange.usage = Usage(10, 5, 15)
    attempt = Attempt(1, "me", "the only account", "qwen-plus", "https://qwen/v1", {}, b"{}", **fields)
    attempt.shown, attempt.status, attempt.received = True, 200, [answer]
    exchange.attempts.append(attempt)
    exchange.sent.status, exchange.sent.pieces, exchange.sent.size = 200, [answer], len(answer)
    exchange.end("finished")
    return exchange


def record(exchange: Exchange, *, how: How = HOW, gateway: str = "gw_1", headers: Any = ()) -> Record:
    """What the recorder puts into the ledger."""
    origin = Origin(gateway, "127.0.0.1", [list(pair) for pair in headers])
    return Record(exchange, origin, how, ended=exchange.outcome != "running")
