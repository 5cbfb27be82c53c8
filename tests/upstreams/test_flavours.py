"""The hosts' rows."""

import pytest

from qwen_auth.plans import PLANS
from qwen_gateway.openai.chat_request import ChatRequest
from qwen_gateway.upstreams.flavours import FLAVOURS, flavour
from qwen_gateway.upstreams.parameters import RULES


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_every_plan_has_a_row(plan: object) -> None:
    assert plan.flavour in FLAVOURS  # type: ignore[attr-defined]


def test_a_host_nobody_knows_is_compatible() -> None:
    assert flavour("unheard-of") is FLAVOURS["compatible"]


@pytest.mark.parametrize("row", FLAVOURS.values(), ids=lambda row: row.name)
def test_native_parameters_are_openais(row: object) -> None:
    assert row.native <= set(ChatRequest.__struct_fields__)  # type: ignore[attr-defined]
    assert row.native <= RULES.keys()  # type: ignore[attr-defined]
    assert row.source  # type: ignore[attr-defined]


def test_plans_of_alibaba_speak_the_same() -> None:
    model_studio, coding = FLAVOURS["dashscope"], FLAVOURS["coding-plan"]

    assert (model_studio.native, model_studio.extensions) == (coding.native, coding.extensions)
