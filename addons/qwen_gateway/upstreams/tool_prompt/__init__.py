"""Tools for an upstream that has none: offered in words, called in text, read back as calls (upstream.md 3.12)."""

from qwen_gateway.upstreams.tool_prompt.history import render_history, speaker
from qwen_gateway.upstreams.tool_prompt.prompt import instructions
from qwen_gateway.upstreams.tool_prompt.stage import CallsInText
from qwen_gateway.upstreams.tool_prompt.toolbox import Convention, Toolbox, toolbox_of

__all__ = ["CallsInText", "Convention", "Toolbox", "instructions", "render_history", "speaker", "toolbox_of"]
