"""One small chat with a browser session, without the gateway: does it answer? The chat is deleted again."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import orjson

from qwen_auth.account import Account
from qwen_auth.device_flow import unreachable
from qwen_auth.errors import NeedsLoginError, RefusedError, UnreachableError, redact
from qwen_auth.probe import Answer
from qwen_auth.transport import Connect
from qwen_auth.web.credentials import WebCredentials
from qwen_auth.web.renewer import CAPTURE, Renewer

MODEL = "qwen3.7-plus"  # guests have it too (upstream.md 3.10)
CHALLENGE = (
    "{host}'s bot defence wants to see a browser. Open it in the browser whose session this is, from the same address, "
    "pass its check, and capture the session again: `qwen-auth add {name} --web --from-curl --replace`"
)
_DEFENCE = (b"aliyun_waf", b"captcha", b"_____tmd_____", b"FAIL_SYS_USER_VALIDATE")
_LONGEST = 1024 * 1024


async def probe_session(
    account: Account,
    renewer: Renewer,
    connect: Connect,
    *,
    model: str | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Answer:
    """Say hi in a new chat (upstream.md 3.4, 3.5).

    Raises:
        NeedsLoginError, RefusedError, UnreachableError: why there is no answer, in words.
    """
    await renewer.ready(account)
    wanted = model or (account.models[0] if account.models else MODEL)
    begin = monotonic()
    async with connect(account.proxy) as client:
        try:
            made = await _post(client, account, "/api/v2/chats/new", _new_chat(account, wanted))
            chat = made.get("data", {}).get("id")
            if not isinstance(chat, str):
                raise UnreachableError(f"{account.endpoint} made a chat without an id")
            try:
                text, request_id = await _turn(client, account, chat, wanted)
            finally:
                await client.delete(f"{account.endpoint}/api/v2/chats/{chat}", headers=_headers(account))
        except httpx.HTTPError as error:
            raise unreachable(error) from error
    return Answer(wanted, text, monotonic() - begin, request_id)


def _headers(account: Account) -> dict[str, str]:
    headers = {
        "accept": "application/json",
        "origin": account.endpoint,
        "referer": f"{account.endpoint}/",
        "source": "web",
        "user-agent": "Mozilla/5.0 (compatible; qwen-gateway)",
        "x-request-id": str(uuid.uuid4()),
    }
    account.credentials.apply(headers)
    return headers


def _mode(account: Account) -> str:
    return "guest" if isinstance(account.credentials, WebCredentials) and account.credentials.guest else "normal"


def _new_chat(account: Account, model: str) -> dict[str, Any]:
    now = round(time.time() * 1000)
    return {"title": "New Chat", "models": [model], "chat_mode": _mode(account), "chat_type": "t2t", "timestamp": now,
            "project_id": ""}  # fmt: skip


async def _post(client: httpx.AsyncClient, account: Account, path: str, body: dict[str, Any]) -> dict[str, Any]:
    response = await client.post(account.endpoint + path, json=body, headers=_headers(account))
    return _understood(account, response, response.content)


async def _turn(client: httpx.AsyncClient, account: Account, chat: str, model: str) -> tuple[str, str | None]:
    now = int(time.time())
    config = {"thinking_enabled": False, "output_schema": "phase", "auto_thinking": False, "thinking_mode": "Fast"}
    message = {
        "fid": str(uuid.uuid4()), "parentId": None, "parent_id": None, "childrenIds": [str(uuid.uuid4())],
        "role": "user", "content": "Say hi", "user_action": "chat", "files": [], "timestamp": now, "models": [model],
        "chat_type": "t2t", "sub_chat_type": "t2t", "feature_config": config, "extra": {"meta": {"subChatType": "t2t"}},
    }  # fmt: skip
    body = {
        "stream": True, "version": "2.1", "incremental_output": True, "chat_id": chat, "chat_mode": _mode(account),
        "model": model, "parent_id": None, "messages": [message], "timestamp": now,
    }  # fmt: skip
    url = f"{account.endpoint}/api/v2/chat/completions?chat_id={chat}"
    async with client.stream("POST", url, json=body, headers=_headers(account)) as response:
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            _understood(account, response, await response.aread())
        text, read = "", 0
        async for line in response.aiter_lines():
            read += len(line)
            if read > _LONGEST:
                break
            if line.startswith("data:") and line.strip() != "data: [DONE]":
                text += _text(account, line[5:])
    if not text:
        raise RefusedError(f"{account.endpoint} answered with silence, which is how it refuses without a word")
    return text, response.headers.get("x-request-id")


def _text(account: Account, data: str) -> str:
    try:
        event = orjson.loads(data)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(event, dict):
        return ""
    if isinstance(event.get("error"), dict):
        raise _refusal(account, event["error"])
    choices = event.get("choices")
    delta = choices[0].get("delta", {}) if isinstance(choices, list) and choices else {}
    return str(delta.get("content") or "") if delta.get("phase") in (None, "answer") else ""


def _understood(account: Account, response: httpx.Response, body: bytes) -> dict[str, Any]:
    """The object of a reply that is no refusal."""
    if any(mark in body[:20_000] for mark in _DEFENCE):
        raise RefusedError(CHALLENGE.format(host=account.endpoint, name=account.name))
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if isinstance(document, dict) and document.get("success") is not False and response.status_code == 200:
        return document
    said = document.get("data") if isinstance(document, dict) and isinstance(document.get("data"), dict) else document
    if isinstance(said, dict):
        raise _refusal(account, said)
    raise UnreachableError(f"{account.endpoint} answered {response.status_code} without words; try again in a minute")


def _refusal(account: Account, said: dict[str, Any]) -> NeedsLoginError | RefusedError:
    code = str(said.get("code") or "")
    if code.lower() == "unauthorized":
        return NeedsLoginError(account.name, "is signed out there", CAPTURE.format(name=account.name))
    words = str(said.get("details") or said.get("detail") or "without words")
    hours = f" (wait {said['num']} hours)" if said.get("num") else ""
    return RefusedError(redact(f"{account.endpoint} said {code}: {words}{hours}"[:400], account.secrets()))
