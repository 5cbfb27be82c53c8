"""How tools are spoken of in a turn's one text: instructions, earlier calls and results, calls in the answer."""

from dataclasses import dataclass

from qwen_gateway.upstreams.parameters import Encoding
from qwen_gateway.upstreams.situation import Situation
from qwen_gateway.upstreams.stages import Stages
from qwen_gateway.upstreams.tool_prompt import instructions, speaker
from qwen_gateway.upstreams.tool_prompt.prompt import demand
from qwen_gateway.upstreams.tool_prompt.words import stages_of, toolbox_for
from qwen_gateway.upstreams.web.transcript import Speak

PLAIN: Speak = speaker((), "json")


@dataclass(frozen=True, slots=True)
class Speech:
    """One call's way of speaking of tools.

    Attributes:
        instructions: for the system text; empty without tools.
        reminder: behind the last message of a chat that goes on, which was told of its tools long ago.
        speak: earlier calls and results as text.
        stages: what finds the calls in an answer; made anew for each attempt.
    """

    instructions: str = ""
    reminder: str = ""
    speak: Speak = PLAIN
    stages: Stages = ()


def speech_of(encoding: Encoding, situation: Situation) -> Speech:
    """The way for this call.

    Raises:
        Unsupported: a tool that is no function.
    """
    toolbox = toolbox_for(encoding, searches=True)
    speak = speaker(encoding.call["messages"], situation.tool_prompt)
    if toolbox is None:
        return Speech(speak=speak)
    reminder = demand(toolbox) if toolbox.demand == "required" else ""
    return Speech(instructions(toolbox, situation.tool_prompt), reminder, speak, stages_of(toolbox))
