"""The bodies of chat.qwen.ai's two requests: a new chat, a turn in it (upstream.md 3.4, 3.5)."""

import time
import uuid
from typing import Any

from qwen_gateway.codec.json import dumps
from qwen_gateway.upstreams.situation import Chat
from qwen_gateway.upstreams.steps import Request
from qwen_gateway.upstreams.web.headers import page_headers

NEW, TURN, STOP = "/api/v2/chats/new", "/api/v2/chat/completions", "/api/v2/chat/completions/stop"


def new_chat(origin: str, model: str, chat_type: str, *, guest: bool) -> Request:
    """Make a chat; times are milliseconds here (3.4)."""
    body = {
        "title": "New Chat",
        "models": [model],
        "chat_mode": chat_mode(guest),
        "chat_type": chat_type,
        "timestamp": round(time.time() * 1000),
        "project_id": "",
    }
    return Request("POST", NEW, page_headers(origin), dumps(body))


def turn(
    origin: str,
    chat: Chat,
    model: str,
    content: str,
    *,
    feature_config: dict[str, Any],
    chat_type: str = "t2t",
    files: list[dict[str, Any]] | None = None,
    guest: bool = False,
    size: str | None = None,
) -> Request:
    """Say something in a chat: exactly one message, its content a string, times in seconds (3.5)."""
    now, parent = int(time.time()), chat.parent or None
    streamed = chat_type != "t2v"  # a video is a task, of which nothing can be streamed (3.6)
    message = {
        "fid": str(uuid.uuid4()),
        "parentId": parent,
        "parent_id": parent,
        "childrenIds": [str(uuid.uuid4())],
        "role": "user",
        "content": content,
        "user_action": "chat",
        "files": files or [],
        "timestamp": now,
        "models": [model],
        "chat_type": chat_type,
        "sub_chat_type": chat_type,
        "feature_config": feature_config,
        "extra": {"meta": {"subChatType": chat_type}},
    }
    body: dict[str, Any] = {
        "stream": streamed,
        "version": "2.1",
        "incremental_output": True,
        "chat_id": chat.id,
        "chat_mode": chat_mode(guest),
        "model": model,
        "parent_id": parent,
        "messages": [message],
        "timestamp": now,
    }
    if size is not None:
        body["size"] = size
    headers = page_headers(origin, f"/c/{'guest' if guest else chat.id}", streamed=streamed)
    return Request("POST", f"{TURN}?chat_id={chat.id}", headers, dumps(body), final=streamed)


def stop(origin: str, chat_id: str, response_id: str | None = None) -> Request:
    """End what a chat is generating; another client names /api/v2/chat/stop (3.3, 9.10)."""
    body = {"chat_id": chat_id} | ({"response_id": response_id} if response_id else {})
    return Request("POST", f"{STOP}?chat_id={chat_id}", page_headers(origin, f"/c/{chat_id}"), dumps(body))


def delete(origin: str, chat_id: str) -> Request:
    """Delete a chat; 200, 204 and 404 all mean that it is gone (3.3)."""
    return Request("DELETE", f"/api/v2/chats/{chat_id}", page_headers(origin))


def chat_mode(guest: bool) -> str:
    return "guest" if guest else "normal"
