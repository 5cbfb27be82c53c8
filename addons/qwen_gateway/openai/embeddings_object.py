"""The answer to an embeddings call: vectors, in whatever order they come, into one `list`."""

import sys
from array import array
from base64 import b64encode
from collections.abc import Iterable, Mapping

from qwen_gateway.codec.deltas import Delta, Usage, Vector
from qwen_gateway.codec.json import dumps
from qwen_gateway.openai import usage as usages
from qwen_gateway.openai.embeddings_request import EmbeddingsCall
from qwen_gateway.openai.errors import OpenAIError


class EmbeddingsObject:
    """Collects the vectors of all batches; they are written as they come, so that a large answer blocks nobody."""

    content_type = "application/json"
    problem: OpenAIError | None = None

    def __init__(self, call: EmbeddingsCall) -> None:
        self._call = call
        self._rows: dict[int, bytes] = {}
        self._usages: dict[int, Usage] = {}

    @property
    def usage(self) -> Usage | None:
        """What the upstream counted, summed over the batches."""
        return usages.add(list(self._usages.values())) if self._usages else None

    def rename(self, names: Mapping[str, str]) -> None:
        """There are no tools."""

    def write(self, deltas: Iterable[Delta]) -> bytes:
        """Keep what comes; it is sent whole."""
        for delta in deltas:
            if isinstance(delta, Vector):
                shown = packed(delta.values) if self._call.packed else delta.values
                self._rows[delta.row] = b'{"object":"embedding","index":%d,"embedding":%b}' % (delta.row, dumps(shown))
            elif isinstance(delta, Usage):
                self._usages[delta.choice] = delta
        return b""

    def end(self) -> bytes:
        """The object as JSON."""
        usage = self.usage or usages.estimate(dumps(self._call.inputs), 0)
        rows = b",".join(self._rows[number] for number in sorted(self._rows))
        counted = {"prompt_tokens": usage.prompt, "total_tokens": usage.prompt}
        return b'{"object":"list","data":[%b],"model":%b,"usage":%b}' % (rows, dumps(self._call.model), dumps(counted))

    def fail(self, error: OpenAIError) -> bytes:
        """The error as JSON; it is sent with its own status, for nothing went out before."""
        return error.encode()


def packed(values: list[float]) -> str:
    """Base64 of little-endian 32-bit floats, as OpenAI's own libraries ask for by default."""
    numbers = array("f", values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return b64encode(numbers.tobytes()).decode()
