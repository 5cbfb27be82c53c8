"""Paths and the surfaces they belong to."""

import pytest

from qwen_gateway.router import INTERCEPTED, route


@pytest.mark.parametrize("prefix", ["", "/v1", "/openai", "/openai/v1"])
@pytest.mark.parametrize("end", ["", "/", "?api-version=1"])
@pytest.mark.parametrize(
    ("path", "surface", "methods"),
    [("/chat/completions", "chat", {"GET", "POST"}), ("/models", "models", {"GET", "HEAD"}),
     ("/models/qwen3.7-plus", "model", {"GET", "HEAD"})],
)  # fmt: skip
def test_base_urls_differ_and_surfaces_do_not(
    prefix: str, end: str, path: str, surface: str, methods: set[str]
) -> None:
    found = route(prefix + path + end)

    assert (found.surface, found.allowed) == (surface, methods)


@pytest.mark.parametrize("name", ["qwen3.7-plus", "qwen/qwen3-coder", "qwen3:8b", "ZHIPU%2FGLM-5.3"])
def test_a_models_name_stands_in_the_path(name: str) -> None:
    assert route(f"/v1/models/{name}").argument == name


@pytest.mark.parametrize(("path", "argument"), [("/health", ""), ("/health/live", "live"), ("/health/ready", "ready")])
def test_health_has_no_prefix(path: str, argument: str) -> None:
    assert (route(path).surface, route(path).argument) == ("health", argument)
    assert route(f"/v1{path}").surface == "unknown"


@pytest.mark.parametrize(
    "path", ["/", "", "/v1", "/v1/embeddings/x", "/v1/chat", "/v2/chat/completions", "/v1/chat/completions/x",
             "/health/other", "//v1/models", "*", "/v1/models\n"],
)  # fmt: skip
def test_all_else_is_unknown(path: str) -> None:
    assert route(path).surface == "unknown"
    assert route(path).allowed == frozenset()


def test_health_is_not_taken_from_intercepted_hosts() -> None:
    kept = {"compact", "input tokens", "stored response", "stored chat", "conversations"}
    assert kept | {"chat", "responses", "completions", "embeddings", "models", "model"} == INTERCEPTED
