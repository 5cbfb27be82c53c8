"""Tools of a call on their way to a host of the chat-completions protocol that has none."""

from qwen_gateway.openai.errors import Unsupported
from qwen_gateway.upstreams.forms import add_to_system
from qwen_gateway.upstreams.parameters import Encoding
from qwen_gateway.upstreams.stages import Stages
from qwen_gateway.upstreams.tool_prompt.prompt import instructions
from qwen_gateway.upstreams.tool_prompt.stage import CallsInText
from qwen_gateway.upstreams.tool_prompt.toolbox import Convention, Toolbox, toolbox_of


def toolbox_for(encoding: Encoding, *, searches: bool = False) -> Toolbox | None:
    """The functions of the call, with the notices that go with putting them into words; None without any.

    Args:
        searches: the upstream can search the web; who asked for that tool is seen elsewhere.

    Raises:
        Unsupported: a tool that is no function.
    """
    for index, tool in enumerate(encoding.call.get("tools") or ()):
        kind = str(tool.get("type"))
        if kind != "function" and not (searches and kind.startswith("web_search")):
            raise Unsupported(
                f"The tool type '{kind[:40]}' is not available here; offer it as a function.",
                param=f"tools[{index}].type",
            )
    toolbox = toolbox_of(encoding.call)
    if toolbox is not None:
        encoding.note("emulated", "tools", f"{encoding.flavour.name} has no tools; they are put into words")
        if any((tool.get("function") or {}).get("strict") for tool in encoding.call["tools"]):
            encoding.note("emulated", "tools.strict", "arguments are brought into the form of the schema")
        if toolbox.demand == "required":
            encoding.note("emulated", "tool_choice", "the upstream cannot force a tool; it is asked for in words")
    return toolbox


def stages_of(toolbox: Toolbox | None) -> Stages:
    """What finds the calls in an answer to a call with these tools."""
    if toolbox is None or toolbox.demand == "none":
        return ()
    return (lambda: CallsInText(toolbox),)


def put_into_words(encoding: Encoding, convention: Convention) -> Stages:
    """Offer the tools in the system message, which is made if there is none."""
    toolbox = toolbox_for(encoding)
    if toolbox is not None and (text := instructions(toolbox, convention)):
        add_to_system(encoding.body["messages"], text)
    return stages_of(toolbox)


def calls_that_leak(encoding: Encoding) -> Stages:
    """For hosts that have tools and may let calls through as text all the same (upstream.md 4.13)."""
    toolbox = toolbox_of(encoding.call)
    if toolbox is None or toolbox.demand == "none":
        return ()
    return (lambda: CallsInText(toolbox, tags=False),)
