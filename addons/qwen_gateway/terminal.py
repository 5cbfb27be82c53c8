"""One line in the terminal for each call: model, account, tokens, times, outcome."""

import sys
import time

from mitmproxy import http

from qwen_gateway.exchange import Exchange

COLOURS = {"finished": "32", "failed": "31", "cancelled": "33"}


class Terminal:
    """Prints what ended. Colours only where someone looks."""

    def __init__(self) -> None:
        self._coloured = sys.stdout.isatty()

    def qwen_exchange(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        sys.stdout.write(line(exchange, coloured=self._coloured))
        sys.stdout.flush()


def line(exchange: Exchange, *, coloured: bool) -> str:
    """`12:00:01 gpt-4o → qwen3.7-plus @work 20+46 tokens, first 0.21 s, 1.32 s, finished`."""
    parts = [time.strftime("%H:%M:%S", time.localtime(exchange.started)), exchange.call.model]
    if exchange.model and exchange.model != exchange.call.model:
        parts += ["→", exchange.model]
    if exchange.account:
        parts.append(f"@{exchange.account}")
    facts = []
    if exchange.usage:
        facts.append(f"{exchange.usage.prompt}+{exchange.usage.completion} tokens")
    if exchange.first_byte:
        facts.append(f"first {exchange.first_byte - exchange.started:.2f} s")
    facts.append(f"{(exchange.ended or time.time()) - exchange.started:.2f} s")
    if len(exchange.attempts) > 1:
        facts.append(f"{len(exchange.attempts)} attempts")
    outcome: str = exchange.outcome
    if exchange.error:
        outcome += f" {exchange.error.status} {exchange.error.code}"
    if coloured:
        outcome = f"\x1b[{COLOURS.get(exchange.outcome, '0')}m{outcome}\x1b[0m"
    text = " ".join(parts) + " " + ", ".join(facts) + ", " + outcome
    return "".join(char if char.isprintable() or char == "\x1b" else "?" for char in text) + "\n"
