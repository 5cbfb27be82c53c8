"""Which surface parses and answers how: one row each. To drop a surface, delete its row and its files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from qwen_gateway import router
from qwen_gateway.engine.delivery import Writer
from qwen_gateway.openai.chat_choice import Dress
from qwen_gateway.openai.chat_object import ChatObject
from qwen_gateway.openai.chat_request import ChatCall, parse_chat
from qwen_gateway.openai.chat_stream import ChatStream
from qwen_gateway.options import Settings


@dataclass(frozen=True, slots=True)
class Surface:
    """A form in which clients ask and are answered.

    Attributes:
        parse: a body into the call that the engine serves; raises OpenAIError for what is wrong with it.
        writer: what turns the call's answer into the client's bytes.
    """

    name: router.Surface
    parse: Callable[[bytes], ChatCall]
    writer: Callable[[ChatCall, Settings], Writer]


def chat_writer(call: ChatCall, settings: Settings) -> Writer:
    """Chunks or one object, as the call asks."""
    dress = Dress(thinking=settings.thinking, service_tier="default" if call.body.get("service_tier") else None)
    return ChatStream(call, dress) if call.stream else ChatObject(call, dress)


SURFACES: Mapping[str, Surface] = {row.name: row for row in (Surface("chat", parse_chat, chat_writer),)}
