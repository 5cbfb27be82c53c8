"""What is known of models."""

import pytest

from qwen_gateway.upstreams.facts import ROWS, UNKNOWN, facts_of


@pytest.mark.parametrize(
    ("name", "fact", "value"),
    [
        ("qwen-plus", "output", 32_768),
        ("qwen-turbo", "output", 16_384),
        ("qwen3-30b-a3b", "output", 8_192),
        ("glm-5", "output", 16_384),
        ("qwen3.7-plus", "thinks", "on"),
        ("qwen3.7-plus", "sees", True),
        ("qwen3.8-max", "efforts", ("low", "medium", "xhigh")),
        ("qwen3.8-max", "output_with_thinking", True),
        ("qwen3-vl-plus", "thinks", "off"),
        ("qwen3-coder-plus", "thinks", "never"),
        ("qwen3-coder-next", "context", 262_144),
        ("qwen3-max-2026-01-23", "context", 262_144),
        ("MiniMax-M2.5", "thinks", "always"),
        ("kimi-k2.5", "context", 262_144),
        ("kimi-k3", "budget", 0),
        ("deepseek-v4", "efforts", ("high", "max")),
        ("qwen3.5-omni-plus", "hears", True),
        ("coder-model", "output", 65_536),
        ("vision-model", "output", 32_768),
    ],
)
def test_facts_are_those_of_the_contract(name: str, fact: str, value: object) -> None:
    assert getattr(facts_of(name), fact) == value


def test_a_vendors_prefix_and_the_case_do_not_matter() -> None:
    assert facts_of("qwen/qwen3-coder-plus") is facts_of("QWEN3-Coder-Plus")


def test_nothing_is_made_up() -> None:
    assert facts_of("somebody-elses-7b") is UNKNOWN
    assert facts_of("") is UNKNOWN


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.names.pattern)
def test_rows_have_a_source_and_are_reached(row: object) -> None:
    assert row.source  # type: ignore[attr-defined]
    assert any(facts_of(name) is row for name in NAMES)


NAMES = [
    *("qwen3.8-max", "qwen3.7-max", "qwen3.7-plus", "qwen3.5-omni-plus", "qwen3.5-flash", "qwen3-coder-next"),
    *("qwen3-coder-plus", "qwen3-coder", "qwen3-max", "qwen3-30b-a3b", "qwen3-235b-a22b", "qwen3-vl-plus", "qwq-plus"),
    *("qvq-max", "qwen2.5-omni-7b", "qwen-turbo", "qwen-plus", "qwen-max", "qwen-vl-max", "coder-model", "glm-5"),
    *("glm-4.7", "kimi-k3", "kimi-k2.5", "MiniMax-M2.5", "deepseek-v4", "vision-model"),
]
