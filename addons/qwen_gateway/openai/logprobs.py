"""Log probabilities in OpenAI's form, whatever the upstream left out."""

from collections.abc import Mapping
from typing import Any


def logprobs_object(logprobs: Mapping[str, Any]) -> dict[str, Any]:
    """Both lists, each token with every key that OpenAI's description requires; a list that is not there is null."""
    return {"content": _tokens(logprobs.get("content")), "refusal": _tokens(logprobs.get("refusal"))}


def _tokens(rows: Any) -> list[dict[str, Any]] | None:
    if not isinstance(rows, list):
        return None
    return [{**_token(row), "top_logprobs": _alternatives(row)} for row in rows if isinstance(row, dict)]


def _alternatives(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = row.get("top_logprobs")
    return [_token(top) for top in rows if isinstance(top, dict)] if isinstance(rows, list) else []


def _token(row: Mapping[str, Any]) -> dict[str, Any]:
    token, logprob, octets = row.get("token"), row.get("logprob"), row.get("bytes")
    sound = isinstance(octets, list) and all(isinstance(octet, int) and not isinstance(octet, bool) for octet in octets)
    return {
        "token": token if isinstance(token, str) else "",
        "logprob": logprob if isinstance(logprob, int | float) and not isinstance(logprob, bool) else -9999.0,
        "bytes": octets if sound else None,
    }
