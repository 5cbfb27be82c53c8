"""What can be asked for, and whether the gateway is well: told while the upstream is up, and while it is down."""

from collections.abc import Iterator

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import ask, error, http, openai
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import Mitm, free_port


async def test_models_are_the_upstreams_and_openais_names_beside_them(gateway: Mitm) -> None:
    async with openai(gateway) as client:
        names = [model.id async for model in client.models.list()]
        one = await client.models.retrieve("qwen3.7-plus")

    assert {"qwen3.7-plus", "qwen3-coder-plus", "gpt-4o"} <= set(names)
    assert not {"text-embedding-v4", "cosyvoice-v3", "wan2.6-t2i"} & set(names)
    assert len(names) == len(set(names))
    assert one.id == "qwen3.7-plus"


@pytest.mark.parametrize("name", ["ZHIPU/GLM-5.3", "ZHIPU%2FGLM-5.3"])
def test_names_with_a_slash_are_found(gateway: Mitm, name: str) -> None:
    with http(gateway) as client:
        assert client.get(f"/v1/models/{name}").json()["id"] == "ZHIPU/GLM-5.3"


def test_an_unknown_model_is_not_found(gateway: Mitm) -> None:
    with http(gateway) as client:
        answer = client.get("/v1/models/gpt-none")

    assert answer.status_code == 404
    assert error(answer)["code"] == "model_not_found"


def test_the_list_is_read_once(gateway: Mitm, sim: Simulator) -> None:
    with http(gateway) as client:
        client.get("/v1/models")
        sim.reset()
        client.get("/v1/models")

    assert sim.log == []


def test_head_has_no_body(gateway: Mitm) -> None:
    with http(gateway) as client:
        answer = client.head("/v1/models")

    assert (answer.status_code, answer.content) == (200, b"")


def test_a_stale_list_is_served_while_the_upstream_is_down(starter: Starter) -> None:
    with Simulator.in_thread() as own:
        port = own.port
        gateway = starter("stale", environ=one_account(own), options={"qwen_models_cache": 0}).start()
        with http(gateway) as client:
            fresh = client.get("/v1/models")
    with http(gateway) as client:
        stale = client.get("/v1/models")
        down = ask(gateway)
        health = client.get("/health")
    with Simulator.in_thread(port=port), http(gateway) as client:
        again = client.get("/v1/models")

    assert "x-gateway-stale" not in fresh.headers
    assert stale.headers["x-gateway-stale"] == "true"
    assert stale.json() == fresh.json()
    assert down.status_code == 502
    assert error(down)["code"] == "upstream_unreachable"
    assert "cannot be reached" in error(down)["message"]
    assert health.status_code in (200, 503)
    assert health.json()["status"] in ("ok", "unavailable")
    assert "x-gateway-stale" not in again.headers
    gateway.stop()


def test_health_says_when_the_only_account_recovers(starter: Starter, upstream: Simulator) -> None:
    gateway = starter("sick", environ=one_account(upstream, "sk-sim-invalid-api-key"), options={"qwen_wait": 0}).start()
    assert gateway.health().status_code == 200

    refused = ask(gateway)
    health = gateway.health()

    assert refused.status_code == 503
    assert error(refused)["code"] == "upstream_auth"
    assert "qwen-auth" in error(refused)["message"]
    assert health.status_code == 503
    assert health.json()["checks"]["accounts"][0]["status"] == "needs-login"
    assert health.json()["checks"]["accounts"][0]["cause"] == "auth_dead"
    assert 1 <= int(health.headers["retry-after"]) <= 61
    assert health.json()["next_recovery"]
    with http(gateway) as client:
        assert client.get("/health/live").status_code == 200
        assert client.get("/health/ready").status_code == 503
    gateway.stop()


@pytest.fixture(scope="module")
def empty(starter: Starter) -> Iterator[Mitm]:
    """A gateway that nobody has given an account."""
    with starter("empty") as gateway:
        yield gateway


def test_without_an_account_the_gateway_lives_and_says_what_to_do(empty: Mitm) -> None:
    health, answer = empty.health(), ask(empty)

    assert health.status_code == 503
    assert health.json()["ready"] is False
    assert answer.status_code == 503
    assert "qwen-auth add" in error(answer)["message"]
    assert "qwen-auth add" in empty.log


def test_without_an_account_there_are_no_models(empty: Mitm) -> None:
    with http(empty) as client:
        assert client.get("/v1/models").json() == {"object": "list", "data": []}


def test_an_upstream_that_is_not_there(starter: Starter) -> None:
    """A port where nobody listens: the call fails fast, in words, and health still answers."""
    environ = {
        "QWEN_API_KEY": "sk-sim",
        "QWEN_PLAN": "model-studio-intl",
        "QWEN_BASE_URL": f"http://127.0.0.1:{free_port()}/compatible-mode/v1",
    }
    with starter("nowhere", environ=environ, options={"qwen_wait": 0}) as gateway:
        answer = ask(gateway, stream=True)
        with http(gateway) as client:
            models = client.get("/v1/models")
        health = gateway.health()

    assert answer.status_code == 502
    assert answer.headers["x-should-retry"] in ("true", "false")
    assert models.headers["x-gateway-stale"] == "true"
    assert "gpt-4o" in {model["id"] for model in models.json()["data"]}
    assert health.json()["checks"]["accounts"][0]["name"] == "qwen"


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/models/qwen3.7-plus", "/v1/models/nobody-knows", "/health", "/metrics", "/x"]
)
def test_a_head_is_followed_by_no_body(gateway: Mitm, path: str) -> None:
    """On a connection that is used again a body would be taken for the next answer."""
    with httpx.Client(base_url=gateway.url) as client:
        whole = client.get(path)
        head = client.head(path)
        again = client.get(path)

    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert again.status_code == whole.status_code
