"""What tokens cost, by a file of the operator's."""

import json
from pathlib import Path

import pytest

from qwen_gateway.prices import BadPrices, Price, Prices, read_prices

TABLE = {
    "currency": "USD",
    "models": {
        "qwen3.7-plus": {"input": 0.4, "output": 1.2, "cached": 0.1},
        "qwen3*": {"input": 1, "output": 2},
    },
}


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "prices.json").write_text(json.dumps(TABLE))

    prices = read_prices(tmp_path / "prices.json")

    assert prices.currency == "USD"
    assert prices.of("qwen3.7-plus") == Price(0.4, 1.2, 0.1)
    assert prices.of("Qwen3-coder-plus") == Price(1, 2)
    assert prices.of("glm-5") is None


def test_costs_are_per_million_and_cached_tokens_have_their_own() -> None:
    prices = Prices("USD", {"a": Price(0.4, 1.2, 0.1), "b": Price(0.4, 1.2)})

    assert prices.cost("a", 1_000_000, 500_000, cached=400_000) == pytest.approx(0.6 * 0.4 + 0.4 * 0.1 + 0.6)
    assert prices.cost("b", 1_000_000, 0, cached=400_000) == pytest.approx(0.4)
    assert prices.cost("c", 1, 1) is None


def test_without_a_file_nothing_has_a_price(tmp_path: Path) -> None:
    assert read_prices(tmp_path / "prices.json") == Prices()


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", '{"models": []}', '{"models": {"a": {}}}', '{"models": {"a": {"input": "x", "output": 1}}}',
        '{"models": {"a": {"input": -1, "output": 1}}}', '{"models": {"a": {"input": 1e999, "output": 1}}}',
    ],
)  # fmt: skip
def test_what_is_no_table_is_told_with_its_path(tmp_path: Path, content: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(content)

    with pytest.raises(BadPrices, match=r"prices\.json is no"):
        read_prices(path)
