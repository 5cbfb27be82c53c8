import pytest

from qwen_auth.environment import environment_accounts, read_environment, signin_base_url
from qwen_auth.errors import AccountError, FileError


def found(**environ):
    return [(each.name, each.plan, each.base_url, each.credentials.secrets()) for each in environment_accounts(environ)]


INTL = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"


def test_an_empty_environment_holds_no_account():
    assert environment_accounts({}) == []


@pytest.mark.parametrize(
    ("variable", "account"),
    [
        ("DASHSCOPE_API_KEY", ("dashscope", "model-studio-intl", INTL)),
        (
            "BAILIAN_CODING_PLAN_API_KEY",
            ("coding-plan", "coding-plan", "https://coding-intl.dashscope.aliyuncs.com/v1"),
        ),
        (
            "BAILIAN_TOKEN_PLAN_API_KEY",
            ("token-plan", "token-plan", "https://token-plan.cn-beijing.maas.aliyuncs.com/compatible-mode/v1"),
        ),
        ("QWEN_API_KEY", ("qwen", "model-studio-intl", INTL)),
    ],
)
def test_one_variable_is_one_account(variable, account):
    assert found(**{variable: "sk-1"}) == [(*account, ("sk-1",))]


def test_an_account_says_which_variable_it_is_from():
    [account] = environment_accounts({"DASHSCOPE_API_KEY": "sk-1"})

    assert account.source == "environment variable DASHSCOPE_API_KEY"


def test_a_key_with_a_base_url_goes_there():
    assert found(QWEN_API_KEY="x", QWEN_BASE_URL="http://localhost:11434/v1/") == [
        ("qwen", "ollama", "http://localhost:11434/v1", ("x",))
    ]
    assert found(QWEN_API_KEY="x", QWEN_BASE_URL="http://gpu:8000/v1", QWEN_PLAN="vllm") == [
        ("qwen", "vllm", "http://gpu:8000/v1", ("x",))
    ]


def test_the_sign_in_server_is_no_base_url_for_a_key():
    """Seed A's QWEN_BASE_URL (upstream.md 2.1) in the same environment."""
    assert found(QWEN_API_KEY="sk-1", QWEN_BASE_URL="https://chat.qwen.ai") == [
        ("qwen", "model-studio-intl", INTL, ("sk-1",))
    ]


@pytest.mark.parametrize(
    ("environ", "base_url"),
    [
        ({}, None),
        ({"QWEN_BASE_URL": "http://127.0.0.1:9"}, "http://127.0.0.1:9"),
        ({"QWEN_BASE_URL": "http://127.0.0.1:9", "QWEN_API_KEY": "sk-1"}, None),
        ({"QWEN_BASE_URL": "https://chat.qwen.ai", "QWEN_API_KEY": "sk-1"}, "https://chat.qwen.ai"),
    ],
)
def test_qwen_base_url_is_the_sign_in_server_when_no_key_claims_it(environ, base_url):
    assert signin_base_url(environ) == base_url


@pytest.mark.parametrize(
    ("region", "plan"),
    [("cn", "model-studio-cn"), ("us", "model-studio-us"), ("hk", "model-studio-hk"), (" INTL ", "model-studio-intl")],
)
def test_a_region_moves_the_alibaba_keys(region, plan):
    assert found(DASHSCOPE_API_KEY="sk-1", QWEN_REGION=region)[0][1] == plan


def test_a_region_moves_the_plans_too():
    plans = [
        plan
        for _, plan, _, _ in found(BAILIAN_CODING_PLAN_API_KEY="1", BAILIAN_TOKEN_PLAN_API_KEY="2", QWEN_REGION="cn")
    ]

    assert plans == ["coding-plan-cn", "token-plan"]


def test_a_plan_moves_the_key_it_belongs_to_and_no_other():
    plans = [
        plan
        for _, plan, _, _ in found(
            DASHSCOPE_API_KEY="sk-1", BAILIAN_CODING_PLAN_API_KEY="sk-sp-2", QWEN_PLAN="coding-plan-cn"
        )
    ]

    assert plans == ["model-studio-intl", "coding-plan-cn"]


def test_a_workspace_has_its_own_domain():
    assert found(DASHSCOPE_API_KEY="sk-1", QWEN_REGION="de", QWEN_WORKSPACE="ws-7")[0][2] == (
        "https://ws-7.eu-central-1.maas.aliyuncs.com/compatible-mode/v1"
    )


def test_the_same_key_in_two_variables_is_one_account():
    assert [name for name, *_ in found(DASHSCOPE_API_KEY="sk-1", QWEN_API_KEY=" sk-1 ")] == ["dashscope"]


@pytest.mark.parametrize("raw", ["  sk-1\r\n", '"sk-1"', "'sk-1'\n"])
def test_blanks_and_quotes_around_a_key_are_taken_off(raw):
    assert found(DASHSCOPE_API_KEY=raw)[0][3] == ("sk-1",)


@pytest.mark.parametrize("raw", ["", " ", '""'])
def test_an_empty_key_is_no_account(raw):
    assert found(DASHSCOPE_API_KEY=raw) == []


@pytest.mark.parametrize("raw", ["sk-canary\u00e4", "sk-canary\x00", "sk-canary\nsk-canary2"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(raw):
    with pytest.raises(AccountError, match=r"^DASHSCOPE_API_KEY: the key has a") as fault:
        environment_accounts({"DASHSCOPE_API_KEY": raw})

    assert "canary" not in str(fault.value)


@pytest.mark.parametrize(
    ("environ", "remedy"),
    [
        ({"QWEN_REGION": "mars"}, "use one of intl, cn"),
        ({"QWEN_REGION": "jp"}, "add --workspace ID"),
        ({"QWEN_PLAN": "gold"}, "plans: model-studio-intl"),
        ({"QWEN_PLAN": "qwen-oauth"}, "run `qwen-auth login"),
        ({"QWEN_BASE_URL": "nowhere"}, "give something like https://host/v1"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_with_what_would_do(environ, remedy):
    with pytest.raises(AccountError, match=remedy):
        environment_accounts({"QWEN_API_KEY": "sk-1"} | environ)


def test_the_process_wins_over_the_file(tmp_path):
    (tmp_path / ".env").write_text('DASHSCOPE_API_KEY="sk-$file"\nQWEN_PLAN=vllm\nEMPTY\n')

    environ = read_environment({"QWEN_PLAN": "ollama"}, tmp_path)

    assert environ == {"DASHSCOPE_API_KEY": "sk-$file", "QWEN_PLAN": "ollama"}


def test_without_a_file_there_is_the_process(tmp_path):
    assert read_environment({"A": "1"}, tmp_path) == {"A": "1"}


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(FileError, match=r"\.env: cannot be read"):
        read_environment({}, tmp_path)
