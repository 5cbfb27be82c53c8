"""One line in the terminal for each call: models, account, tokens, times, outcome.

In mitmdump it stands in for the line that mitmproxy's dumper prints for such a flow; whatever else passes the dumper
shows as ever, and with `flow_detail` above 1 it shows everything. mitmproxy's console is left alone.
"""

import os
import sys
import time
from collections.abc import Callable
from functools import partial

from mitmproxy import ctx, http
from mitmproxy.addons.dumper import Dumper

from qwen_gateway import flows, lines
from qwen_gateway.engine.engine import Engine
from qwen_gateway.exchange import Exchange
from qwen_gateway.lines import as_json
from qwen_gateway.router import CALLS
from qwen_gateway.scribe import Scribe


def write_out(data: bytes) -> None:
    """To the standard output, after what mitmproxy has printed there: into a file its lines would wait for more."""
    sys.stdout.flush()
    while data:
        data = data[os.write(1, data) :]


class Terminal:
    """Prints what ended."""

    def __init__(
        self, engine: Engine, write: Callable[[bytes], None] = write_out, *, coloured: bool | None = None
    ) -> None:
        self._engine = engine
        self._write = write
        self._coloured = wants_colours() if coloured is None else coloured
        self._scribe = Scribe("the terminal")
        self._form = "off"
        self._detail = 1
        self._there = False
        self._restore: Callable[[], None] = lambda: None

    def configure(self, updated: set[str]) -> None:
        if "qwen_terminal" in updated:
            self._form = ctx.options.qwen_terminal
        if "flow_detail" in updated:
            self._detail = ctx.options.flow_detail

    def running(self) -> None:
        # Only where mitmproxy itself prints lines: its console draws on the whole screen.
        self._there = ctx.master.addons.get("termlog") is not None
        dumper = ctx.master.addons.get("dumper")
        if isinstance(dumper, Dumper):
            self._stand_in(dumper)

    def qwen_exchange(self, _flow: http.HTTPFlow, exchange: Exchange) -> None:
        if not self._shows():
            return
        if self._scribe.busy:
            self._scribe.put(partial(self._write, self._told(exchange)))
        else:
            self._scribe.put(lambda: self._write(self._told(exchange)))

    def response(self, flow: http.HTTPFlow) -> None:
        """What was refused before it became an exchange."""
        if flow.metadata.get(flows.SURFACE) in CALLS and flows.CLIENT not in flow.metadata and self._shows():
            assert flow.response is not None
            if flow.response.status_code >= 400:
                path, status = flow.request.path.partition("?")[0], flow.response.status_code
                self._scribe.put(partial(self._print_refusal, flow.request.method, path, status, flow.comment))

    def done(self) -> None:
        self._restore()
        self._scribe.close()

    def _shows(self) -> bool:
        return self._there and self._form != "off" and self._detail > 0

    def _told(self, exchange: Exchange) -> bytes:
        if self._form == "json":
            return as_json(lines.record(exchange, self._engine.secrets()))
        return encoded(lines.line(exchange, coloured=self._coloured))

    def _print_refusal(self, method: str, path: str, status: int, why: str) -> None:
        now = time.time()
        if self._form == "json":
            self._write(as_json(lines.refusal_record(now, method, path, status, why)))
        else:
            self._write(encoded(lines.refusal_line(now, method, path, status, why, coloured=self._coloured)))

    def _stand_in(self, dumper: Dumper) -> None:
        theirs: Callable[[http.HTTPFlow], bool] = dumper.match

        def match(flow: http.HTTPFlow) -> bool:
            ours = flow.metadata.get(flows.SURFACE) in CALLS or flows.ATTEMPT in flow.metadata
            return not (ours and self._form != "off" and self._detail == 1) and theirs(flow)

        def restore() -> None:
            dumper.match = theirs  # type: ignore[method-assign]

        dumper.match = match  # type: ignore[method-assign]
        self._restore = restore


def wants_colours() -> bool:
    """Only where someone looks, and has not said otherwise (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def encoded(text: str) -> bytes:
    """As the terminal reads it; an old one may not know every character."""
    return text.encode(sys.stdout.encoding or "utf-8", "replace")
