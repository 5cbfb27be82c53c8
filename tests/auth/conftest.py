"""One login that a refresher keeps fresh, with an authorization server in memory and time that tests move."""

import pytest

from qwen_auth.oauth import OAuthCredentials, oauth_account
from qwen_auth.qwen_store import LoginFile
from qwen_auth.refresher import Refresher
from qwen_auth.token import Token
from tests.auth.authority import Authority
from tests.auth.clocks import FakeTime


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def authority():
    return Authority()


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def make(tmp_path, time):
    """An account whose token expires in `life` seconds; its lead is 20 minutes."""

    def make(life, name="work", file_type=LoginFile):
        file = file_type(tmp_path / f"oauth_creds_{name}.json")
        file.write(Token("access-0", "refresh-0", (time.wall + life) * 1000, resource_url="portal.qwen.ai"))
        credentials = OAuthCredentials(
            file, file.read(), file.stamp(), clock=time.clock, uniform=lambda low, high: (low + high) / 2
        )
        return oauth_account(name, credentials)

    return make


@pytest.fixture
async def refresher(authority, time, warnings):
    refresher = Refresher(connect=authority.connect, clock=time.clock, warn=warnings.append, limit=0.2, look_limit=0.2)
    yield refresher
    await refresher.aclose()
