"""What tokens cost: a JSON file of the operator's, for budgets in money and for `usage`.

    {"currency": "USD", "models": {"qwen3.7-plus": {"input": 0.4, "output": 1.2, "cached": 0.1}, "qwen3*": …}}

Prices are per million tokens. The first name or pattern that fits a model counts. None are built in: they change, and
differ by region and contract.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from qwen_gateway.codec.json import BadJSON, loads

MILLION = 1_000_000


class BadPrices(ValueError):
    """The file cannot be read as prices; the message says why."""


@dataclass(frozen=True, slots=True)
class Price:
    """Of a million tokens; `cached` of prompt tokens that came from the upstream's cache, None for the usual price."""

    input: float
    output: float
    cached: float | None = None


@dataclass(frozen=True, slots=True)
class Prices:
    """A table of prices."""

    currency: str = ""
    models: Mapping[str, Price] = field(default_factory=dict)

    def of(self, model: str) -> Price | None:
        """The price of a model; None when it is not in the table."""
        exact = self.models.get(model)
        if exact is not None:
            return exact
        return next((price for name, price in self.models.items() if fnmatchcase(model.lower(), name.lower())), None)

    def cost(self, model: str, prompt: int, completion: int, cached: int = 0) -> float | None:
        """What so many tokens cost; None where the model has no price."""
        price = self.of(model)
        if price is None:
            return None
        saved = cached * (price.input - price.cached) if price.cached is not None else 0.0
        return (prompt * price.input + completion * price.output - saved) / MILLION


def read_prices(path: Path) -> Prices:
    """The table of a file; an empty one where there is no file.

    Raises:
        BadPrices: it cannot be read, or is something else.
    """
    try:
        document = loads(path.read_bytes())
    except FileNotFoundError:
        return Prices()
    except OSError as error:
        raise BadPrices(f"{path} cannot be read ({error.strerror})") from None
    except BadJSON as error:
        raise BadPrices(f"{path} is no JSON ({error})") from None
    try:
        models = {str(name): _price(row) for name, row in document["models"].items()}
        return Prices(str(document.get("currency", "")), models)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadPrices(f"{path} is no table of prices ({type(error).__name__}: {error})") from None


def _price(row: Mapping[str, float]) -> Price:
    cached = row.get("cached")
    price = Price(float(row["input"]), float(row["output"]), None if cached is None else float(cached))
    if not all(0 <= number < float("inf") for number in (price.input, price.output, price.cached or 0.0)):
        raise ValueError("a price is a number, not below 0")
    return price
