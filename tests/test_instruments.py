"""What is measured, read back by Prometheus's own parser."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import openmetrics
from prometheus_client.exposition import choose_encoder, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from qwen_auth.pool import State
from qwen_gateway import instruments
from qwen_gateway.codec.deltas import Usage
from qwen_gateway.exchange import Attempt, Exchange
from qwen_gateway.instruments import Instruments
from qwen_gateway.ledger import Ledger
from qwen_gateway.openai.errors import UpstreamError
from qwen_gateway.openai.notices import Notice
from tests.openai.asking import call

DOCS = Path(__file__).parents[1] / "docs"
HOSTILE = 'a"b\\c\n# HELP x\nevil{le="1"} 9 \u2028 \U0001f600 ' + "x" * 400


def ended(model: str = "qwen3.7-plus", outcome: Any = "finished", **fields: Any) -> Exchange:
    """An exchange of two seconds, whose first token took a quarter of one."""
    made = Exchange(call(stream=True), model=model, account="work", started=1_790_000_000.0, **fields)
    made.first_byte = made.started + 0.25
    made.end(outcome, UpstreamError("no", status=503, code="upstream_overloaded") if outcome == "failed" else None)
    made.ended = made.started + 2.0
    return made


def attempt(model: str = "qwen3.7-plus", verdict: str | None = None, account: str = "work") -> Attempt:
    return Attempt(1, account, "", model, "https://x.test/", {}, b"", verdict=verdict)


def samples(shown: Instruments) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Everything that Prometheus would store."""
    families = parse(generate_latest(shown.registry).decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(shown: Instruments, name: str, **labels: str) -> float:
    """The sum of the samples of that name with those labels."""
    wanted = frozenset(labels.items())
    return sum(amount for (found, given), amount in samples(shown).items() if found == name and wanted <= given)


def test_sums_are_exactly_what_was_reported() -> None:
    shown = Instruments(Ledger())
    usages = [Usage(n * 7, n * 3, n * 10, {"cached_tokens": n}, {"reasoning_tokens": 2 * n}) for n in range(1, 400)]
    for usage in usages:
        exchange = ended()
        exchange.usage = usage
        shown.ended(exchange)
    assert value(shown, "qwen_input_tokens_total") == sum(usage.prompt for usage in usages)
    assert value(shown, "qwen_output_tokens_total") == sum(usage.completion for usage in usages)
    assert value(shown, "qwen_cached_tokens_total") == sum(range(1, 400))
    assert value(shown, "qwen_reasoning_tokens_total") == 2 * sum(range(1, 400))
    assert value(shown, "qwen_calls_total", outcome="finished", account="work", model="qwen3.7-plus") == 399


def test_times_fall_into_their_buckets() -> None:
    shown = Instruments(Ledger())
    shown.ended(ended())
    assert value(shown, "qwen_time_to_first_token_seconds_sum") == 0.25
    assert value(shown, "qwen_time_to_first_token_seconds_bucket", le="0.2") == 0
    assert value(shown, "qwen_time_to_first_token_seconds_bucket", le="0.4") == 1
    assert value(shown, "qwen_call_duration_seconds_sum", model="qwen3.7-plus") == 2.0


def test_attempts_are_counted_by_what_became_of_them() -> None:
    shown = Instruments(Ledger())
    exchange = ended()
    exchange.attempts += [attempt(verdict="throttle", account="first"), attempt()]
    shown.ended(exchange)
    left = ended(outcome="cancelled")
    left.attempts.append(attempt())
    shown.ended(left)
    assert value(shown, "qwen_api_calls_total", verdict="throttle", account="first") == 1
    assert value(shown, "qwen_api_calls_total", verdict="ok", account="work") == 1
    assert value(shown, "qwen_api_calls_total", verdict="cancelled") == 1
    assert value(shown, "qwen_calls_total", outcome="cancelled") == 1


def test_requests_are_counted_by_route_and_status() -> None:
    shown = Instruments(Ledger())
    shown.answered("POST", "chat", 200, 0.3)
    shown.answered("POST", "chat", 429, 0.001)
    shown.answered("BREW", "unknown", 404, -1.0)  # the clock was set back
    assert value(shown, "http_requests_total") == 3
    assert value(shown, "http_requests_total", method="other", route="unknown", status_code="404") == 1
    assert value(shown, "http_request_duration_seconds_count", status_code="200") == 1
    assert value(shown, "http_request_duration_seconds_sum", status_code="404") == 0


def test_each_account_is_in_one_state() -> None:
    shown = Instruments(Ledger())
    shown.look([State("old", "")], 0, 0)
    shown.look([State("work", "", "resting"), State("work", "qwen-max", "excluded"), State("home", "")], 3, 2)
    assert value(shown, "qwen_account_state", account="work", state="resting") == 1
    assert value(shown, "qwen_account_state", account="work") == 1
    assert value(shown, "qwen_account_state", account="home", state="healthy") == 1
    assert value(shown, "qwen_account_resting_models", account="work") == 1
    assert value(shown, "active_sessions") == 3
    assert value(shown, "qwen_calls_running") == 2
    assert not [key for key in samples(shown) if ("account", "old") in key[1]]


def test_what_the_ledger_counts_is_shown() -> None:
    ledger = Ledger()
    ledger.counters.saved, ledger.counters.dropped, ledger.counters.failures = 7, 2, 1
    shown = Instruments(ledger)
    assert value(shown, "qwen_ledger_records_total", result="saved") == 7
    assert value(shown, "qwen_ledger_records_total", result="dropped") == 2
    assert value(shown, "qwen_ledger_failures_total") == 1
    assert value(shown, "qwen_ledger_queue_depth") == 0


def test_notices_are_counted_without_their_indices() -> None:
    shown = Instruments(Ledger())
    exchange = ended()
    exchange.note([Notice("dropped", "seed"), Notice("translated", "messages[3].content"), Notice("dropped", HOSTILE)])
    shown.ended(exchange)
    assert value(shown, "qwen_notices_total", action="dropped", parameter="seed") == 1
    assert value(shown, "qwen_notices_total", action="translated", parameter="messages") == 1


def test_names_that_clients_make_up_share_one_label() -> None:
    shown = Instruments(Ledger())
    for number in range(1_000):
        shown.ended(ended(f"made-up-{number}", "failed"))
    assert value(shown, "qwen_calls_total", model="other") == 1_000
    shown.ended(ended("qwen3.7-plus"))
    assert value(shown, "qwen_calls_total", model="qwen3.7-plus") == 1


def test_a_listed_model_that_always_fails_has_its_own_label() -> None:
    shown = Instruments(Ledger(), is_model=lambda name: name == "qwen-max")
    shown.ended(ended("qwen-max", "failed"))
    assert value(shown, "qwen_calls_total", model="qwen-max") == 1


def test_the_number_of_series_is_bounded_whatever_clients_send() -> None:
    """An upstream that answers to every name, and clients that try them all."""
    shown = Instruments(Ledger(), is_model=lambda _: True)
    sizes = []
    for round_ in range(3):
        for number in range(1_500):
            name = f"{round_}-{number}-{HOSTILE}"
            exchange = ended(name)
            exchange.usage = Usage(1, 1, 2)
            exchange.attempts.append(attempt(name))
            exchange.note([Notice("dropped", name)])
            shown.ended(exchange)
            shown.answered(name, "chat", number, 0.1)
        sizes.append(len(samples(shown)))
    assert sizes[0] == sizes[1] == sizes[2]
    assert sizes[0] < 70 * 4 * 20 + 70 * 20


@pytest.mark.parametrize("generate", ["plain", "openmetrics"])
def test_whatever_a_name_holds_both_formats_can_be_read(generate: str) -> None:
    shown = Instruments(Ledger())
    shown.ended(ended(HOSTILE))
    if generate == "plain":
        families = list(parse(generate_latest(shown.registry).decode()))
    else:
        families = list(parse_openmetrics(generate_openmetrics(shown.registry).decode()))
    found = {sample.labels.get("model") for family in families for sample in family.samples if "model" in sample.labels}
    assert found == {HOSTILE}


def test_scrapers_that_ask_for_openmetrics_get_it() -> None:
    encode, content_type = choose_encoder("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert content_type.startswith(openmetrics.exposition.CONTENT_TYPE_LATEST.split(";")[0])
    assert encode(Instruments(Ledger()).registry).endswith(b"# EOF\n")


def test_the_names_of_the_seed_are_there() -> None:
    shown = Instruments(Ledger())
    shown.answered("GET", "health", 200, 0.01)
    exchange = ended()
    exchange.attempts.append(attempt())
    shown.ended(exchange)
    names = {name for name, _ in samples(shown)}
    assert {"http_request_duration_seconds_bucket", "http_requests_total", "qwen_api_calls_total"} <= names
    assert "active_sessions" in names


# What the documents and the dashboard name is there.


def everything() -> dict[str, set[str]]:
    """Every metric that can appear, with its labels."""
    shown = Instruments(Ledger())
    exchange = ended()
    exchange.usage = Usage(1, 1, 2, {"cached_tokens": 1}, {"reasoning_tokens": 1})
    exchange.attempts.append(attempt())
    exchange.note([Notice("dropped", "seed")])
    shown.ended(exchange)
    shown.answered("GET", "health", 200, 0.01)
    shown.look([State("work", ""), State("work", "qwen-max", "resting")], 1, 1)
    found: dict[str, set[str]] = {}
    for name, labels in samples(shown):
        found.setdefault(name, set()).update(label for label, _ in labels)
    return found


FUNCTIONS = {"sum", "rate", "increase", "histogram_quantile", "max", "by"}
"""The PromQL that the dashboard uses."""


def test_the_dashboard_asks_for_what_there_is() -> None:
    there = everything()
    dashboard = json.loads((DOCS / "howto" / "grafana-dashboard.json").read_text())
    asked: set[str] = set()
    for panel in dashboard["panels"]:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            expression = re.sub(r"\[[^\]]*\]", "", target["expr"])
            grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", expression))))
            filtered = set(re.findall(r"(\w+)=", "".join(re.findall(r"\{([^}]*)\}", expression))))
            bare = re.sub(r"by \([^)]*\)|\{[^}]*\}", "", expression)
            names = set(re.findall(r"[a-z][a-z0-9_]+", bare)) - FUNCTIONS
            assert names, target["expr"]
            assert names <= set(there), target["expr"]
            asked |= names
            for name in names:
                assert grouped | filtered <= there[name], target["expr"]
            legend = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) - {"instance"}
            assert legend <= grouped, target["legendFormat"]
    without = {name.removesuffix("_bucket") for name in asked}
    ours = {name for name in there if not re.search(r"_(sum|count|bucket)$|^(process|python)_", name)}
    assert ours - without <= {"qwen_gateway_info"}


def test_panels_of_the_dashboard_do_not_lie_on_each_other() -> None:
    dashboard = json.loads((DOCS / "howto" / "grafana-dashboard.json").read_text())
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_metric_is_in_the_reference() -> None:
    text = (DOCS / "reference" / "metrics.md").read_text()
    for name, labels in everything().items():
        base = re.sub(r"_(sum|count|bucket)$", "", name)
        if base.startswith(("process_", "python_")):
            continue
        row = re.search(rf"^\| `{base}` \| (.*?) \|", text, re.MULTILINE)
        assert row, base
        assert set(re.findall(r"`(\w+)`", row[1])) == labels - {"le"}, base


def test_buckets_grow() -> None:
    for buckets in (instruments.HTTP_SECONDS, instruments.FIRST_SECONDS, instruments.CALL_SECONDS):
        assert list(buckets) == sorted(set(buckets))
        assert math.isfinite(buckets[-1])
