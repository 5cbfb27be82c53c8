"""A ledger with a few exchanges in it, as the recorder writes them."""

import json
from typing import Any

from sqlalchemy import Connection, insert

from qwen_gateway.ledger.schema import ATTEMPTS, REQUESTS, RESPONSES, SESSIONS

BASE = 1_790_000_000.0


def session(connection: Connection, name: str, number: int = 0) -> None:
    connection.execute(insert(SESSIONS).values(id=name, created_at=BASE + number, last_at=BASE + number + 100))


def exchange(connection: Connection, number: int, session_id: str, **fields: Any) -> str:
    """One that was answered, `number` seconds after the first."""
    request_id = f"req_{number:04d}"
    began = fields.pop("started_at", BASE + number)
    answered = fields.pop("answered", True)
    tokens = fields.pop("tokens", (10, 20))
    row = {
        "id": request_id, "session_id": session_id, "gateway": "gw", "started_at": began, "ended_at": began + 1.5,
        "surface": "chat", "stream": False, "model_asked": "gpt-4o", "model": "qwen3.7-plus", "account": "work",
        "outcome": "finished", "attempts": 1,
        "body": json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": f"Say {number}"}]}),
        "qwen_url": "https://dashscope.example/chat/completions",
        "qwen_body": json.dumps({"model": "qwen3.7-plus"}),
    } | fields  # fmt: skip
    connection.execute(insert(REQUESTS).values(row))
    connection.execute(
        insert(ATTEMPTS).values(
            request_id=request_id, number=1, account=row["account"], why="first", model=row["model"],
            url="https://dashscope.example/chat/completions", started_at=began, status=200,
        )
    )  # fmt: skip
    if answered:
        connection.execute(
            insert(RESPONSES).values(
                id=f"res_{number:04d}", request_id=request_id, session_id=session_id, created_at=began + 1.5,
                status=200, finish_reason="stop", prompt_tokens=tokens[0], completion_tokens=tokens[1],
                total_tokens=sum(tokens), queued_ms=1.0, first_byte_ms=200.0, duration_ms=1500.0,
                body=json.dumps({"id": f"chatcmpl-{number}", "object": "chat.completion"}), received="no JSON",
            )
        )  # fmt: skip
    return request_id


def fill(connection: Connection) -> None:
    """Three sessions: ten exchanges, one that failed, none."""
    for number, name in enumerate(("ses_a", "ses_b", "ses_empty")):
        session(connection, name, number)
    for number in range(10):
        exchange(connection, number, "ses_a")
    exchange(
        connection, 10, "ses_b", model_asked="qwen3-max", model="qwen3-max", account="home", outcome="failed",
        error_status=429, error_code="rate_limit_exceeded", error_message="Slow down.", answered=False,
    )  # fmt: skip
