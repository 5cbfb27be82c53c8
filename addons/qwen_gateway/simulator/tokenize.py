"""vLLM's `POST /tokenize` (upstream.md 4.13)."""

import zlib

from . import tokens
from .catalogue import CATALOGUES
from .state import Call
from .variants import bad_request, no_model
from .wire import Reply, json_reply


def tokenize(call: Call) -> Reply:
    """Count the tokens of a prompt or of messages; the ids are made up, the count is not."""
    body = call.object
    name = str(body.get("model", ""))
    model = CATALOGUES["vllm"].get(name)
    if model is None:
        raise no_model("vllm", name)
    prompt, messages = body.get("prompt"), body.get("messages")
    if isinstance(prompt, str):
        ids = [zlib.crc32(piece.encode()) % 151_643 for piece in tokens.pieces(prompt)]
    elif isinstance(messages, list):
        ids = list(range(tokens.count_messages(messages, body.get("tools"))))
    else:
        raise bad_request("prompt or messages is required")
    return json_reply(200, {"count": len(ids), "max_model_len": model.context, "tokens": ids})
