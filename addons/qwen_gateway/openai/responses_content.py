"""Content parts of the Responses API as parts of chat messages."""

from collections.abc import Mapping
from typing import Any

from qwen_gateway.openai.errors import BadRequest, Unsupported

TEXTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})


def chat_content(content: Any, place: str) -> Any:
    """A message's content: a string stays one, parts become chat's; a single text part becomes a string.

    Raises:
        BadRequest: malformed; `param` names the part.
        Unsupported: a part that chat completions do not have.
    """
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise BadRequest(
            f"Invalid '{place}': it must be a string or a list of parts.", param=place, code="invalid_type"
        )
    parts = [_part(part, f"{place}[{number}]") for number, part in enumerate(content)]
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return parts[0]["text"]
    return parts


def _part(part: Any, place: str) -> dict[str, Any]:
    if not isinstance(part, dict):
        raise BadRequest(f"Invalid '{place}': a part is an object.", param=place, code="invalid_type")
    kind = part.get("type")
    if kind in TEXTS:
        marker = {"cache_control": part["cache_control"]} if "cache_control" in part else {}
        return {"type": "text", "text": text_field(part, "text", place), **marker}
    if kind == "refusal":
        return {"type": "text", "text": text_field(part, "refusal", place)}
    if kind in ("input_image", "image_url"):
        return _image(part, place)
    if kind in ("input_file", "file"):
        return _file(part, place)
    if kind in ("input_audio", "video_url"):
        return part
    raise Unsupported(
        f"Content parts of type '{str(kind)[:40]}' cannot be translated; send input_text, input_image or input_file.",
        param=place,
    )


def _image(part: Mapping[str, Any], place: str) -> dict[str, Any]:
    image = part.get("image_url")
    if isinstance(image, dict):  # chat's form within the Responses API: some clients mix them
        return {"type": "image_url", "image_url": image}
    if not isinstance(image, str):
        if part.get("file_id"):
            raise Unsupported(
                "The gateway keeps no files; send the picture itself as 'image_url', a URL or a data URI.",
                param=f"{place}.file_id",
            )
        raise BadRequest(
            f"Missing required parameter: '{place}.image_url'.",
            param=f"{place}.image_url",
            code="missing_required_parameter",
        )
    detail = part.get("detail")
    return {"type": "image_url", "image_url": {"url": image, **({"detail": detail} if detail else {})}}


def _file(part: Mapping[str, Any], place: str) -> dict[str, Any]:
    nested = part.get("file")
    given: Mapping[str, Any] = nested if isinstance(nested, dict) else part
    for name, advice in (
        ("file_id", "The gateway keeps no files; send the file itself as 'file_data'."),
        ("file_url", "The gateway fetches no URLs; send the file itself as 'file_data'."),
    ):
        if given.get(name):
            raise Unsupported(advice, param=f"{place}.{name}")
    file = {name: given[name] for name in ("filename", "file_data") if isinstance(given.get(name), str)}
    return {"type": "file", "file": file}


def text_field(holder: Mapping[str, Any], name: str, place: str) -> str:
    """A field that must be a string.

    Raises:
        BadRequest: it is missing or something else.
    """
    value = holder.get(name)
    if isinstance(value, str):
        return value
    path = f"{place}.{name}"
    if value is None:
        raise BadRequest(f"Missing required parameter: '{path}'.", param=path, code="missing_required_parameter")
    raise BadRequest(f"Invalid '{path}': it must be a string.", param=path, code="invalid_type")
