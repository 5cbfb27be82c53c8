"""Estimates the tokens of each prompt and learns from what upstreams report; which vocabulary counts is an option."""

import os

from mitmproxy import ctx, http

from qwen_gateway import options
from qwen_gateway.engine.engine import Engine
from qwen_gateway.exchange import Exchange
from qwen_gateway.tokens import vocabulary


class Estimates:
    """Stands before the observers that show an estimate."""

    def __init__(self, engine: Engine) -> None:
        self._estimator = engine.estimator
        self._up = False

    def configure(self, updated: set[str]) -> None:
        if "qwen_vocabulary" in updated:
            self._chosen = options.read(ctx.options).vocabulary
            if self._up:
                self._choose()

    def running(self) -> None:
        """Loaded before the first calls: it holds the interpreter for a tenth of a second."""
        self._up = True
        self._choose()

    def qwen_exchange(self, _flow: http.HTTPFlow, exchange: Exchange) -> None:
        if exchange.measure is None:
            return
        exchange.estimated = self._estimator.corrected(exchange.measure, exchange.model)
        if exchange.usage is not None and was_asked_once(exchange):
            self._estimator.learn(exchange.measure, exchange.model, exchange.usage.prompt)

    def done(self) -> None:
        self._estimator.close()

    def _choose(self) -> None:
        if self._chosen == "none":
            self._estimator.use(None)
        else:
            self._estimator.use(self._chosen or vocabulary.find(os.environ))


def was_asked_once(exchange: Exchange) -> bool:
    """Whether the upstream's count is of this very prompt: asked once, and with nothing left out."""
    answers = [attempt for attempt in exchange.attempts if attempt.fault is None or attempt.verdict == "unmet"]
    return len(answers) == 1 and "truncation" not in [notice.param for notice in exchange.notices]
