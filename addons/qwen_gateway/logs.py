"""Log files, one line of JSON for each call and for what the gateway has to say; errors in a file of their own as well.

`gateway.log` has everything from `qwen_log_level` on, `error.log` what went wrong. Written by a thread: a slow or full
disk stops no call.
"""

import logging
import time
from functools import partial
from pathlib import Path
from typing import Any

from mitmproxy import ctx, http

from qwen_auth.errors import redact
from qwen_gateway import flows, lines, options
from qwen_gateway.engine.engine import Engine
from qwen_gateway.exchange import Exchange
from qwen_gateway.lines import as_json
from qwen_gateway.rotation import RotatedFile
from qwen_gateway.router import CALLS
from qwen_gateway.scribe import Scribe

LEVELS = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}
NAMES = {value: name for name, value in LEVELS.items()} | {logging.CRITICAL: "error"}

OURS = ("qwen_gateway", "qwen_auth")
"""Loggers that are written from the chosen level on. What mitmproxy says of each connection is not: warnings only."""


class Logs:
    """Writes down what ended, what was refused, and what is logged."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._scribe = Scribe("the log files")
        self._all: RotatedFile | None = None
        self._errors: RotatedFile | None = None
        self._level = logging.INFO
        self._handler = Handler(self)

    def configure(self, updated: set[str]) -> None:
        if not updated & {"qwen_log_dir", "qwen_log_level"}:
            return
        settings = options.read(ctx.options)
        self._level = LEVELS[settings.log_level]
        self._scribe.put(partial(self._move, settings.log_dir))
        if settings.log_dir is None:
            logging.getLogger().removeHandler(self._handler)
        else:
            logging.getLogger().addHandler(self._handler)
        self._on = settings.log_dir is not None

    def qwen_exchange(self, _flow: http.HTTPFlow, exchange: Exchange) -> None:
        level = logging.ERROR if exchange.outcome == "failed" else logging.INFO
        if not self._on or level < self._level:
            return
        if self._scribe.busy:
            self._scribe.put(partial(self._write, level, lines.record(exchange, self._engine.secrets())))
        else:
            self._scribe.put(lambda: self._write(level, lines.record(exchange, self._engine.secrets())))

    def response(self, flow: http.HTTPFlow) -> None:
        """What was refused before it became an exchange."""
        if not self._on or flow.metadata.get(flows.SURFACE) not in CALLS or flows.CLIENT in flow.metadata:
            return
        assert flow.response is not None
        if flow.response.status_code >= 400 and self._level <= logging.WARNING:
            path = flow.request.path.partition("?")[0]
            refused = lines.refusal_record(
                time.time(), flow.request.method, path, flow.response.status_code, flow.comment
            )
            self.write(logging.WARNING, refused)

    def write(self, level: int, entry: dict[str, Any]) -> None:
        """Have an entry written, if it is of the chosen level."""
        if level >= self._level:
            self._scribe.put(partial(self._write, level, entry))

    def done(self) -> None:
        logging.getLogger().removeHandler(self._handler)
        self._scribe.put(partial(self._move, None))
        self._scribe.close()

    # In the thread.

    def _move(self, folder: Path | None) -> None:
        for file in (self._all, self._errors):
            if file is not None:
                file.close()
        self._all = RotatedFile(folder / "gateway.log") if folder else None
        self._errors = RotatedFile(folder / "error.log") if folder else None

    def _write(self, level: int, entry: dict[str, Any]) -> None:
        if self._all is None or self._errors is None:
            return
        line = as_json({"level": NAMES.get(level, "info"), **entry})
        try:
            if level >= logging.ERROR:
                self._errors.write(line)
        finally:
            self._all.write(line)


class Handler(logging.Handler):
    """Takes what anyone logs, without secrets."""

    def __init__(self, logs: Logs) -> None:
        super().__init__()
        self._logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.WARNING and not record.name.startswith(OURS):
            return
        try:
            said = record.getMessage()
            if record.exc_info:
                said += "\n" + logging.Formatter().formatException(record.exc_info)
            entry = {
                "time": lines.stamp(record.created),
                "event": "log",
                "logger": record.name,
                "message": redact(said, self._logs._engine.secrets()),
            }
            self._logs.write(record.levelno, entry)
        except Exception:  # noqa: S110 - a log record that cannot be formatted is told by the other handlers
            pass
