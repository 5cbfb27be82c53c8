"""What an answer must be, as far as a client may rely on it and no upstream is trusted with it."""

from dataclasses import dataclass, field
from typing import Any

from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.openai.tools import chosen_name
from qwen_gateway.upstreams.flavours import Flavour


@dataclass(frozen=True, slots=True)
class Wants:
    """What a call wants of its answer.

    Attributes:
        names: the tools it offers; the arguments of their calls must be JSON.
        required: one of them must be called; `chosen`: this one, if it is named.
        strict: the schemas that the arguments of some tools must conform to, by the client's names.
        freeform: tools whose whole input is one text.
        prompted: the host has no tools, so that calls are read out of its text; then every schema is looked at.
        only_first: calls behind the first one are left out.
        schema: what the text must conform to; None: it is prose.
        exact: the schema is strict, so the text is shown only when it conforms.
    """

    names: tuple[str, ...] = ()
    required: bool = False
    chosen: str = ""
    strict: dict[str, dict[str, Any]] = field(default_factory=dict)
    freeform: frozenset[str] = frozenset()
    prompted: bool = False
    only_first: bool = False
    schema: dict[str, Any] | None = None
    exact: bool = False


def wants_of(call: ChatCall, flavour: Flavour) -> Wants | None:
    """What the call wants at this host; None when there is nothing to look after."""
    body = call.body
    if "tools" not in body and "response_format" not in body:
        return None
    tools = [tool for tool in body.get("tools") or () if tool.get("type") == "function"]
    choice = body.get("tool_choice")
    schema, exact = _schema(body.get("response_format"), flavour)
    if not tools and schema is None:
        return None
    functions = {tool["function"]["name"]: tool["function"] for tool in tools}
    return Wants(
        names=tuple(functions),
        required=bool(tools) and (choice == "required" or isinstance(choice, dict)),
        chosen=chosen_name(choice) if isinstance(choice, dict) else "",
        strict={name: found.get("parameters") or {} for name, found in functions.items() if found.get("strict")},
        freeform=call.custom_tools,
        prompted=flavour.tools_by_prompt,
        only_first=body.get("parallel_tool_calls") is False or call.legacy_functions,
        schema=schema,
        exact=exact,
    )


def asks_for_schemas(call: ChatCall) -> bool:
    """Whether a validator may be needed."""
    return "response_format" in call.body or any(
        (tool.get("function") or {}).get("strict") for tool in call.body.get("tools") or ()
    )


def _schema(form: Any, flavour: Flavour) -> tuple[dict[str, Any] | None, bool]:
    """The schema of an answer whose form the host does not enforce, and whether it is strict."""
    kind = form.get("type") if isinstance(form, dict) else None
    if kind == "json_schema" and "json_schema" not in flavour.enforces:
        described = form.get("json_schema") or {}
        schema = described.get("schema")
        return (schema, bool(described.get("strict"))) if isinstance(schema, dict) else (None, False)
    if kind == "json_object" and "response_format" not in flavour.native:
        return {"type": "object"}, False
    return None, False
