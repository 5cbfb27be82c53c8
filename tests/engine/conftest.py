"""What the tests of connections share."""

from collections.abc import AsyncIterator

import pytest

from qwen_gateway.engine.aiohttp_transport import AiohttpTransport
from qwen_gateway.simulator.certificates import make_context
from tests.engine.wire import Authority


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    made = AiohttpTransport(connect_timeout=5)
    yield made
    await made.aclose()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("authority")
    return make_context(folder, ["localhost"], http2=False), folder / "ca.pem"
