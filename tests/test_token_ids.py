"""Token ids are read with a cached vocabulary, or refused with advice; nothing is fetched."""

import base64
import hashlib
from pathlib import Path

import pytest

from qwen_gateway.openai.errors import BadRequest
from qwen_gateway.token_ids import DIGEST, cached_file, texts_of, vocabulary

LINES = b"\n".join(
    base64.b64encode(token) + b" %d" % rank for rank, token in enumerate([b"Hel", b"lo", b" \xe4\xbd", b"\xa0"])
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "vocabulary"
    path.write_bytes(LINES)
    vocabulary.cache_clear()
    return path


async def test_ids_become_text(file: Path) -> None:
    digest = hashlib.sha256(LINES).hexdigest()
    texts, decoded = await texts_of(["as it is", [0, 1, 2, 3]], "input", file=file, digest=digest)
    assert texts == ["as it is", "Hello 你"]
    assert decoded == 1


async def test_texts_need_no_vocabulary(tmp_path: Path) -> None:
    assert await texts_of(["a"], "input", file=tmp_path / "none") == (["a"], 0)


@pytest.mark.parametrize("name", ["vocabulary", "none"])
async def test_without_the_real_vocabulary_ids_are_refused_with_advice(file: Path, name: str) -> None:
    with pytest.raises(BadRequest, match="check_embedding_ctx_length=False"):
        await texts_of([[0]], "input", file=file.with_name(name), digest=DIGEST)


async def test_an_unknown_id_is_named(file: Path) -> None:
    with pytest.raises(BadRequest, match="token id 99"):
        await texts_of([[99]], "input", file=file, digest=hashlib.sha256(LINES).hexdigest())


def test_the_file_is_the_one_that_tiktoken_keeps() -> None:
    found = cached_file({"TIKTOKEN_CACHE_DIR": "/somewhere"})
    assert found == Path("/somewhere/9b5ad71b2ce5302211f9c61530b329a4922fc6a4")
