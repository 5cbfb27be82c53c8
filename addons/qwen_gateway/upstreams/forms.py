"""Tools and response formats in the words of a host."""

from typing import Any

from qwen_gateway.codec.json import dumps
from qwen_gateway.openai.errors import BadRequest, Unsupported
from qwen_gateway.openai.tools import chosen_name, tool_name
from qwen_gateway.upstreams.parameters import Encoding


def encode_tools(encoding: Encoding) -> dict[str, str]:
    """Write `tools` and `tool_choice`.

    Returns:
        The upstream's name of each renamed tool → the client's.

    Raises:
        Unsupported: a built-in tool that the host does not have.
    """
    tools = encoding.call.get("tools")
    if not tools:
        return {}
    renamed: dict[str, str] = {}
    taken = {tool_name(tool) for tool in tools}
    sent: list[dict[str, Any]] = []
    strict = False
    for index, tool in enumerate(tools):
        if tool["type"] != "function":
            _built_in(encoding, tool, index, alone=all(other["type"] != "function" for other in tools))
            continue
        function = {name: value for name, value in tool["function"].items() if value is not None}
        strict = bool(function.pop("strict", False)) or strict
        name = function["name"]
        if name.lower() in encoding.flavour.reserved_tools:
            function["name"] = free_name(name, taken)
            taken.add(function["name"])
            renamed[function["name"]] = name
            encoding.note("translated", f"tools[{index}]", f"'{name}' is reserved; sent as '{function['name']}'")
        function.setdefault("parameters", {"type": "object", "properties": {}})
        sent.append({"type": "function", "function": function})
    if strict:
        encoding.note("emulated", "tools.strict", "the gateway holds the arguments against the schema")
    if not sent:
        return renamed
    encoding.body["tools"] = sent
    names = {client: upstream for upstream, client in renamed.items()}
    if names:
        _rename_history(encoding.body["messages"], names)
    _tool_choice(encoding, names)
    return renamed


def _rename_history(messages: list[dict[str, Any]], names: dict[str, str]) -> None:
    """Earlier calls go by the name under which the tool is offered now."""
    for message in messages:
        for call in message.get("tool_calls", ()):
            function = call["function"]
            function["name"] = names.get(function.get("name", ""), function.get("name", ""))


def _built_in(encoding: Encoding, tool: dict[str, Any], index: int, *, alone: bool) -> None:
    """Web search where the host has it. Beside other tools it may go missing, with a notice: Codex always offers it and
    gets on without (openai-surface.md section 4)."""
    kind = str(tool["type"])
    if kind.startswith("web_search"):
        if "enable_search" in encoding.flavour.extensions and encoding.facts.searches is not False:
            encoding.body["enable_search"] = True
            encoding.note("translated", f"tools[{index}]", f"'{kind}' is sent as enable_search")
            return
        if not alone and encoding.call.get("tool_choice", "auto") == "auto":
            encoding.drop(f"tools[{index}]", "this model or its host has no web search")
            return
    raise Unsupported(
        f"The tool type '{kind[:40]}' is not available here; offer it as a function.", param=f"tools[{index}].type"
    )


def _tool_choice(encoding: Encoding, names: dict[str, str]) -> None:
    """The host's form of the choice; what it has not is asked for in words (upstream.md 4.3)."""
    choice = encoding.call.get("tool_choice")
    if choice is None or choice == "auto":
        return
    allowed = encoding.flavour.tool_choices
    body = encoding.body
    if isinstance(choice, dict):
        name = chosen_name(choice)
        name = names.get(name, name)
        if "named" in allowed and _think_not(encoding):
            body["tool_choice"] = {"type": "function", "function": {"name": name}}
        else:
            body["tools"] = [tool for tool in body["tools"] if tool["function"]["name"] == name]
            _instruct(encoding, f"You must call the tool `{name}` now.")
        return
    if choice == "none":
        if "none" in allowed:
            body["tool_choice"] = "none"
        else:
            del body["tools"]
            encoding.note("emulated", "tool_choice", "'none': the tools are not sent")
        return
    if "required" in allowed:
        body["tool_choice"] = "required"
    elif "named" in allowed and len(body["tools"]) == 1 and _think_not(encoding):
        body["tool_choice"] = {"type": "function", "function": {"name": body["tools"][0]["function"]["name"]}}
        encoding.note("emulated", "tool_choice", "'required' with one tool: it is named")
    else:
        _instruct(encoding, "You must call one of the tools now; do not answer with text only.")


def _think_not(encoding: Encoding) -> bool:
    """DashScope refuses a forced tool while the model thinks (4.3), and thinking is on by default there.

    Returns:
        Whether a tool can be forced now; a model that cannot stop thinking is asked in words instead.
    """
    thinks = encoding.facts.thinks
    if encoding.flavour.thinking != "enable_thinking" or thinks == "never":
        return True
    if thinks == "always":
        return False
    if thinks == "off" and not encoding.body.get("enable_thinking"):
        return True
    for name in ("thinking_budget", "reasoning_effort"):
        encoding.body.pop(name, None)
    encoding.body["enable_thinking"] = False
    encoding.note("emulated", "tool_choice", "thinking is switched off, for a tool cannot be forced while it is on")
    return True


def _instruct(encoding: Encoding, sentence: str) -> None:
    add_to_system(encoding.body["messages"], sentence)
    encoding.note("emulated", "tool_choice", "the upstream cannot force a tool; it is asked for in words")


def add_to_system(messages: list[dict[str, Any]], sentence: str) -> None:
    """Put a sentence behind the system message, which is made if there is none."""
    if messages and messages[0]["role"] == "system":
        content = messages[0]["content"]
        if isinstance(content, list):
            content = [*content, {"type": "text", "text": sentence}]
        else:
            content = f"{content}\n\n{sentence}" if content else sentence
        messages[0] = {**messages[0], "content": content}
    else:
        messages.insert(0, {"role": "system", "content": sentence})


def free_name(name: str, taken: set[str]) -> str:
    """`name_tool`, or the first variant of it that is free."""
    candidate = f"{name}_tool"
    number = 2
    while candidate in taken:
        candidate = f"{name}_tool_{number}"
        number += 1
    return candidate


def encode_response_format(encoding: Encoding) -> None:
    """`response_format`, with the word "json" where the host wants to read it (upstream.md 4.3)."""
    form = encoding.call.get("response_format")
    if not form or form["type"] == "text":
        return
    if form["type"] == "json_schema" and not isinstance((form.get("json_schema") or {}).get("schema"), dict):
        raise BadRequest(
            "'response_format.json_schema.schema' must be an object.",
            param="response_format.json_schema.schema",
            code="missing_required_parameter",
        )
    messages = encoding.body["messages"]
    if form["type"] == "json_schema" and "json_schema" not in encoding.flavour.enforces:
        exact = bool(form["json_schema"].get("strict"))
        how = "held back until it conforms" if exact else "checked when it is whole, shown as it comes in a stream"
        encoding.note("emulated", "response_format", f"the answer is {how}")
    if "response_format" not in encoding.flavour.native:
        schema = form.get("json_schema", {}).get("schema")
        add_to_system(messages, in_words(schema))
        encoding.note("emulated", "response_format", f"{encoding.flavour.name} has no JSON mode; asked for in words")
        return
    encoding.body["response_format"] = form
    if not encoding.flavour.json_word:
        return
    if form["type"] == "json_schema":
        add_to_system(messages, in_words(form["json_schema"]["schema"]))
        encoding.note("translated", "response_format", "the schema is sent and also put into words")
    elif b"json" not in dumps(messages).lower():
        add_to_system(messages, in_words(None))
        encoding.note("translated", "response_format", "the word JSON was added, which the upstream demands")


def in_words(schema: dict[str, Any] | None) -> str:
    """What a model is told of the form of its answer."""
    if schema is None:
        return "Answer with one JSON object."
    return f"Answer with one JSON value that conforms to this JSON Schema:\n{dumps(schema).decode()}"
