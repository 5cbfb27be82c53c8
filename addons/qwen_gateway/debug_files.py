"""Debug files: everything about one call in a file of its own, the newest few of them (`DEBUG_LOG`, `LOG_FILE_LIMIT`).

What the client asked, what was sent to Qwen, attempt by attempt, and what the client got. No credentials: they are in
none of these. Prompts and answers are, so the files are for their owner alone.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from mitmproxy import ctx, http

from qwen_auth.errors import redact
from qwen_gateway import flows, lines, options
from qwen_gateway.engine.engine import Engine
from qwen_gateway.exchange import Attempt, Exchange
from qwen_gateway.scribe import Scribe


class DebugFiles:
    """Writes one when a call has ended."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._scribe = Scribe("the debug files", most=50)  # each keeps its bodies in memory while it waits
        self._folder: Path | None = None

    def configure(self, updated: set[str]) -> None:
        if updated & {"qwen_debug_log", "qwen_debug_files", "qwen_log_dir"}:
            settings = options.read(ctx.options)
            self._folder = options.log_folder(settings) / "debug" if settings.debug_log else None
            self._limit = settings.debug_files

    def qwen_exchange(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        if self._folder is not None:
            self._scribe.put(partial(self._write, self._folder, flow, exchange))

    def done(self) -> None:
        self._scribe.close()

    def _write(self, folder: Path, flow: http.HTTPFlow, exchange: Exchange) -> None:
        secrets = self._engine.secrets()
        text = redact(story(flow, exchange, secrets).decode(), secrets)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        moment = lines.stamp(exchange.started).replace(":", "").replace("-", "")
        file = os.open(folder / f"{moment}-{exchange.id}.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as out:
            out.write(text)
        for oldest in sorted(folder.glob("2*T*Z-req_*.json"))[: -self._limit]:
            with suppress(FileNotFoundError):  # another gateway of this home was faster
                oldest.unlink()


def story(flow: http.HTTPFlow, exchange: Exchange, secrets: Sequence[str] = ()) -> bytes:
    """The call as indented JSON, in the order in which it happened."""
    asked = dict(flow.metadata.get(flows.CLIENT) or {})
    asked["body"] = readable(str(asked.get("body", "")).encode("utf-8", "replace"))
    answer = flow.response
    told = {
        "call": lines.record(exchange, secrets),
        "client": asked,
        "attempts": [attempt_story(attempt) for attempt in exchange.attempts],
        "answer": {
            "status": answer.status_code,
            "headers": dict(answer.headers.items(multi=True)),
            "body": readable(answer.raw_content or b""),
        }
        if answer
        else None,
    }
    return orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)


def attempt_story(attempt: Attempt) -> dict[str, Any]:
    """What was sent to Qwen and, when that failed, what came back. What went well is the client's answer."""
    return {
        "number": attempt.number,
        "account": attempt.account,
        "url": attempt.url,
        "headers": attempt.headers,
        "body": readable(attempt.body),
        "verdict": attempt.verdict,
        "status": attempt.status,
        "answer_headers": shown(attempt.answer_headers),
        "answer": readable(attempt.answer) if attempt.answer else None,
    }


def shown(headers: Mapping[str, str]) -> dict[str, str]:
    """An upstream's headers without its cookies."""
    return {name: value for name, value in headers.items() if name.lower() not in flows.UNSHOWN}


def readable(body: bytes) -> Any:
    """A body as JSON if it is some, else as text."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")
