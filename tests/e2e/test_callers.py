"""Who may call, and what is served: Host, Origin, keys, paths and methods."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import ask, body, dumped, error, http, http2
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import REVERSE, SCRIPT, Mitm, free_port, program

EVIL = "https://evil.example"


def test_a_page_on_loopback_may_call(gateway: Mitm) -> None:
    asked = {
        "origin": "http://localhost:3000",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type, x-stainless-lang",
    }
    with http(gateway) as client:
        preflight = client.options("/v1/chat/completions", headers=asked)
    answer = ask(gateway, headers={"origin": "http://localhost:3000"})
    refused = ask(gateway, headers={"origin": "http://localhost:3000"}, messages="none")
    stream = ask(gateway, headers={"origin": "http://localhost:3000"}, stream=True)

    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert "x-stainless-lang" in preflight.headers["access-control-allow-headers"]
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert answer.status_code == 200
    assert refused.status_code == 400
    for each in (answer, refused, stream):
        assert each.headers["access-control-allow-origin"] == "http://localhost:3000"
        assert "x-gateway-notice" in each.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", [EVIL, "null", "http://localhost.evil.example", "file://"])
def test_a_page_from_elsewhere_may_not(gateway: Mitm, sim: Simulator, origin: str) -> None:
    with http(gateway) as client:
        preflight = client.options(
            "/v1/chat/completions", headers={"origin": origin, "access-control-request-method": "POST"}
        )
        models = client.get("/v1/models", headers={"origin": origin})
        health = client.get("/health", headers={"origin": origin})
    answer = ask(gateway, headers={"origin": origin})

    for each in (preflight, models, answer, health):
        assert each.status_code == 403
        assert "access-control-allow-origin" not in each.headers
    assert error(answer)["code"] == "origin_not_allowed"
    assert "qwen_cors_origins" in error(answer)["message"]
    assert sim.log == []


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "0.0.0.0", "[::2]"])
@pytest.mark.parametrize("path", ["/v1/models", "/health", "/v1/chat/completions"])
def test_a_name_that_is_not_ours_is_refused(gateway: Mitm, host: str, path: str) -> None:
    """DNS rebinding: a page's own name points to this machine."""
    with http(gateway) as client:
        answer = client.request(
            "POST" if "chat" in path else "GET", path, headers={"host": host}, content=dumped(body())
        )

    assert answer.status_code in (400, 403)
    if answer.status_code == 403 and path != "/health":
        assert error(answer)["code"] == "host_not_allowed"
        assert "qwen_allowed_hosts" in error(answer)["message"]


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1", "[::1]:8080", "gateway.localhost"])
def test_names_of_this_machine_are_let_in(gateway: Mitm, host: str) -> None:
    with http(gateway) as client:
        assert client.get("/v1/models", headers={"host": host}).status_code == 200


async def test_http2_clients_must_name_us_too(gateway: Mitm) -> None:
    async with http2(gateway) as client:
        answer = await client.get("/v1/models", headers={"host": "evil.example"})

    assert answer.status_code == 403


def test_absolute_targets_name_us_too(gateway: Mitm) -> None:
    """`GET http://evil.example/…` on the reverse listener is no way round the check."""
    for target, host in (
        ("http://evil.example/v1/models", "127.0.0.1"),
        ("http://127.0.0.1/v1/models", "evil.example"),
    ):
        with socket.create_connection(("127.0.0.1", gateway.port), 5) as raw:
            raw.sendall(f"GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: raw.recv(65536), b""))
        assert answer.split(b" ", 2)[1] in (b"400", b"403"), answer[:300]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/v1/images/generations", "images"),
        ("/v1/audio/speech", "audio"),
        ("/v1/files", "files"),
        ("/v1/assistants", "assistants"),
        ("/v1/frobnicate", "/v1/frobnicate"),
        ("/", "/"),
    ],
)
def test_what_is_not_served_is_named(gateway: Mitm, sim: Simulator, path: str, names: str) -> None:
    with http(gateway) as client:
        answer = client.post(path, json={})

    assert answer.status_code == 404
    assert names in error(answer)["message"]
    assert "/v1/chat/completions" in error(answer)["message"]
    assert sim.log == []


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/chat/completions", "GET, POST"),
        ("DELETE", "/v1/models", "GET"),
        ("POST", "/v1/models/gpt-4o", "GET"),
    ],
)
def test_a_wrong_method_is_named(gateway: Mitm, method: str, path: str, allowed: str) -> None:
    with http(gateway) as client:
        answer = client.request(method, path)

    assert answer.status_code == 405
    assert allowed in error(answer)["message"]
    assert allowed in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/chat/completions", "/openai/v1/chat/completions", "/v1/chat/completions/?a=b"])
def test_base_urls_of_all_kinds_lead_here(gateway: Mitm, path: str) -> None:
    with http(gateway) as client:
        assert client.post(path, json=body()).status_code == 200


# ---- keys of the gateway's own


@pytest.fixture(scope="module")
def guarded(starter: Starter, upstream: Simulator) -> Iterator[Mitm]:
    """A gateway that wants a key, and is strict."""
    environ = one_account(upstream) | {"QWEN_GATEWAY_KEYS": "gk-one,gk-two", "QWEN_POLICY": "strict"}
    with starter("guarded", environ=environ) as gateway:
        yield gateway


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer gk-one"},
        {"authorization": "bearer gk-two"},
        {"x-api-key": "gk-one"},
        {"api-key": "gk-two"},
        {"authorization": "Bearer sk-other", "x-api-key": "gk-one"},
    ],
)
def test_a_right_key_is_let_in(guarded: Mitm, sim: Simulator, headers: dict[str, str]) -> None:
    assert ask(guarded, headers=headers).status_code == 200
    assert sim.log[-1].key == "sk-sim"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "missing_api_key"),
        ({"authorization": "Bearer"}, "missing_api_key"),
        ({"authorization": "Bearer gk-three"}, "invalid_api_key"),
        ({"authorization": "Basic gk-one"}, "invalid_api_key"),
        ({"x-api-key": "gk-on"}, "invalid_api_key"),
        ({"cookie": "gk-one"}, "missing_api_key"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/v1/files"])
def test_without_a_right_key_nothing_is_served(
    guarded: Mitm, sim: Simulator, headers: dict[str, str], code: str, path: str
) -> None:
    with http(guarded) as client:
        answer = client.request("GET" if path.endswith("models") else "POST", path, headers=headers)

    assert answer.status_code == 401
    assert error(answer)["code"] == code
    assert sim.log == []


def test_health_needs_no_key(guarded: Mitm) -> None:
    assert guarded.health().status_code == 200


def test_strict_policy_refuses_what_standard_drops(guarded: Mitm, sim: Simulator) -> None:
    key = {"authorization": "Bearer gk-one"}

    dropped = ask(guarded, headers=key, verbosity="low")
    unknown = ask(guarded, headers=key, frobnicate=1)
    model = ask(guarded, headers=key, model="claude-sonnet-5")

    assert (dropped.status_code, error(dropped)["param"]) == (400, "verbosity")
    assert (unknown.status_code, error(unknown)["param"]) == (400, "frobnicate")
    assert (model.status_code, error(model)["code"]) == (404, "model_not_found")
    assert "/v1/models" in error(model)["message"]
    assert sim.log == []


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_beyond_loopback_the_gateway_does_not_start_without_keys(tmp_path: Path, authority: Path, address: str) -> None:
    command = [program("mitmdump"), "-s", str(SCRIPT), "--set", f"confdir={authority}"]
    ended = subprocess.run(
        [*command, "--mode", f"{REVERSE}@[{address}]:{free_port()}" if ":" in address
         else f"{REVERSE}@{address}:{free_port()}"],
        env=Mitm(tmp_path).environment(), cwd=tmp_path, capture_output=True, timeout=20, check=False, text=True,
    )  # fmt: skip

    assert ended.returncode != 0
    if address != "::":
        assert "QWEN_GATEWAY_KEYS" in ended.stdout + ended.stderr


def test_a_mode_without_an_address_listens_on_loopback_only(starter: Starter, upstream: Simulator) -> None:
    port = free_port()
    gateway = starter("loopback", environ=one_account(upstream))
    gateway.port, gateway.mode = port, REVERSE
    with gateway:
        assert httpx.get(gateway.url + "/health").status_code == 200
        assert f"127.0.0.1:{port}" in gateway.log
