"""Compaction: a long conversation becomes one sealed item, its user's words and a summary, taken back by later calls.

OpenAI gives the user's messages beside it; its own client library has no form for them there, so they go inside.
"""

from typing import Any

from qwen_gateway.codec.json import dumps
from qwen_gateway.openai.chat_request import parse_object
from qwen_gateway.openai.errors import UpstreamError
from qwen_gateway.openai.responses_items import COMPACTION, item_type, opened
from qwen_gateway.openai.responses_object import ResponsesObject
from qwen_gateway.openai.responses_request import Context, ResponsesCall, Unresolved, parse_with, responses_call
from qwen_gateway.openai.sealing import Seal

FIELDS = frozenset(
    {
        "model", "input", "instructions", "previous_response_id", "prompt_cache_key", "prompt_cache_retention",
        "prompt_cache_options", "service_tier",
    }
)  # fmt: skip
"""Parameters of OpenAI's; tools and forms of a client that sends them would keep the model from its summary."""

ROOM = 64 * 1024
"""Bytes of the user's own words that are kept verbatim, the newest first."""

REQUEST = """\
Write a summary of this conversation for yourself, from which you will go on without seeing the conversation again.
Keep: what the user wants and has decided; names, paths, numbers, code and errors that still matter, verbatim; what
was done and with what result; what remains to be done next. Leave out what has no bearing any more.
Answer with the summary only."""


def parse_compaction(data: bytes, seal: Seal) -> ResponsesCall | Unresolved:
    """A call for a summary, from the bytes of a request; errors as in `parse_responses`."""
    body = {name: value for name, value in parse_object(data).items() if name in FIELDS}
    return parse_with(body, seal, compaction_call)


def compaction_call(body: dict[str, Any], seal: Seal, context: Context) -> ResponsesCall:
    """The call that asks the model for a summary of everything."""
    call = responses_call({**body, "store": False}, seal, context)
    call.body["messages"].append({"role": "user", "content": REQUEST})
    call.places.append("input")
    return call


class CompactionObject(ResponsesObject):
    """The compacted conversation, when the summary is there."""

    def end(self) -> bytes:
        """The object as JSON.

        Raises:
            OpenAIError: there is no summary; nothing may look compacted that is not.
        """
        response = self.complete()
        summary = "".join(
            part["text"]
            for item in response["output"]
            if item["type"] == "message"
            for part in item["content"]
            if part["type"] == "output_text"
        ).strip()
        if response["status"] != "completed" or not summary:
            raise UpstreamError("The model wrote no summary; try again.", code="upstream_malformed")
        call = self._call
        said = self._kept([item for _, item in (*call.earlier, *call.items)])
        sealed = self._seal.seal(dumps({"items": said, "summary": summary}).decode(), COMPACTION)
        item = {"id": f"cmp_{call.id.removeprefix('resp_')}", "type": "compaction", "encrypted_content": sealed}
        return dumps(
            {
                "id": call.id,
                "object": "response.compaction",
                "created_at": response["created_at"],
                "output": [item],
                "usage": response["usage"],
            }
        )

    def _kept(self, items: list[Any]) -> list[Any]:
        """What the user said, as far as there is room; an earlier compaction has kept some of it."""
        said: list[Any] = []
        for item in items:
            if item_type(item) == "compaction":
                said += opened(item, self._seal.open)["items"]
            elif item_type(item) == "message" and item.get("role") == "user":
                said.append({"type": "message", "role": "user", "content": item.get("content")})
        room = ROOM
        for place in range(len(said) - 1, -1, -1):
            room -= len(dumps(said[place]))
            if room < 0:
                return said[place + 1 :]
        return said
