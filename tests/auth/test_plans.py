import re

import pytest

from qwen_auth.errors import AccountError
from qwen_auth.plans import PLANS, explain_mismatch, find_plan, plan_for_url

# upstream.md 4.1 and 4.13, copied by hand.
SHARED = {
    "model-studio-intl": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    "model-studio-cn": "https://dashscope.aliyuncs.com/compatible-mode/v1",
    "model-studio-us": "https://dashscope-us.aliyuncs.com/compatible-mode/v1",
    "model-studio-hk": "https://cn-hongkong.dashscope.aliyuncs.com/compatible-mode/v1",
    "trial-intl": "https://trial.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1",
    "trial-cn": "https://trial.cn-beijing.maas.aliyuncs.com/compatible-mode/v1",
    "coding-plan": "https://coding-intl.dashscope.aliyuncs.com/v1",
    "coding-plan-cn": "https://coding.dashscope.aliyuncs.com/v1",
    "token-plan": "https://token-plan.cn-beijing.maas.aliyuncs.com/compatible-mode/v1",
    "token-plan-intl": "https://token-plan.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1",
    "vllm": "http://localhost:8000/v1",
    "ollama": "http://localhost:11434/v1",
    "openrouter": "https://openrouter.ai/api/v1",
}
WORKSPACE = {
    "model-studio-intl": "https://ws-1.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1",
    "model-studio-cn": "https://ws-1.cn-beijing.maas.aliyuncs.com/compatible-mode/v1",
    "model-studio-us": "https://ws-1.us-east-1.maas.aliyuncs.com/compatible-mode/v1",
    "model-studio-hk": "https://ws-1.cn-hongkong.maas.aliyuncs.com/compatible-mode/v1",
    "model-studio-jp": "https://ws-1.ap-northeast-1.maas.aliyuncs.com/compatible-mode/v1",
    "model-studio-de": "https://ws-1.eu-central-1.maas.aliyuncs.com/compatible-mode/v1",
}


@pytest.mark.parametrize(("name", "url"), SHARED.items())
def test_a_plan_has_its_base_url(name, url):
    assert find_plan(name).url() == url


@pytest.mark.parametrize(("name", "url"), WORKSPACE.items())
def test_a_plan_has_the_domain_of_a_workspace(name, url):
    assert find_plan(name).url("ws-1") == url


def test_every_plan_is_covered_here():
    assert {plan.name for plan in PLANS} == SHARED.keys() | WORKSPACE.keys() | {"custom", "no-tools"}


@pytest.mark.parametrize(("name", "url"), [*SHARED.items(), *WORKSPACE.items()])
def test_a_base_url_is_recognised_as_its_plan(name, url):
    assert plan_for_url(url).name == name


@pytest.mark.parametrize(
    "url", ["https://llm.example/v1", "https://maas.aliyuncs.com.evil.example/v1", "http://localhost/v1"]
)
def test_any_other_base_url_is_custom(url):
    assert plan_for_url(url).name == "custom"


def test_an_unknown_plan_is_refused_with_the_names_there_are():
    with pytest.raises(AccountError, match=r"no plan 'coding'.*coding-plan-cn"):
        find_plan("coding")


@pytest.mark.parametrize(
    ("name", "workspace", "remedy"),
    [
        ("model-studio-jp", None, "add --workspace ID"),
        ("custom", None, "add --base-url URL"),
        ("coding-plan", "ws-1", "leave out --workspace"),
        ("model-studio-cn", "evil.example/", "is not a workspace ID"),
        ("model-studio-cn", "ws-1.evil", "is not a workspace ID"),
    ],
)
def test_what_is_missing_or_too_much_is_said(name, workspace, remedy):
    with pytest.raises(AccountError, match=remedy):
        find_plan(name).url(workspace)


@pytest.mark.parametrize(
    ("plan", "key", "words", "remedy"),
    [
        (
            "model-studio-intl",
            "sk-sp-canary",
            "403 'invalid api-key'",
            "qwen-auth add work --replace .* --plan coding-plan`",
        ),
        ("trial-cn", "sk-sp-canary", "Coding Plan or a Token Plan", "--plan token-plan`"),
        ("coding-plan", "sk-canary", "401 'invalid access token or token expired'", "--plan model-studio-intl`"),
        ("token-plan-intl", "sk-ws-H.canary", "begin with sk-sp-", "--plan model-studio-intl`"),
        ("model-studio-cn", "LTAIcanary", "begin with sk- and this one does not", "--plan model-studio-cn`"),
    ],
)
def test_a_key_at_the_wrong_plan_is_explained_with_the_command_that_mends_it(plan, key, words, remedy):
    explanation = explain_mismatch(plan, key, account="work")

    assert explanation is not None
    assert words in explanation
    assert re.search(remedy, explanation)
    assert "canary" not in explanation


@pytest.mark.parametrize(
    ("plan", "key"),
    [
        ("model-studio-intl", "sk-1"),
        ("model-studio-cn", "sk-ws-H.1"),
        ("coding-plan", "sk-sp-1"),
        ("token-plan", "sk-sp-1"),
        ("vllm", "anything"),
        ("ollama", ""),
        ("custom", "sk-sp-1"),
    ],
)
def test_a_key_that_fits_needs_no_words(plan, key):
    assert explain_mismatch(plan, key) is None
