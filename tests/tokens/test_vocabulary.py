"""Vocabularies: where they are found, how they count, and that nothing is ever downloaded."""

import hashlib
import inspect
import re
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import tiktoken_ext.openai_public

from qwen_gateway.tokens import vocabulary
from qwen_gateway.tokens.vocabulary import BadVocabulary, find, load, pieces
from tests.tokens.samples import write_vocabulary

QWEN = find({"TIKTOKEN_CACHE_DIR": "/nowhere"})


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def installed(site: Path, name: str, place: str) -> Path:
    """A package as an installer leaves it behind: its metadata and its file."""
    folder = site / f"{name.replace('-', '_')}-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    file = site / place
    file.parent.mkdir(parents=True)
    return write_vocabulary(file)


@pytest.mark.parametrize(("name", "place"), vocabulary.PACKAGES)
def test_the_file_of_an_installed_package_is_found_and_its_code_not_run(
    name: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if QWEN is not None:
        pytest.skip("a package with the vocabulary is really installed")
    file = installed(tmp_path, name, place)
    (file.parents[1] / "__init__.py").write_text("1 / 0")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert find({"TIKTOKEN_CACHE_DIR": "/nowhere"}) == file


def test_what_tiktoken_has_cached_is_found_by_its_name_and_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if QWEN is not None:
        pytest.skip("a package with the vocabulary comes before")
    file = write_vocabulary(tmp_path / vocabulary.CACHED[0][0])
    assert find({"TIKTOKEN_CACHE_DIR": str(tmp_path)}) is None  # anyone could have put it there
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(vocabulary, "CACHED", ((file.name, digest),))
    assert find({"TIKTOKEN_CACHE_DIR": str(tmp_path)}) == file
    assert find({"DATA_GYM_CACHE_DIR": str(tmp_path)}) == file


def test_names_and_digests_are_those_of_tiktoken() -> None:
    source = inspect.getsource(tiktoken_ext.openai_public)
    for name, digest in vocabulary.CACHED:
        urls = re.findall(r'"(https://[^"]+\.tiktoken)",\s+expected_hash="' + digest, source)
        assert [hashlib.sha1(url.encode()).hexdigest() for url in urls] == [name]


def test_a_vocabulary_counts_its_words(tmp_path: Path) -> None:
    count = load(write_vocabulary(tmp_path / "small.tiktoken"))
    assert count("hello world") == 2
    assert count("hello world!") == 3
    assert count("12") == 2
    assert count("") == 0


def test_text_is_normalised_as_qwen_does(tmp_path: Path) -> None:
    count = load(write_vocabulary(tmp_path / "small.tiktoken"))
    assert count("e\u0301") == count("\u00e9") == 2


@pytest.mark.parametrize("content", [b"", b"no base64 at all\n", b"aGk= x\n", b"aGk= 1\n", b"\xff\x00"])
def test_a_file_that_is_none_is_told_by_its_name(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "broken.tiktoken"
    file.write_bytes(content)
    with pytest.raises(BadVocabulary, match=r"broken\.tiktoken"):
        load(file)


def test_a_rank_that_comes_twice_is_told(tmp_path: Path) -> None:
    file = write_vocabulary(tmp_path / "double.tiktoken")
    file.write_bytes(file.read_bytes() + b"aGVsbG8h 3\n")
    with pytest.raises(BadVocabulary, match="one rank"):
        load(file)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadVocabulary, match="cannot be read"):
        load(tmp_path / "nothing")


@pytest.mark.parametrize(
    "text",
    ["hello world " * 5_000, "世界" * 20_000, "a" * 50_000, "a  b\n" * 9_000, "x " * 8_191 + "end", " ", ""],
)
def test_pieces_are_short_and_joined_the_text(text: str) -> None:
    found = list(pieces(text))
    assert "".join(found) == text
    assert all(len(piece) <= vocabulary.PIECE for piece in found)


def test_counting_in_pieces_is_counting_the_whole(tmp_path: Path) -> None:
    count = load(write_vocabulary(tmp_path / "small.tiktoken"))
    assert count("hello world, hello" * 20_000) == 20_000 * count("hello world, hello")


@pytest.mark.skipif(QWEN is None, reason="neither dashscope nor qwen-agent is installed")
@pytest.mark.parametrize(
    ("text", "tokens"), [("Hello world", 2), ("你好，世界", 3), ("1234567890", 10), ("", 0)]
)  # upstream.md 5
def test_qwens_own_vocabulary_counts_as_qwen_does(text: str, tokens: int) -> None:
    assert QWEN is not None
    assert load(QWEN)(text) == tokens
