"""OpenAI's token ids back into text, with the vocabulary that tiktoken has cached; nothing is ever downloaded.

Some clients send arrays of ids instead of text (LangChain's embeddings do by default). Qwen's services have another
vocabulary (upstream.md 4.10), so the ids are worth something only where OpenAI's `cl100k_base` is at hand: that of all
models which OpenAI serves on these endpoints.
"""

import asyncio
import hashlib
import os
import tempfile
from base64 import b64decode
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from qwen_gateway.openai.errors import BadRequest

URL = "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken"
"""What tiktoken would fetch: the SHA-1 of this text is the name of the file in its cache."""

DIGEST = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
SPECIAL = {100257: b"<|endoftext|>"}


def cached_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Where tiktoken keeps the vocabulary, whether it is there or not."""
    folder = environ.get("TIKTOKEN_CACHE_DIR") or environ.get("DATA_GYM_CACHE_DIR")
    base = Path(folder) if folder else Path(tempfile.gettempdir()) / "data-gym-cache"
    return base / hashlib.sha1(URL.encode(), usedforsecurity=False).hexdigest()


@lru_cache(maxsize=1)
def vocabulary(file: Path, digest: str = DIGEST) -> Mapping[int, bytes] | None:
    """The bytes of each token; None where the file is missing or another than it should be."""
    try:
        content = file.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content).hexdigest() != digest:
        return None
    tokens = dict(SPECIAL)
    for line in content.splitlines():
        text, _, rank = line.partition(b" ")
        tokens[int(rank)] = b64decode(text)
    return tokens


async def texts_of(
    rows: Sequence[str | list[int]], param: str, *, file: Path | None = None, digest: str = DIGEST
) -> tuple[list[str], int]:
    """The rows as texts, and how many of them had been token ids. The vocabulary is read in a thread.

    Raises:
        BadRequest: ids, and no vocabulary is at hand; or ids that it does not have.
    """
    texts = [row for row in rows if isinstance(row, str)]
    if len(texts) == len(rows):
        return texts, 0
    tokens = await asyncio.to_thread(vocabulary, file or cached_file(), digest)
    if tokens is None:
        raise BadRequest(
            f"'{param}' has token ids of OpenAI's vocabulary, and Qwen has another one. Send text (LangChain: "
            "check_embedding_ctx_length=False), or let tiktoken cache cl100k_base on the gateway's machine.",
            param=param,
            code="unsupported_parameter",
        )
    found = [row if isinstance(row, str) else text_of(row, tokens, param) for row in rows]
    return found, len(rows) - len(texts)


def text_of(ids: list[int], tokens: Mapping[int, bytes], param: str) -> str:
    """The text of one array of ids; half a character at an end, as clients that cut by tokens send, is replaced."""
    try:
        return b"".join(tokens[token] for token in ids).decode("utf-8", "replace")
    except KeyError as error:
        raise BadRequest(f"'{param}' has the token id {error}, which cl100k_base does not have.", param=param) from None
