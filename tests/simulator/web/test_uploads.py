"""Files: ticket, signed upload, parsing, use in a turn (upstream.md 3.9); and the rest of the endpoints."""

import io
from typing import Any

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.simulator.web.browsing import Browser, refusal, text

oss = pytest.importorskip("alibabacloud_oss_v2")


async def ticket(browser: Browser, name: str = "a b.png", kind: str = "image", size: int = 5) -> dict[str, Any]:
    body = {"filename": name, "filesize": size, "filetype": kind}
    made: dict[str, Any] = (await browser.call("POST", "/api/v2/files/getstsToken", body)).json()["data"]
    return made


def signed(given: dict[str, Any], **other: Any) -> tuple[str, dict[str, str]]:
    """The URL and the headers of an upload, by Alibaba's own signer."""
    given = {**given, **other}
    from alibabacloud_oss_v2.credentials import Credentials
    from alibabacloud_oss_v2.signer import SignerV4
    from alibabacloud_oss_v2.types import HttpRequest, SigningContext

    url = f"{given['endpoint']}/{given['bucketname']}/{given['file_path'].replace(' ', '%20')}"
    request = HttpRequest("PUT", url, headers={"content-type": "image/png"})
    context = SigningContext(
        product="oss",
        region=given["region"].removeprefix("oss-"),
        bucket=given["bucketname"],
        key=given["file_path"],
        request=request,
        credentials=Credentials(given["access_key_id"], given["access_key_secret"], given["security_token"]),
    )
    SignerV4().sign(context)
    return url, dict(request.headers)


async def put(browser: Browser, given: dict[str, Any], content: bytes = b"12345", **other: Any) -> httpx.Response:
    url, headers = signed(given, **other)
    return await browser.client.put(url, content=content, headers=headers)


async def test_a_signed_upload_is_stored_and_can_be_used(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    given = await ticket(browser)
    stored = await put(browser, given)
    back = await client.get(given["file_url"])
    files = [{"id": given["file_id"], "type": "image", "url": given["file_url"]}]
    answer = await browser.turn(await browser.new_chat(), "What is this?", message={"files": files})

    assert stored.status_code == 200, stored.text
    assert back.content == b"12345"
    assert back.headers["content-type"] == "image/png"
    assert text(answer)
    assert sim.web.files.by_id[given["file_id"]].content == b"12345"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"access_key_secret": "other"}, "SignatureDoesNotMatch"),
        ({"access_key_id": "other"}, "InvalidAccessKeyId"),
        ({"security_token": "other"}, "InvalidAccessKeyId"),
        ({"region": "oss-cn-beijing"}, "AuthorizationHeaderMalformed"),
        ({"file_path": "elsewhere.png"}, "AccessDenied"),
        ({"content": b"123"}, "InvalidArgument"),
    ],
)
async def test_the_store_checks_the_signature(
    sim: Simulator, client: httpx.AsyncClient, wrong: dict[str, Any], code: str
) -> None:
    browser = Browser(sim, client)
    answer = await put(browser, await ticket(browser), **wrong)

    assert f"<Code>{code}</Code>" in answer.text
    assert answer.status_code >= 400


async def test_an_unsigned_upload_is_refused(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    given = await ticket(browser)

    assert "AccessDenied" in (await client.put(given["file_url"], content=b"12345")).text


async def test_a_ticket_expires(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    given = await ticket(browser)
    sim.web.files.by_id[given["file_id"]].until = 0

    assert "SecurityTokenExpired" in (await put(browser, given)).text


async def test_alibabas_own_client_uploads(sim: Simulator, client: httpx.AsyncClient) -> None:
    import asyncio

    given = await ticket(Browser(sim, client), "long text.txt", "file", 4)
    config = oss.config.load_default()
    config.credentials_provider = oss.credentials.StaticCredentialsProvider(
        given["access_key_id"], given["access_key_secret"], given["security_token"]
    )
    config.region, config.endpoint = given["region"].removeprefix("oss-"), given["endpoint"]
    request = oss.PutObjectRequest(bucket=given["bucketname"], key=given["file_path"], body=io.BytesIO(b"text"))
    result = await asyncio.to_thread(oss.Client(config).put_object, request)

    assert result.status_code == 200
    assert sim.web.files.by_id[given["file_id"]].content == b"text"


async def test_documents_are_parsed_before_use(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    given = await ticket(browser, "a.txt", "file")
    await put(browser, given)
    files = [{"id": given["file_id"]}]
    early = await browser.turn(await browser.new_chat(), message={"files": files})
    await browser.call("POST", "/api/v2/files/parse", {"file_id": given["file_id"]})
    polls = [
        (await browser.call("POST", "/api/v2/files/parse/status", {"file_id_list": [given["file_id"]]})).json()["data"]
        for _ in range(2)
    ]

    assert refusal(early)[0] == "Bad_Request"
    assert [poll[0]["status"] for poll in polls] == ["pending", "success"]
    assert text(await browser.turn(await browser.new_chat(), message={"files": files}))


@pytest.mark.parametrize(
    "body",
    [
        {"filename": "a", "filesize": 1, "filetype": "virus"},
        {"filename": "", "filesize": 1, "filetype": "image"},
        {"filename": "a", "filesize": 20_000_001, "filetype": "image"},
    ],
)
async def test_bad_tickets(sim: Simulator, client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert refusal(await Browser(sim, client).call("POST", "/api/v2/files/getstsToken", body))[0] == "Bad_Request"


async def test_the_old_ticket_has_its_fields_at_the_top(sim: Simulator, client: httpx.AsyncClient) -> None:
    body = {"filename": "a.png", "filesize": 1, "filetype": "image"}
    answer = await Browser(sim, client).call("POST", "/api/v1/files/getstsToken", body)

    assert answer.json()["bucketname"] == "qwen-webui-prod"


async def test_both_lists_of_models(sim: Simulator, client: httpx.AsyncClient) -> None:
    old = (await client.get(sim.url("web") + "/api/models")).json()["data"]
    new = (await client.get(sim.url("web") + "/api/v2/models/")).json()

    assert new["success"] is True
    assert new["data"]["data"] == old
    item = next(model for model in old if model["id"] == "qwen3.7-max")
    assert item["info"]["meta"]["max_thinking_generation_length"] == 81_920
    assert item["info"]["meta"]["capabilities"]["vision"] is False
    assert item["info"]["is_visitor_active"] is False


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v2/users/status"),
        ("GET", "/api/v2/users/user/settings"),
        ("POST", "/api/v2/users/user/settings/update"),
        ("POST", "/api/v2/memories/delete"),
        ("GET", "/api/v2/library/list?type=all"),
        ("GET", "/api/v2/projects/"),
        ("GET", "/api/v2/configs/"),
        ("GET", "/api/v2/chats?limit=50"),
    ],
)
async def test_small_endpoints_answer(sim: Simulator, client: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await Browser(sim, client).call(method, path, {"memory": True} if method == "POST" else None)

    assert answer.json()["success"] is True


@pytest.mark.parametrize("path", ["/api/v2/tts/completions", "/api/v2/nothing", "/api/v2/chats/x/y"])
async def test_nowhere(sim: Simulator, client: httpx.AsyncClient, path: str) -> None:
    assert (await Browser(sim, client).call("POST", path, {})).status_code == 404


async def test_titles_and_tags(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    chat = await browser.new_chat()

    assert (await browser.call("GET", f"/api/v2/chats/{chat}/tags")).json()["data"] == []
    assert (await browser.call("GET", "/api/v2/chats/none")).headers["x-actual-status-code"] == "404"
