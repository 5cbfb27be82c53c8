"""What the tests of connections share."""

from collections.abc import AsyncIterator

import pytest

from qwen_gateway.engine.aiohttp_transport import AiohttpTransport


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    made = AiohttpTransport(connect_timeout=5)
    yield made
    await made.aclose()
