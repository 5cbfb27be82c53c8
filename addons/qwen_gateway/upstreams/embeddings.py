"""Kind `key`: embeddings, one batch of inputs a call, and the vectors read back (upstream.md 4.10)."""

import sys
from array import array
from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from qwen_gateway.codec.deltas import Delta, Fault, Usage, Vector
from qwen_gateway.codec.json import BadJSON, dumps, loads
from qwen_gateway.openai.embeddings_request import EmbeddingsCall
from qwen_gateway.openai.errors import BadRequest, Unsupported
from qwen_gateway.openai.notices import Notice
from qwen_gateway.upstreams.chat_chunks import begin_of, usage_of
from qwen_gateway.upstreams.decoders import Decoder
from qwen_gateway.upstreams.embedding_models import OPENAI_LENGTHS, embedding_facts
from qwen_gateway.upstreams.error_body import fault_of_payload, plain_text
from qwen_gateway.upstreams.flavours import Flavour
from qwen_gateway.upstreams.key import Encoded
from qwen_gateway.upstreams.parameters import Policy

EXTENSIONS = {"vllm": frozenset({"truncate_prompt_tokens", "add_special_tokens", "priority", "normalize"})}
"""Parameters of a host's own, by flavour."""


READ = frozenset({"input", "dimensions"})
"""Parameters that are read elsewhere."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs that go in one upstream call; `first` is the row of the first one in the client's call."""

    first: int
    inputs: Sequence[str]


@dataclass(slots=True)
class EncodedBatch(Encoded):
    """A batch in an upstream's words."""

    batch: Batch = Batch(0, ())

    def decoder(self) -> Decoder:
        """A fresh decoder for one attempt."""
        return EmbeddingsBody(self.batch.first, len(self.batch.inputs))


EncodeEmbeddings = Callable[[EmbeddingsCall, Batch, str, Flavour, Policy], Encoded]
"""Puts one batch into the words of one kind of upstream; see `encode_embeddings`."""


def encode_embeddings(call: EmbeddingsCall, batch: Batch, model: str, flavour: Flavour, policy: Policy) -> Encoded:
    """The batch for one host. Vectors are asked for as numbers: base64 is not certain anywhere (4.10).

    Raises:
        BadRequest: a length that the model does not make.
        Unsupported: strict policy, and something would be dropped.
    """
    notices: list[Notice] = []
    body: dict[str, Any] = {"model": model, "input": list(batch.inputs), "encoding_format": "float"}
    length = _length(call, model, flavour, notices)
    if length is not None:
        body["dimensions"] = length
    for param, value in call.body.items():
        if param == "user":
            notices.append(Notice("withheld", param, "not sent to the upstream"))
        elif param in EXTENSIONS.get(flavour.name, ()):
            body[param] = value
        elif param not in READ:
            if policy == "strict":
                raise Unsupported(
                    f"'{param}' cannot be honoured: the gateway does not know it. (strict policy)",
                    param=param,
                    code="unknown_parameter",
                )
            notices.append(Notice("dropped", param, "the gateway does not know it"))
    headers = {"content-type": "application/json", "accept": "application/json", **flavour.headers}
    return EncodedBatch("/embeddings", headers, dumps(body), False, model, notices, batch=batch)


def _length(call: EmbeddingsCall, model: str, flavour: Flavour, notices: list[Notice]) -> int | None:
    """How long the vectors shall be; None leaves it to the model.

    A client that asks by a name of OpenAI's has a database for vectors of that length.
    """
    possible = embedding_facts(model, flavour).dimensions
    wanted: int | None = call.body.get("dimensions")
    if wanted is None:
        usual = OPENAI_LENGTHS.get(call.model)
        if usual is None or not possible or usual == possible[0]:
            return None
        nearest = usual if usual in possible else max(possible)
        if nearest == usual:
            notices.append(Notice("defaulted", "dimensions", f"{usual}, as '{call.model}' has"))
        else:
            notices.append(Notice("clamped", "dimensions", f"'{call.model}' has {usual}; '{model}' {nearest} at most"))
        return nearest if len(possible) > 1 else None
    if possible and wanted not in possible:
        raise BadRequest(
            f"'dimensions' is {wanted}; '{model}' makes vectors of {', '.join(map(str, sorted(possible)))}.",
            param="dimensions",
        )
    return wanted if len(possible) != 1 else None


@dataclass(slots=True)
class EmbeddingsBody:
    """Decodes the answer to one batch: exactly one vector for each input, in whatever order.

    Args:
        first: the row of the batch's first input.
        count: how many inputs it has.
    """

    first: int
    count: int
    done: bool = False
    _pieces: list[bytes] = field(default_factory=list)

    def feed(self, data: bytes) -> list[Delta]:
        if not self.done:
            self._pieces.append(data)
        return []

    def close(self) -> list[Delta]:
        if self.done:
            return []
        self.done = True
        body = b"".join(self._pieces)
        if not body.strip():
            return [Fault(0, "", "the answer has no body", origin="empty")]
        try:
            payload = loads(body)
        except BadJSON as error:
            return [Fault(0, "", f"the answer is not JSON ({error}): {plain_text(body)[:200]}", origin="body")]
        if fault := fault_of_payload(payload, status=0, origin="stream"):
            return [fault]
        rows = payload.get("data") if isinstance(payload, dict) else None
        vectors = [self._vector(row, place) for place, row in enumerate(rows)] if isinstance(rows, list) else []
        found = [vector for vector in vectors if vector is not None]
        if len(found) != self.count or len({vector.row for vector in found}) != self.count:
            said = f"{len(found)} vectors came for {self.count} inputs"
            return [Fault(0, "", f"{said}: {plain_text(body[:400])[:200]}", origin="body")]
        return [begin_of(payload), *found, *_usage(payload)]

    def _vector(self, row: Any, place: int) -> Vector | None:
        """One vector; None for what is none, or belongs to no input."""
        if not isinstance(row, dict):
            return None
        index = row.get("index")
        index = index if type(index) is int else place
        values = values_of(row.get("embedding"))
        return Vector(self.first + index, values) if values and 0 <= index < self.count else None


def _usage(payload: dict[str, Any]) -> list[Usage]:
    given = payload.get("usage")
    usage = usage_of(given) if isinstance(given, dict) else None
    return [usage] if usage else []


def values_of(given: Any) -> list[float] | None:
    """The numbers of a vector, also out of base64; None when it is no vector."""
    try:
        if isinstance(given, str):
            numbers = array("f", b64decode(given, validate=True))
            if sys.byteorder == "big":
                numbers.byteswap()
            return numbers.tolist()
        if isinstance(given, list):
            array("d", given)  # the fastest way to see that each is a number
            return given
    except (TypeError, ValueError):
        pass
    return None
