"""An embeddings call: parsed from bytes, its inputs as one list, whatever form they came in."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from qwen_gateway.openai.call import Call
from qwen_gateway.openai.chat_request import Positive, check, parse_object
from qwen_gateway.openai.errors import BadRequest


class EmbeddingsRequest(Struct):
    """The known fields with their types and ranges."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    input: Any
    dimensions: Positive | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None


@dataclass(slots=True, kw_only=True)
class EmbeddingsCall(Call):
    """A parsed call.

    Attributes:
        inputs: texts, and arrays of token ids as they came.
        packed: vectors are wanted as base64 of 32-bit floats.
    """

    inputs: list[str | list[int]] = field(default_factory=list)
    packed: bool = False

    @property
    def repeatable(self) -> bool:
        """Nothing is left to chance."""
        return True


def parse_embeddings(data: bytes) -> EmbeddingsCall:
    """A call from the bytes of a request.

    Raises:
        BadRequest: not JSON, a missing field, a wrong type, nothing to embed; `param` names it.
    """
    body = parse_object(data)
    check(body, EmbeddingsRequest)
    body = {name: value for name, value in body.items() if value is not None}
    model = body.pop("model").strip()
    if not model:
        raise BadRequest("'model' is blank; GET /v1/models lists names.", param="model")
    return EmbeddingsCall(
        model=model,
        body=body,
        inputs=inputs_of(body.get("input"), "input"),
        packed=body.pop("encoding_format", "float") == "base64",
    )


def inputs_of(given: Any, param: str) -> list[str | list[int]]:
    """A string, strings, an array of token ids or several of them, as a list of inputs.

    Raises:
        BadRequest: anything else, and what is empty.
    """
    rows = given if isinstance(given, list) and not is_tokens(given) else [given]
    if not rows:
        raise BadRequest(f"'{param}' is an empty array; give at least one text.", param=param)
    for number, row in enumerate(rows):
        where = f"{param}[{number}]" if row is not given else param
        if not isinstance(row, str) and not is_tokens(row):
            raise BadRequest(
                f"'{where}' must be a string or an array of token ids, not {type(row).__name__}.",
                param=where,
                code="invalid_type",
            )
        if not row:
            raise BadRequest(f"'{where}' is empty; there is nothing to embed in it.", param=where)
    return rows


def is_tokens(value: object) -> bool:
    """Whether it is an array of token ids."""
    return isinstance(value, list) and bool(value) and all(type(item) is int and item >= 0 for item in value)
