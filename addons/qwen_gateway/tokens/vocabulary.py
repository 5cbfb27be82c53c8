"""A vocabulary to count with, if one is at hand. Nothing is downloaded, and nobody's code is run for it.

tiktoken's own `get_encoding` downloads what it does not find; here files are read and nothing else. The Qwen vocabulary
is exact for Qwen1.5 to Qwen3 and near for later models (upstream.md 5).
"""

import base64
import hashlib
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen splits a text before it looks up the pieces: as GPT-4, but digits one by one (upstream.md 5)."""

PACKAGES = (("dashscope", "dashscope/resources/qwen.tiktoken"), ("qwen-agent", "qwen_agent/utils/qwen.tiktoken"))
"""Packages that bring Qwen's vocabulary, and where. They are not imported."""

CACHED = (
    (
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
    (
        "fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
)
"""Names and SHA-256 of tiktoken's cached files: cl100k_base, from which Qwen's vocabulary was made, and o200k_base."""

PIECE = 16_384
"""Characters that are counted at once: a thread gives the interpreter back after each of them."""

Count = Callable[[str], int]
"""Tokens of a text. Takes its time: not for an event loop."""


class BadVocabulary(ValueError):
    """The file is no vocabulary; the message names it and says why."""


def find(environ: Mapping[str, str]) -> Path | None:
    """The best vocabulary on this machine."""
    for package, place in PACKAGES:
        try:
            file = Path(str(metadata.distribution(package).locate_file(place)))
        except metadata.PackageNotFoundError:
            continue
        if file.is_file():
            return file
    folder = environ.get("TIKTOKEN_CACHE_DIR") or environ.get("DATA_GYM_CACHE_DIR")
    cache = Path(folder) if folder else Path(tempfile.gettempdir()) / "data-gym-cache"
    for name, digest in CACHED:
        file = cache / name
        try:
            # Anyone may write to a temporary folder.
            if hashlib.sha256(file.read_bytes()).hexdigest() == digest:
                return file
        except OSError:
            continue
    return None


def load(file: Path) -> Count:
    """A vocabulary in tiktoken's format: `base64(bytes) rank` on each line. Takes a fifth of a second.

    Raises:
        BadVocabulary: it cannot be read, or has another format.
    """
    import tiktoken  # noqa: PLC0415 - only who has a vocabulary pays for it

    try:
        ranks = {}
        for line in file.read_bytes().splitlines():
            if line:
                piece, rank = line.split()
                ranks[base64.b64decode(piece)] = int(rank)
    except OSError as error:
        raise BadVocabulary(f"{file} cannot be read ({error.strerror or error}).") from None
    except ValueError as error:
        raise BadVocabulary(f"{file} is no vocabulary in tiktoken's format ({error}).") from None
    # tiktoken panics over either.
    if missing := 256 - sum(bytes([byte]) in ranks for byte in range(256)):
        raise BadVocabulary(f"{file} is no vocabulary: {missing} bytes are missing in it.")
    if len(set(ranks.values())) != len(ranks):
        raise BadVocabulary(f"{file} is no vocabulary: two of its pieces have one rank.")
    encoding = tiktoken.Encoding(file.stem, pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    encode = encoding.encode_ordinary

    def count(text: str) -> int:
        return sum(len(encode(unicodedata.normalize("NFC", piece))) for piece in pieces(text))

    return count


def pieces(text: str, size: int = PIECE) -> Iterator[str]:
    """A long text in pieces, cut before the space between two words: there the pattern cuts as well."""
    start = 0
    while len(text) - start > size:
        end = start + size
        cut = end
        while cut > end - size // 4:
            cut = text.rfind(" ", start + 1, cut)
            if cut < 0:
                break
            if text[cut - 1].isalpha() and text[cut + 1].isalpha():
                end = cut
                break
        yield text[start:end]
        start = end
    yield text[start:]
