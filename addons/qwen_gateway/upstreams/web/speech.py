"""How tools are spoken of in a turn's one text: instructions, earlier calls and results, calls in the answer.

The seam for tools by prompt (upstream.md 3.12).
"""

from dataclasses import dataclass, field

from qwen_gateway.openai.errors import Unsupported
from qwen_gateway.upstreams.parameters import Encoding
from qwen_gateway.upstreams.stages import Stage
from qwen_gateway.upstreams.web.transcript import Speak, plain_speech


@dataclass(frozen=True, slots=True)
class Speech:
    """One call's way of speaking of tools.

    Attributes:
        instructions: for the system text; empty without tools.
        speak: earlier calls and results as text.
        stages: what finds the calls in an answer; made anew for each attempt.
    """

    instructions: str = ""
    speak: Speak = plain_speech
    stages: tuple[Stage, ...] = field(default=())


def speech_of(encoding: Encoding) -> Speech:
    """The way for this call.

    Raises:
        Unsupported: the call has tools.
    """
    if encoding.call.get("tools"):
        raise Unsupported("chat.qwen.ai has no tools, and they are not yet put into words for it.", param="tools")
    return Speech()
