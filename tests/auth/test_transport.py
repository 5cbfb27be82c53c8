import importlib.util

import pytest

from qwen_auth.errors import AccountError
from qwen_auth.transport import connect
from tests.auth.authority import Authority


async def test_a_client_waits_only_so_long_and_follows_nobody():
    async with connect() as client:
        assert (client.timeout.connect, client.timeout.read) == (10.0, 20.0)
        assert not client.follow_redirects


async def test_an_account_s_own_proxy_is_used():
    authority = Authority()

    with authority.serve() as proxy:
        async with connect(proxy) as client:
            await client.post("http://portal.qwen.example/x", data={"a": "1"})

    assert authority.forms == [{"a": "1"}]
    assert authority.headers[0]["host"] == "portal.qwen.example"


@pytest.mark.skipif(importlib.util.find_spec("socksio") is not None, reason="SOCKS works here")
def test_a_socks_proxy_without_its_package_is_explained_without_its_password():
    with pytest.raises(AccountError, match=r"socks5://\*\*\*@proxy:1080 speaks SOCKS, which needs .*httpx\[socks\]"):
        connect("socks5://me:canary@proxy:1080")
