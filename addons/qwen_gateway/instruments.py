"""What is measured, under which names, and how many series that may become whatever clients send.

The names of the seed come first; the others begin with `qwen_`. A call costs a few additions. Knows exchanges, and no
mitmproxy.
"""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from qwen_auth.pool import State
from qwen_gateway.exchange import Attempt, Exchange
from qwen_gateway.ledger import Ledger
from qwen_gateway.series import Spreads, Sums
from qwen_gateway.upstreams.chat_chunks import count
from qwen_gateway.upstreams.parameters import RULES
from qwen_gateway.version import __version__

OTHER = "other"
"""What has no label of its own."""

MODELS, PARAMETERS, STATUSES = 64, 64, 64
"""How many names that come from outside get labels."""

METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"})

STATES = ("healthy", "resting", "exhausted", "needs-login", "disabled", "excluded")
"""Of accounts (qwen_auth.pool.Status)."""

HTTP_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
FIRST_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4)
CALL_SECONDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)


class Names:
    """Names that get labels of their own: the first so many; all others are `other`."""

    def __init__(self, limit: int, known: Iterable[str] = ()) -> None:
        self._known = set(known)
        self._left = limit

    def __call__(self, name: str, *, new: bool = True) -> str:
        """The label of a name; `new`: it may become a label now."""
        if name in self._known:
            return name
        if not new or self._left <= 0 or not name:
            return OTHER
        self._left -= 1
        self._known.add(name)
        return name


class LedgerFigures(Collector):
    """What the ledger counts itself, looked at when somebody asks."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def collect(self) -> Iterator[Metric]:
        ledger, counters = self._ledger, self._ledger.counters
        yield GaugeMetricFamily("qwen_ledger_queue_depth", "Records that wait to be written.", ledger.waiting)
        yield GaugeMetricFamily("qwen_ledger_queue_bytes", "What they weigh, roughly.", ledger.weight)
        records = CounterMetricFamily("qwen_ledger_records", "Records, by what became of them.", labels=["result"])
        records.add_metric(["saved"], counters.saved)
        records.add_metric(["dropped"], counters.dropped)
        yield records
        yield CounterMetricFamily("qwen_ledger_failures", "Times that the database failed.", counters.failures)
        yield CounterMetricFamily("qwen_ledger_blocked", "Calls that waited for room in the queue.", counters.blocked)


class Instruments:
    """Every metric, in a registry of its own.

    Args:
        ledger: whose figures are shown as well.
        is_model: whether an upstream lists a model of that name. Others get a label when they have answered.
    """

    def __init__(self, ledger: Ledger, is_model: Callable[[str], bool] = lambda _: False) -> None:
        self.registry = registry = CollectorRegistry()
        registry.register(LedgerFigures(ledger))
        self._is_model = is_model
        self._models = Names(MODELS)
        self._parameters = Names(PARAMETERS, RULES)
        self._statuses = Names(STATUSES)

        def counter(name: str, text: str, *labels: str) -> Sums:
            registry.register(made := Sums(name, text, labels))
            return made

        def histogram(name: str, text: str, bounds: tuple[float, ...], *labels: str) -> Spreads:
            registry.register(made := Spreads(name, text, bounds, labels))
            return made

        route = ("method", "route", "status_code")
        self._requests = counter("http_requests_total", "Requests to the gateway.", *route)
        self._durations = histogram(
            "http_request_duration_seconds", "From a request's first byte to its answer's last.", HTTP_SECONDS, *route
        )
        self._attempts = counter(
            "qwen_api_calls_total", "Attempts at upstreams, by what became of them.", "account", "model", "verdict"
        )
        self._calls = counter(
            "qwen_calls_total", "Clients' calls, by how they ended.", "surface", "model", "account", "outcome"
        )
        self._call_seconds = histogram("qwen_call_duration_seconds", "Of calls that finished.", CALL_SECONDS, "model")
        self._first = histogram(
            "qwen_time_to_first_token_seconds", "Of streamed calls, waits included.", FIRST_SECONDS, "model"
        )
        tokens = ("model", "account")
        self._input = counter("qwen_input_tokens_total", "Tokens of prompts, as upstreams report them.", *tokens)
        self._cached = counter("qwen_cached_tokens_total", "Those of them that came from a cache.", *tokens)
        self._output = counter("qwen_output_tokens_total", "Tokens of answers, as upstreams report them.", *tokens)
        self._reasoning = counter("qwen_reasoning_tokens_total", "Those of them that were thoughts.", *tokens)
        self._notices = counter("qwen_notices_total", "What was changed in calls.", "action", "parameter")
        self._sessions = Gauge(
            "active_sessions", "Conversations with a call within the last half hour.", registry=registry
        )
        self._running = Gauge("qwen_calls_running", "Calls that are being answered.", registry=registry)
        self._states = Gauge(
            "qwen_account_state", "1 for the state that an account is in.", ("account", "state"), registry=registry
        )
        self._resting = Gauge(
            "qwen_account_resting_models", "Models for which an account rests.", ("account",), registry=registry
        )
        Gauge("qwen_gateway_info", "The version.", ("version",), registry=registry).labels(__version__).set(1)
        ProcessCollector(registry=registry)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request to the gateway has its answer."""
        labels = (method if method in METHODS else OTHER, route, self._statuses(str(status)))
        self._requests.add(labels)
        self._durations.add(labels, max(0.0, seconds))

    def ended(self, exchange: Exchange) -> None:
        """An exchange ended: all that is known of it, at once."""
        model, account = self._model(exchange.model, exchange), exchange.account or ""
        self._calls.add((exchange.surface, model, account, exchange.outcome))
        if exchange.outcome == "finished" and exchange.ended:
            self._call_seconds.add((model,), exchange.ended - exchange.started)
        if exchange.first_byte and exchange.call.stream:
            self._first.add((model,), exchange.first_byte - exchange.started)
        for attempt in exchange.attempts:
            tried = model if attempt.model == exchange.model else self._model(attempt.model, exchange)
            self._attempts.add((attempt.account, tried, verdict_of(attempt, exchange)))
        if usage := exchange.usage:
            whose = (model, account)
            self._input.add(whose, usage.prompt)
            self._output.add(whose, usage.completion)
            if cached := count(usage.prompt_details.get("cached_tokens")):
                self._cached.add(whose, cached)
            if reasoning := count(usage.completion_details.get("reasoning_tokens")):
                self._reasoning.add(whose, reasoning)
        for notice in exchange.notices:
            parameter = notice.param.partition(".")[0].partition("[")[0]
            self._notices.add((notice.action, self._parameters(parameter)))

    def look(self, states: Iterable[State], sessions: int, running: int) -> None:
        """What is not counted but looked at, when somebody asks."""
        self._running.set(running)
        self._sessions.set(sessions)
        self._states.clear()
        self._resting.clear()
        for state in states:
            resting = self._resting.labels(state.account)
            if state.model:
                resting.inc(state.status != "healthy")
                continue
            for name in STATES:
                self._states.labels(state.account, name).set(state.status == name)

    def _model(self, name: str, exchange: Exchange) -> str:
        """A name that only a client made up gets no label."""
        label = self._models(name, new=False)
        if label is OTHER and name and (exchange.outcome == "finished" or self._is_model(name)):
            label = self._models(name)
        return label


def verdict_of(attempt: Attempt, exchange: Exchange) -> str:
    """What became of an attempt: `ok`, the name of its verdict, or `cancelled` when the call ended before it did."""
    return attempt.verdict or ("ok" if exchange.outcome == "finished" else "cancelled")
