"""One direct call to an account's upstream, without the gateway: does it answer?"""

from __future__ import annotations

import platform
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from qwen_auth.account import Account
from qwen_auth.device_flow import unreachable
from qwen_auth.errors import RefusedError, UnreachableError, redact
from qwen_auth.oauth import OAuthCredentials
from qwen_auth.refresher import Refresher
from qwen_auth.refusals import explain_refusal
from qwen_auth.transport import Connect

# A model that every account of that flavour has (upstream.md 2.10, 4.7, 4.8, 4.13); the others are asked.
_MODELS = {
    "dashscope": "qwen-plus",
    "coding-plan": "qwen3-coder-plus",
    "openrouter": "qwen/qwen3-coder",
    "portal": "coder-model",
}
_LONGEST = 1024 * 1024  # bytes of an answer to "Say hi" that are worth reading


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    model: str
    text: str
    seconds: float
    request_id: str | None


async def probe(
    account: Account,
    refresher: Refresher,
    connect: Connect,
    *,
    model: str | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Answer:
    """Make the call; a login is renewed first if it has to be, and once more if it is refused.

    Raises:
        NeedsLoginError, RefusedError, UnreachableError: why there is no answer, in words.
    """
    await refresher.ready(account)
    async with connect(account.proxy) as client:
        try:
            wanted = model or await _choose_model(client, account)
            for attempt in range(2):
                token = _access_token(account)
                begin = monotonic()
                answer = await _call(client, account, wanted)
                if not isinstance(answer, httpx.Response):
                    text, request_id = answer
                    return Answer(wanted, text, monotonic() - begin, request_id)
                expired = answer.status_code in (401, 403) and token is not None
                if attempt or not expired or not await refresher.renew(account, token or ""):
                    raise _refusal(account, answer)
        except httpx.HTTPError as error:
            raise unreachable(error) from error
    raise AssertionError("two attempts end in an answer or a refusal")


def _access_token(account: Account) -> str | None:
    credentials = account.credentials
    return credentials.token.access_token if isinstance(credentials, OAuthCredentials) else None


def _headers(account: Account) -> dict[str, str]:
    headers = {"Accept": "text/event-stream", "User-Agent": "qwen-gateway"}
    if account.flavour == "portal":
        # Both are demanded (upstream.md 2.8).
        headers["X-DashScope-AuthType"] = "qwen-oauth"
        headers["X-DashScope-UserAgent"] = f"QwenCode/0.14.3 ({platform.system().lower()}; {platform.machine()})"
    account.credentials.apply(headers)
    return headers


async def _choose_model(client: httpx.AsyncClient, account: Account) -> str:
    if account.models:
        return account.models[0]
    if account.flavour in _MODELS:
        return _MODELS[account.flavour]
    response = await client.get(f"{account.endpoint}/models", headers=_headers(account))
    if response.status_code != 200:
        raise _refusal(account, response)
    try:
        return str(orjson.loads(response.content)["data"][0]["id"])
    except (orjson.JSONDecodeError, LookupError, TypeError):
        raise UnreachableError(f"{account.endpoint}/models names no model; give one with --model") from None


async def _call(client: httpx.AsyncClient, account: Account, model: str) -> tuple[str, str | None] | httpx.Response:
    """Text and request id, or the response that refuses. Streamed, because not every model answers otherwise."""
    body: dict[str, Any] = {"model": model, "stream": True, "max_tokens": 64, "messages": _messages(account)}
    url = f"{account.endpoint}/chat/completions"
    async with client.stream("POST", url, json=body, headers=_headers(account)) as response:
        if response.status_code != 200:
            await response.aread()
            return response
        text = "".join([part async for part in _texts(account, response)])
        return text, response.headers.get("x-request-id")


def _messages(account: Account) -> list[dict[str, Any]]:
    question = {"role": "user", "content": "Say hi"}
    if account.flavour != "portal":
        return [question]
    # The portal wants a leading system message; this is its safe form (upstream.md 2.8).
    part = {"type": "text", "text": "", "cache_control": {"type": "ephemeral"}}
    return [{"role": "system", "content": [part]}, question]


async def _texts(account: Account, response: httpx.Response) -> AsyncIterator[str]:
    """The pieces of text of a stream; an error inside of it (upstream.md 4.5, E3 and E4) is raised."""
    read = 0
    async for line in response.aiter_lines():
        read += len(line)
        if not line.startswith("data:") or line.strip() == "data: [DONE]" or read > _LONGEST:
            continue
        try:
            event = orjson.loads(line[5:])
        except orjson.JSONDecodeError:
            continue
        if not isinstance(event, dict):
            continue
        if "error" in event or ("code" in event and "choices" not in event):
            raise RefusedError(f"{account.endpoint} answered 200, then failed: {_words(account, event)}")
        for choice in event.get("choices") or []:
            delta = choice.get("delta") or {}
            yield str(delta.get("content") or delta.get("reasoning_content") or delta.get("reasoning") or "")


def _refusal(account: Account, response: httpx.Response) -> RefusedError | UnreachableError:
    status = response.status_code
    try:
        document = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        document = None
    words = _words(account, document) if isinstance(document, dict) else "without words"
    said = f"{response.request.url} answered {status} {words}"
    if status in (401, 403) and (explanation := explain_refusal(account, status)):
        return RefusedError(f"{said}. {explanation}")
    if status >= 500:
        return UnreachableError(f"{said}; try again in a minute")
    return RefusedError(said)


def _words(account: Account, document: dict[str, Any]) -> str:
    """Code and message of any of the envelopes of upstream.md 4.5, in one short line without our secrets."""
    error = document.get("error", document)
    if isinstance(error, dict):
        parts = (str(error.get(name)) for name in ("code", "message") if error.get(name))
        error = ": ".join(parts)
    return " ".join(redact(str(error), account.secrets()).split())[:300] or "without words"
