"""The second opinion: the models of the real `openai` package, in pydantic's strict mode."""

import json
from functools import cache
from typing import Any, Literal, get_args, get_origin

from openai.types import CreateEmbeddingResponse, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionDeleted
from openai.types.completion import Completion
from openai.types.conversations import Conversation, ConversationDeletedResource, ConversationItem
from openai.types.conversations.conversation_item_list import ConversationItemList
from openai.types.responses import (
    CompactedResponse,
    InputTokenCountResponse,
    Response,
    ResponseItemList,
    ResponseOutputItem,
    ResponseStreamEvent,
)
from openai.types.shared import ErrorObject
from pydantic import BaseModel, TypeAdapter, ValidationError

from tests.referee.facts import UNLISTED

# Kinds without a row have no model: lists of models and of stored completions are pages of a client, a deleted
# response is dropped by the library, and a chunk of a legacy completion fails its own model (null finish_reason).
MODELS: dict[str, Any] = {
    "chat.completion": ChatCompletion,
    "chat.completion.chunk": ChatCompletionChunk,
    "chat.completion.deleted": ChatCompletionDeleted,
    "text_completion": Completion,
    "model": Model,
    "embeddings": CreateEmbeddingResponse,
    "error": dict[Literal["error"], ErrorObject],
    "response": Response,
    "response.event": ResponseStreamEvent,
    "response.item": ResponseOutputItem,
    "response.items": ResponseItemList,
    "response.compaction": CompactedResponse,
    "response.input_tokens": InputTokenCountResponse,
    "conversation": Conversation,
    "conversation.deleted": ConversationDeletedResource,
    "conversation.item": ConversationItem,
    "conversation.items": ConversationItemList,
}

MOST = 5  # a union reports every form that did not fit; the first few say enough


@cache
def adapter(model: Any) -> TypeAdapter[Any]:
    """The validator of a model, built once."""
    return TypeAdapter(model)


@cache
def forms(union: Any) -> dict[str, type[BaseModel]]:
    """The members of a union by the constant in their `type`."""
    members: dict[str, type[BaseModel]] = {}
    for member in get_args(get_args(union)[0]):
        literal = member.model_fields["type"].annotation if isinstance(member, type) else None
        if get_origin(literal) is Literal:
            members.update(dict.fromkeys(get_args(literal), member))
    return members


def narrowed(model: Any, value: Any) -> Any:
    """The one member of a union that the value claims to be, so that the complaints are about that."""
    if model not in (ResponseStreamEvent, ResponseOutputItem, ConversationItem) or not isinstance(value, dict):
        return model
    return forms(model).get(value.get("type", ""), model)


def without_unlisted(value: Any) -> Any:
    """A copy in which a documented unlisted error code is replaced by a listed one."""
    if not isinstance(value, dict):
        return value
    copy = {key: without_unlisted(item) if key in ("response", "error") else item for key, item in value.items()}
    return copy | {"code": "server_error"} if copy.get("code") in UNLISTED["ResponseErrorCode"] else copy


def complaints(value: Any, kind: str) -> list[str]:
    """What the official library would have to overlook in order to read this value."""
    if kind not in MODELS:
        return []
    try:
        adapter(narrowed(MODELS[kind], value)).validate_json(json.dumps(without_unlisted(value)), strict=True)
    except ValidationError as error:
        return [
            f"{kind}.{'.'.join(map(str, fault['loc']))}: openai package: {fault['msg']}"
            for fault in error.errors(include_url=False)[:MOST]
        ]
    return []
