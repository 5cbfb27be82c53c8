"""Counters and histograms as Prometheus reads them."""

from prometheus_client import CollectorRegistry

from qwen_gateway.series import Spreads, Sums


def test_sums_are_kept_by_their_labels() -> None:
    calls = Sums("calls_total", "Calls.", ("model", "outcome"))
    registry = CollectorRegistry()
    registry.register(calls)

    calls.add(("max", "failed"))
    calls.add(("max", "finished"), 2)
    calls.add(("max", "finished"), 0.5)

    assert registry.get_sample_value("calls_total", {"model": "max", "outcome": "finished"}) == 2.5
    assert registry.get_sample_value("calls_total", {"model": "max", "outcome": "failed"}) == 1


def test_a_value_on_a_bound_belongs_below_it() -> None:
    seconds = Spreads("seconds", "Seconds.", (0.5, 2.0), ("model",))
    registry = CollectorRegistry()
    registry.register(seconds)

    for value in (0.5, 0.6, 2.0, 7.0):
        seconds.add(("max",), value)

    def below(bound: str) -> float | None:
        return registry.get_sample_value("seconds_bucket", {"model": "max", "le": bound})

    assert (below("0.5"), below("2.0"), below("+Inf")) == (1, 3, 4)
    assert registry.get_sample_value("seconds_count", {"model": "max"}) == 4
    assert registry.get_sample_value("seconds_sum", {"model": "max"}) == 10.1


def test_what_was_never_added_to_is_not_shown() -> None:
    assert [family.samples for family in Sums("calls_total", "Calls.", ("model",)).collect()] == [[]]
    assert [family.samples for family in Spreads("seconds", "Seconds.", (1.0,), ()).collect()] == [[]]
