"""What a response repeats of its request, each field valid whatever the client sent.

OpenAI's description asks for most of them (openai-surface.md, "Spec errata": optional ones are left out, not null).
"""

from collections.abc import Mapping
from typing import Any

from qwen_gateway.openai.responses_request import ResponsesCall

EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
SUMMARIES = frozenset({"auto", "concise", "detailed"})
VERBOSITIES = frozenset({"low", "medium", "high"})


def response_object(call: ResponsesCall, created: int, service_tier: str | None) -> dict[str, Any]:
    """A response before anything happened: `status`, `output` and the end are the answer's affair."""
    request = call.request
    response: dict[str, Any] = {
        "id": call.id,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "background": bool(request.get("background", False)),
        "error": None,
        "incomplete_details": None,
        "instructions": request.get("instructions"),
        "max_output_tokens": request.get("max_output_tokens"),
        "max_tool_calls": request.get("max_tool_calls"),
        "model": call.model,
        "output": [],
        "parallel_tool_calls": request.get("parallel_tool_calls", True),
        "previous_response_id": request.get("previous_response_id"),
        "reasoning": _reasoning(request.get("reasoning", {})),
        "temperature": request.get("temperature", 1.0),
        "text": _text(request.get("text", {})),
        "tool_choice": _tool_choice(request.get("tool_choice", "auto")),
        "tools": [shown for tool in request.get("tools", ()) if (shown := tool_object(tool))],
        "top_logprobs": request.get("top_logprobs", 0),
        "top_p": request.get("top_p", 1.0),
        "truncation": request.get("truncation", "disabled"),
        "metadata": request.get("metadata", {}),
    }
    if service_tier:
        response["service_tier"] = service_tier
    for name in ("user", "safety_identifier", "prompt_cache_key"):
        if name in request:
            response[name] = request[name]
    conversation = request.get("conversation")
    if conversation is not None:
        given = conversation.get("id") if isinstance(conversation, dict) else conversation
        response["conversation"] = {"id": str(given)}
    return response


def _reasoning(given: Mapping[str, Any]) -> dict[str, Any]:
    effort, summary = given.get("effort"), given.get("summary", given.get("generate_summary"))
    return {
        "effort": effort if effort in EFFORTS else None,
        "summary": summary if summary in SUMMARIES else None,
    }


def _text(given: Mapping[str, Any]) -> dict[str, Any]:
    verbosity = given.get("verbosity")
    return {"format": _format(given.get("format")), "verbosity": verbosity if verbosity in VERBOSITIES else "medium"}


def _format(given: Any) -> dict[str, Any]:
    kind = given.get("type") if isinstance(given, dict) else None
    if kind == "json_object":
        return {"type": kind}
    if kind != "json_schema":
        return {"type": "text"}
    nested = given.get("json_schema")
    said: Mapping[str, Any] = nested if isinstance(nested, dict) else given
    shown: dict[str, Any] = {
        "type": kind,
        "name": str(said.get("name") or "answer"),
        "schema": said["schema"] if isinstance(said.get("schema"), dict) else {},
        "strict": said.get("strict") is True,
    }
    if isinstance(said.get("description"), str):
        shown["description"] = said["description"]
    return shown


def _tool_choice(given: Any) -> Any:
    if given in ("none", "auto", "required"):
        return given
    if not isinstance(given, dict):
        return "auto"
    kind, name = given.get("type"), given.get("name")
    if kind == "allowed_tools" and isinstance(given.get("tools"), list):
        mode = given.get("mode")
        tools = [tool for tool in given["tools"] if isinstance(tool, dict)]
        return {"type": kind, "mode": mode if mode in ("auto", "required") else "auto", "tools": tools}
    nested = given.get("function")
    name = nested.get("name") if isinstance(nested, dict) else name
    return {"type": kind, "name": name} if kind in ("function", "custom") and isinstance(name, str) else "auto"


def tool_object(given: Mapping[str, Any]) -> dict[str, Any] | None:
    """A tool as OpenAI describes it; None for what it does not describe."""
    kind = given.get("type")
    if kind in ("function", "custom"):
        nested = given.get(kind)
        said: Mapping[str, Any] = nested if isinstance(nested, dict) else given
        return _function(said) if kind == "function" else _custom(said)
    if kind == "namespace" and isinstance(given.get("tools"), list):
        inner = [_inner(shown) for tool in given["tools"] if isinstance(tool, dict) and (shown := tool_object(tool))]
        return {"type": kind, "name": given.get("name"), "description": _word(given, "description"), "tools": inner}
    if kind == "tool_search":
        return {"type": kind, "execution": "client" if given.get("execution") == "client" else "server"}
    if kind in ("web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"):
        size = given.get("search_context_size")
        return {"type": kind, **({"search_context_size": size} if size in VERBOSITIES else {})}
    return None


def _inner(shown: dict[str, Any]) -> dict[str, Any]:
    """A tool within a namespace: OpenAI's description allows no schema of parameters there."""
    return {name: value for name, value in shown.items() if name != "parameters"}


def _function(given: Mapping[str, Any]) -> dict[str, Any]:
    parameters = given.get("parameters")
    return {
        "type": "function",
        "name": given.get("name"),
        "description": given["description"] if isinstance(given.get("description"), str) else None,
        "parameters": parameters if isinstance(parameters, dict) else None,
        "strict": given.get("strict") is True,
        **({"defer_loading": True} if given.get("defer_loading") is True else {}),
    }


def _custom(given: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": "custom", "name": given.get("name")}
    if isinstance(given.get("description"), str):
        shown["description"] = given["description"]
    form = given.get("format")
    if isinstance(form, dict) and form.get("type") == "text":
        shown["format"] = {"type": "text"}
    elif isinstance(form, dict) and form.get("type") == "grammar":
        nested = form.get("grammar")
        said = nested if isinstance(nested, dict) else form
        if said.get("syntax") in ("lark", "regex") and isinstance(said.get("definition"), str):
            shown["format"] = {"type": "grammar", "syntax": said["syntax"], "definition": said["definition"]}
    return shown


def _word(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    return value if isinstance(value, str) else ""
