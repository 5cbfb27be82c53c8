"""Two whole gateways and a program with qwen-code's protocol share one login, whose refresh tokens work once."""

import asyncio
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
from openai import AsyncOpenAI

from qwen_auth.qwen_store import LoginFile
from qwen_auth.token import Token
from qwen_gateway.simulator import Simulator
from qwen_gateway.simulator.oauth.logins import CLIENT_ID
from tests.e2e.asking import HI, openai
from tests.e2e.conftest import Starter
from tests.e2e.mitm import Mitm

SCRIPT = Path(__file__).parents[1] / "auth" / "qwen_code.py"
TOKEN_PATH = "/api/v1/oauth2/token"
ENOUGH = 100
SHARE = 20  # refreshes of each at least
GATEWAYS = ("gateway-a", "gateway-b")


def renewals(qwen: Simulator) -> Counter[str]:
    """Refreshes that were granted, by who asked."""
    return Counter(
        call.form["client_id"] for call in list(qwen.log) if call.path == TOKEN_PATH and "refresh" in call.note
    )


def enough(qwen: Simulator) -> bool:
    shares = renewals(qwen)
    return shares.total() >= ENOUGH and min(shares[name] for name in (*GATEWAYS, CLIENT_ID)) >= SHARE


async def call_until(over: asyncio.Event, client: AsyncOpenAI) -> Counter[int]:
    """One call after the other; what came back, by status."""
    statuses: Counter[int] = Counter()
    while not over.is_set():
        try:
            await client.chat.completions.create(model="gpt-4o", messages=HI, max_tokens=20)
            statuses[200] += 1
        except Exception as error:
            statuses[getattr(error, "status_code", 0)] += 1
            raise
    return statuses


async def test_a_hundred_forced_refreshes_by_three_leave_no_dead_token(starter: Starter, tmp_path: Path) -> None:
    """Tokens are said to live for a second, so that each call finds an old one."""
    home = tmp_path / ".qwen"
    file = LoginFile(home / "oauth_creds.json")
    with Simulator.in_thread() as qwen:
        qwen.oauth.client_ids = (CLIENT_ID, *GATEWAYS)
        granted = qwen.oauth.login("shared")
        qwen.oauth.told_life = 1
        file.write(Token(str(granted["access_token"]), str(granted["refresh_token"]), 1.0, "Bearer", qwen.base_url))
        gateways: list[Mitm] = [
            starter(name, environ={"QWEN_BASE_URL": qwen.base_url, "QWEN_HOME": str(home), "QWEN_CLIENT_ID": name})
            for name in GATEWAYS
        ]
        script = None
        try:
            for gateway in gateways:
                gateway.start()
            script = subprocess.Popen(
                [sys.executable, str(SCRIPT), str(home), qwen.base_url + TOKEN_PATH], stderr=subprocess.PIPE, text=True
            )
            over = asyncio.Event()
            async with openai(gateways[0], max_retries=0) as one, openai(gateways[1], max_retries=0) as two:
                callers = [asyncio.create_task(call_until(over, client)) for client in (one, one, two, two)]
                deadline = time.monotonic() + 150
                while not enough(qwen) and time.monotonic() < deadline and not any(task.done() for task in callers):
                    await asyncio.sleep(0.2)
                over.set()
                answers = await asyncio.gather(*callers)
            (tmp_path / "enough").touch()
            _, complaint = await asyncio.to_thread(script.communicate, timeout=60)
            for gateway in gateways:
                gateway.stop()  # what is under way reaches the disk
            asked = [call.note for call in qwen.log if call.path == TOKEN_PATH]
            stored = file.read()
            health = [gateway.troubles() for gateway in gateways]
            assert stored is not None
            alive = qwen.oauth.refresh(stored.refresh_token) is not None
        finally:
            (tmp_path / "enough").touch()
            if script is not None and script.poll() is None:
                script.kill()

    assert enough(qwen), renewals(qwen)
    assert [note for note in asked if "refused" in note] == []
    assert sum(answers, Counter()).keys() == {200}
    assert (script.returncode, complaint) == (0, "")
    assert alive, "the refresh token of the file is dead"
    assert [entry.name for entry in home.glob("oauth*")] == ["oauth_creds.json"]
    assert health == [[], []]


async def test_two_gateways_that_find_the_token_expired_make_one_refresh(starter: Starter, tmp_path: Path) -> None:
    home = tmp_path / ".qwen"
    with Simulator.in_thread() as qwen:
        granted = qwen.oauth.login("shared")
        LoginFile(home / "oauth_creds.json").write(
            Token(str(granted["access_token"]), str(granted["refresh_token"]), 1.0, "Bearer", qwen.base_url)
        )
        environ = {"QWEN_BASE_URL": qwen.base_url, "QWEN_HOME": str(home)}
        with starter("both-a", environ=environ) as one, starter("both-b", environ=environ) as two:
            call = {"model": "gpt-4o", "messages": HI, "max_tokens": 20}
            async with httpx.AsyncClient(timeout=30) as client:
                answers = await asyncio.gather(
                    *(client.post(gateway.url + "/v1/chat/completions", json=call) for gateway in (one, two) * 50)
                )
        notes = [received.note for received in qwen.log if received.path == TOKEN_PATH]

    assert {answer.status_code for answer in answers} == {200}
    assert notes == ["refresh 1 of shared"]
