"""The real `openai` package takes the simulator for a service."""

import pytest
from openai import AsyncOpenAI, AuthenticationError

from qwen_gateway.simulator import Simulator


async def test_openai_client_reads_an_answer(sim: Simulator) -> None:
    async with AsyncOpenAI(base_url=sim.url(), api_key="sk-sim") as openai:
        answer = await openai.chat.completions.create(
            model="qwen3.7-plus", messages=[{"role": "user", "content": "Say hi"}]
        )

    assert answer.choices[0].message.content is not None
    assert answer.choices[0].message.content.endswith("You said: “Say hi”")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_openai_client_reads_a_stream(sim: Simulator) -> None:
    async with AsyncOpenAI(base_url=sim.url(), api_key="sk-sim") as openai:
        stream = await openai.chat.completions.create(
            model="qwen3.7-plus", messages=[{"role": "user", "content": "你好"}], stream=True
        )
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert text.endswith("“你好”")


async def test_openai_client_raises_what_the_service_refuses(sim: Simulator) -> None:
    async with AsyncOpenAI(base_url=sim.url(), api_key="sk-wrong") as openai:
        with pytest.raises(AuthenticationError, match="Incorrect API key provided"):
            await openai.models.list()
