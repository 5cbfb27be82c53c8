"""Tools of every age in one form: `functions` and freeform tools become tools of type `function`.

The way back is in `tool_calls.py`.
"""

from collections.abc import Mapping
from typing import Any

from qwen_gateway.codec.json import dumps
from qwen_gateway.openai.errors import BadRequest
from qwen_gateway.openai.notices import Notice

FREEFORM_FIELD = "input"
"""The one argument of the function that stands for a freeform (custom) tool."""


def normalise_tools(body: dict[str, Any], notices: list[Notice]) -> tuple[bool, frozenset[str]]:
    """Rewrite `body` in place.

    Returns:
        Whether the client speaks the legacy `functions`, and the names of its custom tools.

    Raises:
        BadRequest: two tools of one name, a choice that names no tool, a malformed tool.
    """
    if not speaks_of_tools(body):
        return False, frozenset()
    legacy = _functions(body)
    custom = _custom_tools(body, notices)
    _allowed_tools(body, notices)
    names = _names(body)
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        name = chosen_name(choice)
        if name not in names:
            raise BadRequest(f"'tool_choice' names the tool '{name}', which is not in 'tools'.", param="tool_choice")
        body["tool_choice"] = {"type": "function", "function": {"name": name}}
    elif choice is not None and choice not in ("none", "auto", "required"):
        raise BadRequest(
            f"'tool_choice' is '{choice}'; it must be 'none', 'auto', 'required' or an object that names a tool.",
            param="tool_choice",
        )
    elif choice == "required" and not names:
        raise BadRequest("'tool_choice' is 'required' but there are no 'tools'.", param="tool_choice")
    if not names:
        body.pop("tools", None)
        body.pop("tool_choice", None)
        body.pop("parallel_tool_calls", None)
    return legacy, custom


FIELDS = frozenset({"tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"})
OF_MESSAGES = frozenset({"tool_calls", "function_call"})


def speaks_of_tools(body: Mapping[str, Any]) -> bool:
    """Whether a chat body has anything to do with tools, in whatever form."""
    return not FIELDS.isdisjoint(body) or any(
        not OF_MESSAGES.isdisjoint(message) or message.get("role") == "function" for message in body["messages"]
    )


def chosen_name(choice: Mapping[str, Any]) -> str:
    """The name in a `tool_choice` object of any form; the empty string where there is none."""
    for holder in (choice.get("function"), choice.get("custom"), choice):
        if isinstance(holder, Mapping) and isinstance(holder.get("name"), str):
            return str(holder["name"])
    return ""


def _functions(body: dict[str, Any]) -> bool:
    """`functions` → `tools`, `function_call` → `tool_choice`, and the same in the history."""
    functions = body.pop("functions", None)
    call = body.pop("function_call", None)
    if functions is not None:
        if "tools" in body:
            raise BadRequest("'functions' and 'tools' exclude each other; send 'tools'.", param="functions")
        body["tools"] = [{"type": "function", "function": function} for function in functions]
    if isinstance(call, str):
        body.setdefault("tool_choice", call)
    elif isinstance(call, dict):
        body.setdefault("tool_choice", {"type": "function", "function": {"name": call.get("name")}})
    history = False
    last = ""
    messages = []
    for index, message in enumerate(body["messages"]):
        if message.get("role") == "assistant" and isinstance(message.get("function_call"), dict):
            history = True
            last = f"call_legacy_{index}"
            called = {name: value for name, value in message.items() if name != "function_call"}
            called["tool_calls"] = [{"id": last, "type": "function", "function": message["function_call"]}]
            messages.append(called)
        elif message.get("role") == "function":
            history = True
            messages.append({"role": "tool", "tool_call_id": last, "content": message.get("content") or ""})
        else:
            messages.append(message)
    body["messages"] = messages
    return functions is not None or (history and "tools" not in body)


def _custom_tools(body: dict[str, Any], notices: list[Notice]) -> frozenset[str]:
    """Freeform tools as functions with one string, in `tools` and in the history."""
    names: set[str] = set()
    tools = []
    for index, tool in enumerate(body.get("tools", ())):
        if tool.get("type") != "custom":
            if tool.get("type") == "function" and not isinstance(tool.get("function"), dict):
                raise BadRequest(
                    f"Missing required parameter: 'tools[{index}].function'.",
                    param=f"tools[{index}].function",
                    code="missing_required_parameter",
                )
            tools.append(tool)
            continue
        custom = tool.get("custom")
        name = custom.get("name") if isinstance(custom, dict) else None
        if not isinstance(name, str) or not name:
            raise BadRequest(
                f"Missing required parameter: 'tools[{index}].custom.name'.",
                param=f"tools[{index}].custom.name",
                code="missing_required_parameter",
            )
        assert isinstance(custom, dict)
        names.add(name)
        tools.append(freeform_function(name, custom))
        notices.append(Notice("emulated", f"tools[{index}]", f"the freeform tool '{name}' is sent as a function"))
    if "tools" in body:
        body["tools"] = tools
    for message in body["messages"]:
        for call in message.get("tool_calls") or ():
            if call.get("type") == "custom" and isinstance(call.get("custom"), dict):
                custom = call.pop("custom")
                call["type"] = "function"
                call["function"] = {
                    "name": custom.get("name", ""),
                    "arguments": _freeform_arguments(custom.get("input", "")),
                }
    return frozenset(names)


def freeform_function(name: str, custom: Mapping[str, Any]) -> dict[str, Any]:
    """A function that stands for a freeform tool; a grammar is put into words, for no Qwen service enforces one."""
    description = str(custom.get("description") or "")
    form = custom.get("format")
    if isinstance(form, Mapping) and form.get("type") == "grammar":
        grammar = form.get("grammar") if isinstance(form.get("grammar"), Mapping) else form
        assert isinstance(grammar, Mapping)
        description += (
            f"\nThe input must follow this {grammar.get('syntax', '')} grammar:\n{grammar.get('definition', '')}"
        )
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": description.strip(),
            "parameters": {
                "type": "object",
                "properties": {FREEFORM_FIELD: {"type": "string", "description": "The whole input of the tool."}},
                "required": [FREEFORM_FIELD],
            },
        },
    }


def _freeform_arguments(text: Any) -> str:
    return dumps({FREEFORM_FIELD: str(text)}).decode()


def _allowed_tools(body: dict[str, Any], notices: list[Notice]) -> None:
    """`tool_choice: allowed_tools` → the list filtered, and its mode."""
    choice = body.get("tool_choice")
    if not isinstance(choice, dict) or choice.get("type") != "allowed_tools":
        return
    allowed = choice.get("allowed_tools")
    allowed = allowed if isinstance(allowed, dict) else choice
    listed = allowed.get("tools")
    if not isinstance(listed, list):
        raise BadRequest("'tool_choice.allowed_tools.tools' must be a list of tools.", param="tool_choice")
    names = {tool_name(tool) for tool in listed if isinstance(tool, dict)}
    body["tools"] = [tool for tool in body.get("tools", ()) if tool_name(tool) in names]
    mode = allowed.get("mode")
    body["tool_choice"] = mode if mode in ("auto", "required") else "auto"
    notices.append(Notice("emulated", "tool_choice", "only the allowed tools are sent"))


def _names(body: dict[str, Any]) -> set[str]:
    names: set[str] = set()
    for index, tool in enumerate(body.get("tools", ())):
        name = tool_name(tool)
        if name and name in names:
            raise BadRequest(f"Two tools have the name '{name}'.", param=f"tools[{index}]")
        names.add(name)
    return names


def tool_name(tool: Mapping[str, Any]) -> str:
    """The name of a tool in `tools`; built-in tools go by their type."""
    return chosen_name(tool) or str(tool.get("type", ""))
