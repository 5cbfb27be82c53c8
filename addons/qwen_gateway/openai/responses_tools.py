"""Tools of the Responses API as tools of chat completions, and the names under which their calls go back.

Codex sends functions, freeform (custom) tools, namespaces of both, a tool search that it runs itself, and web search
(openai-surface.md section 2); newer models get them as an input item, `additional_tools`.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from qwen_gateway.openai.errors import BadRequest, Unsupported
from qwen_gateway.openai.notices import Notice

Kind = Literal["function", "custom", "tool_search"]

NAME_LIMIT = 64
"""Characters of a function's name."""

TOOL_SEARCH = "tool_search"


@dataclass(frozen=True, slots=True)
class Called:
    """How a call of a tool is shown to the client."""

    kind: Kind
    name: str
    namespace: str | None = None


@dataclass(slots=True)
class Tools:
    """The tools of one call.

    Attributes:
        chat: in chat's form.
        called: chat's name of a tool → the client's view of it.
    """

    chat: list[dict[str, Any]] = field(default_factory=list)
    called: dict[str, Called] = field(default_factory=dict)
    _names: dict[tuple[str | None, str], str] = field(default_factory=dict)

    def chat_name(self, name: str, namespace: str | None = None) -> str:
        """Chat's name of a tool, whether it is offered now or only stands in the history."""
        return self._names.get((namespace, name)) or flat_name(name, namespace)

    def add(self, tool: dict[str, Any], called: Called, name: str) -> None:
        """Offer a tool; one that was offered already, by whichever way, stays as it was."""
        key = (called.namespace, called.name)
        if key in self._names:
            return
        self._names[key] = name
        self.called[name] = called
        self.chat.append(tool)


def flat_name(name: str, namespace: str | None) -> str:
    """A namespace and a name as one function's name, within the limit and always the same."""
    if not namespace:
        return name
    joined = namespace + name if namespace.endswith("__") else f"{namespace}__{name}"
    if len(joined) <= NAME_LIMIT:
        return joined
    return f"{joined[: NAME_LIMIT - 9]}_{hashlib.sha256(joined.encode()).hexdigest()[:8]}"


def chat_tools(tools: Iterable[Any], further: Iterable[tuple[str, Iterable[Any]]], notices: list[Notice]) -> Tools:
    """All tools of a call.

    Args:
        tools: the parameter `tools`.
        further: tools that came as input items, with the place of each list.

    Raises:
        BadRequest: malformed.
        Unsupported: a built-in tool that Qwen does not have, by name.
    """
    found = Tools()
    given = [(tool, f"tools[{number}]") for number, tool in enumerate(tools)]
    client_searches = any(
        isinstance(tool, dict) and tool.get("type") == TOOL_SEARCH and tool.get("execution") == "client"
        for tool, _ in given
    )
    for tool, place in given:
        _add(found, tool, place, notices, deferred=client_searches)
    for where, list_of_tools in further:
        for number, tool in enumerate(list_of_tools):
            _add(found, tool, f"{where}[{number}]", notices, deferred=False)
    return found


def _add(found: Tools, tool: Any, place: str, notices: list[Notice], *, deferred: bool) -> None:
    if not isinstance(tool, dict):
        raise BadRequest(f"Invalid '{place}': a tool is an object.", param=place, code="invalid_type")
    kind = tool.get("type")
    if kind in ("function", "custom"):
        _add_one(found, tool, place, None, deferred=deferred)
    elif kind == "namespace":
        inner = tool.get("tools")
        if not isinstance(inner, list):
            raise BadRequest(
                f"Missing required parameter: '{place}.tools'.",
                param=f"{place}.tools",
                code="missing_required_parameter",
            )
        for number, one in enumerate(inner):
            where = f"{place}.tools[{number}]"
            if not isinstance(one, dict) or one.get("type") not in ("function", "custom"):
                raise Unsupported(f"'{where}': a namespace holds functions and custom tools.", param=where)
            _add_one(found, one, where, tool_name(tool, place), deferred=deferred, about=tool.get("description"))
    elif kind == TOOL_SEARCH:
        _add_search(found, tool, place, notices)
    elif is_search(tool):
        if not any(other.get("type", "").startswith("web_search") for other in found.chat):
            found.chat.append({"type": kind})
    else:
        raise Unsupported(
            f"Qwen has no built-in tool '{str(kind)[:40]}'; leave it out, or offer it as a function.",
            param=f"{place}.type",
        )


def tool_name(tool: Mapping[str, Any], place: str) -> str:
    """The name of a tool or a namespace.

    Raises:
        BadRequest: there is none.
    """
    name = tool.get("name")
    if not isinstance(name, str) or not name:
        raise BadRequest(
            f"Missing required parameter: '{place}.name'.", param=f"{place}.name", code="missing_required_parameter"
        )
    return name


def _add_one(
    found: Tools,
    tool: Mapping[str, Any],
    place: str,
    namespace: str | None,
    *,
    deferred: bool,
    about: Any = None,
) -> None:
    """A function or a freeform tool; chat's nested form is taken as well, for clients mix the two."""
    kind: Kind = "custom" if tool["type"] == "custom" else "function"
    nested = tool.get(kind)
    given: Mapping[str, Any] = nested if isinstance(nested, dict) else tool
    name = tool_name(given, place)
    if deferred and given.get("defer_loading") is True:
        return  # the client loads it when its own search has found it
    fields = ("description", "format") if kind == "custom" else ("description", "parameters", "strict")
    inner: dict[str, Any] = {field: given[field] for field in fields if given.get(field) is not None}
    chat_name = flat_name(name, namespace)
    if namespace and isinstance(about, str) and about and "description" not in inner:
        inner["description"] = about
    found.add({"type": kind, kind: {"name": chat_name, **inner}}, Called(kind, name, namespace), chat_name)


def _add_search(found: Tools, tool: Mapping[str, Any], place: str, notices: list[Notice]) -> None:
    """A search that the client runs is a function; one that OpenAI runs is needless, for all tools are sent."""
    if tool.get("execution") != "client":
        notices.append(Notice("emulated", place, "every tool is sent at once, so there is nothing to search"))
        return
    function: dict[str, Any] = {"name": TOOL_SEARCH}
    for name in ("description", "parameters"):
        if tool.get(name):
            function[name] = tool[name]
    found.add({"type": "function", "function": function}, Called("tool_search", TOOL_SEARCH), TOOL_SEARCH)
    notices.append(Notice("emulated", place, "the tool search is sent as a function"))


def chat_tool_choice(choice: Any, tools: Tools, notices: list[Notice]) -> Any:
    """`tool_choice` in chat's form; None when there is nothing to say.

    Raises:
        BadRequest: no form that is known.
    """
    if choice is None or isinstance(choice, str):
        return choice
    kind = choice.get("type")
    if kind == "allowed_tools":
        listed = choice.get("tools")
        if not isinstance(listed, list):
            raise BadRequest("'tool_choice.tools' must be a list of tools.", param="tool_choice.tools")
        names = [name for one in listed if isinstance(one, dict) for name in _allowed(one, tools)]
        allowed = {"mode": choice.get("mode"), "tools": [{"type": "function", "name": name} for name in names]}
        return {"type": "allowed_tools", "allowed_tools": allowed}
    if kind in ("function", "custom"):
        return {"type": "function", "function": {"name": _chosen(choice, tools)}}
    if isinstance(kind, str) and kind.startswith("web_search"):
        notices.append(Notice("translated", "tool_choice", "Qwen decides itself when to search"))
        return "auto"
    raise BadRequest(
        f"'tool_choice' is of type '{str(kind)[:40]}'; choose a function, a custom tool or allowed_tools.",
        param="tool_choice",
    )


def _allowed(choice: Mapping[str, Any], tools: Tools) -> list[str]:
    """Chat's names of what one entry allows: a tool, or all of a namespace."""
    if choice.get("type") == "namespace":
        return [name for name, called in tools.called.items() if called.namespace == choice.get("name")]
    return [_chosen(choice, tools)]


def _chosen(choice: Mapping[str, Any], tools: Tools) -> str:
    """Chat's name of a tool that a choice names; a built-in one goes by its type."""
    nested = choice.get("function")
    holder: Mapping[str, Any] = nested if isinstance(nested, dict) else choice
    name = holder.get("name")
    if not isinstance(name, str):
        return str(choice.get("type"))
    namespace = choice.get("namespace")
    return tools.chat_name(name, namespace if isinstance(namespace, str) else None)


def is_search(tool: object) -> bool:
    """Whether it is OpenAI's web search, of whichever year."""
    return isinstance(tool, dict) and str(tool.get("type", "")).startswith("web_search")
