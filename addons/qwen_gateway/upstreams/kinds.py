"""Which encoder serves which kind of account: one row each. To drop a kind, delete its row and its file."""

from collections.abc import Mapping
from typing import Protocol

from qwen_auth.account import Kind
from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.upstreams import embeddings, key, portal
from qwen_gateway.upstreams.flavours import Flavour
from qwen_gateway.upstreams.key import Encoded
from qwen_gateway.upstreams.parameters import Policy
from qwen_gateway.upstreams.situation import NOWHERE, Situation
from qwen_gateway.upstreams.web import encode as web


class EncodeChat(Protocol):
    """Puts a chat call into the words of one kind of upstream; see `key.encode_chat`."""

    def __call__(
        self,
        call: ChatCall,
        model: str,
        flavour: Flavour,
        *,
        policy: Policy = "standard",
        output_ceiling: int | None = None,
        situation: Situation = NOWHERE,
    ) -> Encoded: ...


ENCODERS: Mapping[Kind, EncodeChat] = {
    "key": key.encode_chat,
    "oauth": portal.encode_chat,
    "web": web.encode_chat,
}
"""Accounts of a kind that is not here are left out of the pool."""


EMBEDDERS: Mapping[Kind, embeddings.EncodeEmbeddings] = {"key": embeddings.encode_embeddings}
"""The same for embeddings: a kind that is not here has none."""
