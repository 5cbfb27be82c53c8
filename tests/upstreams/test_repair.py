"""Broken JSON: what it was meant to be, within a time that other calls can wait."""

from typing import Any

import json_repair
import pytest

from qwen_gateway.upstreams.arguments import read
from qwen_gateway.upstreams.repair import LARGEST, repaired
from qwen_gateway.upstreams.tool_prompt.arguments import mend

BROKEN = "{'a': "


@pytest.mark.parametrize(
    ("text", "value"),
    [("{'a': 1}", {"a": 1}), ('{"a": [1, 2', {"a": [1, 2]}), ("no such thing", None), ("", None)],
)
def test_what_it_was_meant_to_be(text: str, value: Any) -> None:
    assert repaired(text) == value


@pytest.mark.parametrize("length", [LARGEST, LARGEST + 1])
def test_what_is_too_long_is_not_tried(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = BROKEN + "x" * (length - len(BROKEN))
    tried: list[str] = []
    monkeypatch.setattr(json_repair, "repair_json", lambda one, **_: tried.append(one) or {"a": 1})  # type: ignore[func-returns-value]

    well = length <= LARGEST
    assert (read(text) is not None, mend(text)[1]) == (well, well)
    assert tried == [text, text] * well


def test_a_parser_that_breaks_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise IndexError

    monkeypatch.setattr(json_repair, "repair_json", fail)
    assert repaired(BROKEN) is None
