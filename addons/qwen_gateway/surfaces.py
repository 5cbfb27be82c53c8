"""Which surface parses, asks and answers how: one row each. To drop a surface, delete its row and its files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from qwen_gateway import router
from qwen_gateway.encoders.chat import ChatEncoder
from qwen_gateway.encoders.completions import CompletionEncoder
from qwen_gateway.encoders.embeddings import EmbeddingsEncoder
from qwen_gateway.engine.delivery import Writer
from qwen_gateway.engine.encoder import Encoder
from qwen_gateway.engine.engine import Engine
from qwen_gateway.openai.call import Call
from qwen_gateway.openai.chat_choice import Dress
from qwen_gateway.openai.chat_kept import KeptChat
from qwen_gateway.openai.chat_object import ChatObject
from qwen_gateway.openai.chat_request import ChatCall, call_of, parse_object
from qwen_gateway.openai.chat_stream import ChatStream
from qwen_gateway.openai.compaction import CompactionObject, parse_compaction
from qwen_gateway.openai.completion_answer import CompletionObject, CompletionStream
from qwen_gateway.openai.completion_request import CompletionCall, parse_completion
from qwen_gateway.openai.embeddings_object import EmbeddingsObject
from qwen_gateway.openai.embeddings_request import EmbeddingsCall, parse_embeddings
from qwen_gateway.openai.responses_object import ResponsesObject
from qwen_gateway.openai.responses_request import ResponsesCall, Unresolved, parse_responses, responses_in_chat
from qwen_gateway.openai.responses_stream import ResponsesStream
from qwen_gateway.options import Settings
from qwen_gateway.seals import SEAL


@dataclass(frozen=True, slots=True)
class Surface:
    """A form in which clients ask and are answered.

    Attributes:
        parse: a body into the call that the engine serves, or into one whose context must be found first; raises
            OpenAIError for what is wrong with it.
        encoder: what puts the call into the words of upstreams.
        writer: what turns the call's answer into the client's bytes.
    """

    name: router.Surface
    parse: Callable[[bytes], Call | Unresolved]
    encoder: Callable[[Any, Settings, Engine], Encoder]
    writer: Callable[[Any, Settings], Writer]


def parse_chat(data: bytes) -> ChatCall:
    """A chat call; also one that has the shape of the other API, as Cursor sends it here (openai-surface.md 2)."""
    body = parse_object(data)
    if "messages" not in body and "input" in body:
        return responses_in_chat(body, SEAL)
    return call_of(body, ChatCall, [])


def chat_writer(call: ChatCall, settings: Settings) -> Writer:
    """Chunks or one object, as the call asks."""
    dress = Dress(thinking=settings.thinking, service_tier="default" if call.body.get("service_tier") else None)
    if call.when_answered is not None:
        return KeptChat(call, dress, call.when_answered)
    return ChatStream(call, dress) if call.stream else ChatObject(call, dress)


def responses_writer(call: ResponsesCall, settings: Settings) -> Writer:
    """Events or one object, as the call asks."""
    dress = Dress(thinking=settings.thinking, service_tier="default" if call.body.get("service_tier") else None)
    return ResponsesStream(call, dress, SEAL) if call.stream else ResponsesObject(call, dress, SEAL)


def compaction_writer(call: ResponsesCall, _: Settings) -> Writer:
    """One object."""
    return CompactionObject(call, Dress(), SEAL)


def completion_writer(call: CompletionCall, _: Settings) -> Writer:
    """Chunks or one object, as the call asks."""
    return CompletionStream(call) if call.stream else CompletionObject(call)


def embeddings_writer(call: EmbeddingsCall, _: Settings) -> Writer:
    """One object."""
    return EmbeddingsObject(call)


SURFACES: Mapping[str, Surface] = {
    row.name: row
    for row in (
        Surface("chat", parse_chat, ChatEncoder, chat_writer),
        Surface("responses", lambda data: parse_responses(data, SEAL), ChatEncoder, responses_writer),
        Surface("compact", lambda data: parse_compaction(data, SEAL), ChatEncoder, compaction_writer),
        Surface("completions", parse_completion, CompletionEncoder, completion_writer),
        Surface("embeddings", parse_embeddings, EmbeddingsEncoder, embeddings_writer),
    )
}
