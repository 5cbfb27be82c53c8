"""Which model answers to a name."""

import pytest

from qwen_gateway.openai.errors import NotFound
from qwen_gateway.upstreams.flavours import flavour
from qwen_gateway.upstreams.models import Naming, chats, resolve

PLAIN = Naming({})
LIST = ["qwen3.7-plus", "ZHIPU/GLM-5.3", "MiniMax-M2.5"]


def model(name: str, host: str = "dashscope", naming: Naming = PLAIN, known: list[str] | None = None) -> str:
    return resolve(name, naming, flavour(host), known)[0]


def notice(name: str, host: str = "dashscope", naming: Naming = PLAIN, known: list[str] | None = None) -> str:
    found = resolve(name, naming, flavour(host), known)[1]
    return f"{found.action}={found.param}" if found else ""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt-4o", "qwen3.7-plus"),
        ("gpt-4o-mini", "qwen3.5-flash"),
        ("gpt-3.5-turbo", "qwen3.5-flash"),
        ("gpt-5-nano", "qwen3.5-flash"),
        ("gpt-5-codex", "qwen3-coder-plus"),
        ("o3", "qwen3.7-plus"),
        ("o4-mini", "qwen3.5-flash"),
        ("chatgpt-4o-latest", "qwen3.7-plus"),
        ("text-embedding-3-small", "text-embedding-v4"),
    ],
)
def test_openais_names_have_a_model(name: str, expected: str) -> None:
    assert model(name) == expected
    assert notice(name) == "translated=model"


@pytest.mark.parametrize(
    "name", ["qwen3.7-plus", "qwq-plus", "qwen/qwen3-coder", "deepseek-v4", "glm-5", "coder-model"]
)
def test_names_of_the_services_own_are_sent_as_they_are(name: str) -> None:
    assert (model(name), notice(name)) == (name, "")


def test_the_list_gives_the_right_case() -> None:
    """Model ids are case-sensitive (upstream.md 4.7)."""
    assert model("minimax-m2.5", known=LIST) == "MiniMax-M2.5"
    assert model("zhipu/glm-5.3", known=LIST) == "ZHIPU/GLM-5.3"


def test_own_names_that_the_list_forgets_are_sent_all_the_same() -> None:
    assert model("qwen-brand-new", known=LIST) == "qwen-brand-new"


def test_the_operators_aliases_come_first() -> None:
    naming = Naming({"gpt-4o": "qwen3-max", "gpt-4*": "qwen-plus", "qwen3.7-plus": "qwen3.6-plus"})

    assert model("gpt-4o", naming=naming) == "qwen3-max"
    assert model("gpt-4.1", naming=naming) == "qwen-plus"
    assert model("qwen3.7-plus", naming=naming) == "qwen3.6-plus"
    assert notice("gpt-4.1", naming=naming) == "translated=model"


def test_unknown_names_get_the_default_and_it_is_told() -> None:
    assert model("claude-sonnet") == "qwen3.7-plus"
    assert model("claude-sonnet", naming=Naming({}, default="qwen3-max")) == "qwen3-max"
    assert notice("claude-sonnet") == "defaulted=model"


def test_unknown_names_are_refused_when_the_operator_wants_that() -> None:
    strict = Naming({}, strict=True)

    with pytest.raises(NotFound) as refused:
        model("claude-sonnet", naming=strict)

    assert (refused.value.status, refused.value.code) == (404, "model_not_found")
    assert model("gpt-4o", naming=strict) == "qwen3.7-plus"
    assert model("qwen-plus", naming=strict) == "qwen-plus"


def test_plans_without_a_model_have_a_stand_in() -> None:
    assert model("gpt-4o-mini", "coding-plan") == "qwen3.5-plus"
    assert model("gpt-4o-mini", "token-plan") == "qwen3.5-plus"


class TestHostsOfFewModels:
    def test_what_is_on_the_list_is_sent(self) -> None:
        assert model("qwen3:8b", "ollama", known=["qwen3:8b"]) == "qwen3:8b"
        assert notice("qwen3:8b", "ollama", known=["qwen3:8b"]) == ""

    def test_all_else_is_the_first_of_the_list(self) -> None:
        assert model("gpt-4o", "ollama", known=["qwen3:8b", "qwen3:4b"]) == "qwen3:8b"
        assert model("qwen-plus", "vllm", known=["Qwen/Qwen3-32B"]) == "Qwen/Qwen3-32B"
        assert notice("gpt-4o", "ollama", known=["qwen3:8b"]) == "defaulted=model"

    def test_without_a_list_only_the_host_can_tell(self) -> None:
        assert model("gpt-4o", "ollama") == "gpt-4o"
        assert model("gpt-4o", "ollama", known=[]) == "gpt-4o"


@pytest.mark.parametrize(
    ("name", "chatting"),
    [
        ("qwen3.7-plus", True),
        ("ZHIPU/GLM-5.3", True),
        ("text-embedding-v4", False),
        ("qwen3-asr-flash", False),
        ("qwen-image-edit", False),
        ("gte-rerank", False),
        ("wan2.2-t2v", False),
        ("wanx2.1", False),
        ("paraformer-v2", False),
        ("taiwan-llm", True),
    ],
)
def test_models_that_do_not_chat_are_known_by_name(name: str, chatting: bool) -> None:
    assert chats(name) is chatting
