"""A browser at the simulated chat.qwen.ai, as tests use it."""

import json
from typing import Any

import httpx

from qwen_gateway.simulator import Simulator

Answer = httpx.Response


class Browser:
    """The headers of a visitor, and the two calls of a turn."""

    def __init__(self, sim: Simulator, client: httpx.AsyncClient, name: str = "alice", **headers: str) -> None:
        self.sim = sim
        self.client = client
        if name:
            sim.web.visitors.user(name)
        self.headers = {**sim.web.visitors.browser(name, guest="" if name else "g"), **headers}

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request, without the authorization that the client has for other faces."""
        content = b"" if body is None else json.dumps(body).encode()
        given = {**self.headers, "content-type": "application/json", **headers}
        request = self.client.build_request(method, self.sim.url("web") + path, content=content, headers=given)
        if "authorization" not in given:
            request.headers.pop("authorization", None)
        request.headers["cookie"] = given.get("cookie", "")
        return await self.client.send(request)

    async def new_chat(self, **fields: Any) -> str:
        """A chat's id."""
        body = {"title": "New Chat", "models": ["qwen3.7-plus"], "chat_mode": "normal", "chat_type": "t2t", **fields}
        answer = await self.call("POST", "/api/v2/chats/new", {**body, "timestamp": 1_790_000_000_000})
        return str(answer.json()["data"]["id"])

    async def turn(
        self, chat: str, content: Any = "Say hi", parent: str | None = None, fault: str = "", **fields: Any
    ) -> Answer:
        """One turn; `config`, `message` and `body` go into their places."""
        config = {"thinking_enabled": False, "output_schema": "phase", **fields.pop("config", {})}
        message = {
            "fid": "f1",
            "parentId": parent,
            "parent_id": parent,
            "childrenIds": ["c1"],
            "role": "user",
            "content": content,
            "files": [],
            "chat_type": "t2t",
            "sub_chat_type": "t2t",
            "feature_config": config,
            **fields.pop("message", {}),
        }
        body = {
            "stream": True,
            "version": "2.1",
            "incremental_output": True,
            "chat_id": chat,
            "chat_mode": "normal",
            "model": "qwen3.7-plus",
            "parent_id": parent,
            "messages": [message],
            **fields,
        }
        asked = {"x-sim-fault": fault} if fault else {}
        return await self.call("POST", f"/api/v2/chat/completions?chat_id={chat}", body, **asked)


def events(answer: Answer) -> list[Any]:
    """The events of a stream."""
    return [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]


def deltas(answer: Answer, phase: str | None = "answer") -> list[Any]:
    """The deltas of a phase."""
    found = [event["choices"][0]["delta"] for event in events(answer) if "choices" in event]
    return [delta for delta in found if delta.get("phase") == phase]


def text(answer: Answer, phase: str | None = "answer") -> str:
    """The text of a phase."""
    return "".join(delta["content"] for delta in deltas(answer, phase))


def created(answer: Answer) -> Any:
    """The first event."""
    return events(answer)[0]["response.created"]


def refusal(answer: Answer) -> tuple[str, str]:
    """Code and details of a refusal."""
    assert answer.status_code == 200
    assert answer.json()["success"] is False
    return answer.json()["data"]["code"], answer.json()["data"]["details"]
