"""What is known of models: ceilings, thinking, sight. Rows tried in order, the first matching name decides.

Sources: upstream.md 2.10, 3.10, 4.3, 4.7. A fact that nobody wrote down is None: then nothing is clamped, and the
upstream's own answer teaches us the ceiling (`faults.allowed_max_tokens`).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Thinks = Literal["never", "off", "on", "always"]
"""`off` and `on` say what happens when nobody asks; `always` cannot be switched off."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One row: a pattern for names, and what is known of them.

    Attributes:
        context: tokens of the window.
        output: the largest `max_tokens`; more is an error, not a clamp (4.3).
        thinks: see `Thinks`; None: unknown.
        budget: the largest `thinking_budget`; 0: it refuses one (4.3).
        efforts: steps of `reasoning_effort` that the model really has (4.3); empty: use budgets.
        sees: takes images.
        hears: takes audio and speaks.
        searches: False where a search is not asked for: some models refuse `enable_search` (4.3), and nobody wrote
            down which; the coding models and those of other vendors are taken for such.
        stream_only: refuses calls that do not stream (4.3).
        output_with_thinking: `max_tokens` includes thinking (4.3).
    """

    names: re.Pattern[str]
    source: str
    context: int | None = None
    output: int | None = None
    thinks: Thinks | None = None
    budget: int | None = None
    efforts: tuple[str, ...] = ()
    sees: bool | None = None
    hears: bool = False
    searches: bool | None = None
    stream_only: bool = False
    output_with_thinking: bool = False


def _row(pattern: str, source: str, **facts: object) -> Facts:
    return Facts(re.compile(rf"(?:[\w.-]+/)?(?:{pattern})", re.IGNORECASE), source, **facts)  # type: ignore[arg-type]


MILLION = 1_000_000

ROWS = (
    _row(r"qwen3\.8-max.*", "3.10, 4.3", context=MILLION, output=131_072, thinks="on", budget=81_920,
         efforts=("low", "medium", "xhigh"), output_with_thinking=True),
    _row(r"qwen3\.7-max.*", "3.10", context=MILLION, output=65_536, thinks="on", budget=81_920, sees=False),
    _row(r"qwen3\.[567]-plus.*", "3.10, 4.7", context=MILLION, output=65_536, thinks="on", budget=81_920, sees=True),
    _row(r"qwen3\.5-omni.*", "3.10", context=262_144, output=65_536, thinks="on", sees=True, hears=True,
         stream_only=True),
    _row(r"qwen3\.[5-9].*", "4.3", thinks="on", budget=81_920),
    _row(r"qwen3-coder-next.*", "4.7", context=262_144, thinks="never", sees=False, searches=False),
    _row(r"qwen3-coder-(?:plus|flash).*", "2.10, 4.7", context=MILLION, output=65_536, thinks="never", sees=False,
         searches=False),
    _row(r"qwen3-coder.*", "4.7", thinks="never", sees=False, searches=False),
    _row(r"qwen3-max.*", "4.7", context=262_144, thinks="off", sees=False),
    _row(r"qwen3-30b-a3b.*", "4.3", output=8_192, thinks="off", budget=32_768, sees=False),
    _row(r"qwen3-235b-a22b.*", "3.10", context=131_072, thinks="off", budget=81_920, sees=False),
    _row(r"qwen3-vl.*", "4.3", thinks="off", sees=True, searches=False),
    _row(r"qwq.*", "4.3", thinks="always", sees=False, stream_only=True),
    _row(r"qvq.*", "4.3", thinks="always", sees=True, stream_only=True),
    _row(r"qwen.*-omni.*", "4.3", sees=True, hears=True, stream_only=True),
    _row(r"qwen-turbo.*", "4.3", output=16_384, thinks="off", sees=False),
    _row(r"qwen-plus.*", "4.3", output=32_768, thinks="off", sees=False),
    _row(r"qwen-(?:max|flash|long).*", "4.3", thinks="off", sees=False),
    _row(r"qwen.*-vl.*", "4.3", sees=True),
    _row(r"vision-model", "2.10", output=32_768, sees=True),
    _row(r"coder-model", "2.10", context=MILLION, output=65_536, thinks="on", budget=81_920, sees=True),
    _row(r"glm-5.*", "4.3, 4.7", context=202_752, output=16_384, thinks="on", budget=32_768, sees=False,
         searches=False),
    _row(r"glm-.*", "4.3, 4.7", context=202_752, thinks="on", budget=32_768, sees=False, searches=False),
    _row(r"kimi-k3.*", "4.3", context=262_144, thinks="on", budget=0, searches=False),
    _row(r"kimi-.*", "4.7", context=262_144, thinks="on", budget=81_920, searches=False),
    _row(r"minimax-m2.*", "4.3, 4.7", context=196_608, thinks="always", sees=False, searches=False),
    _row(r"deepseek.*", "4.3", thinks="on", efforts=("high", "max"), sees=False, output_with_thinking=True,
         searches=False),
)  # fmt: skip

UNKNOWN = Facts(re.compile(""), "nothing is written about this model")


@lru_cache(maxsize=256)
def facts_of(model: str) -> Facts:
    """What is known of `model`; a vendor prefix (`qwen/`, `ZHIPU/`) does not matter (4.8)."""
    for row in ROWS:
        if row.names.fullmatch(model):
            return row
    return UNKNOWN
