"""The places an API key can be for: every base URL of upstream.md 4.1 and 4.13, one row each.

A key of Alibaba's is bound to a region *and* to a billing plan; a wrong pair answers 401 or 403
(upstream.md 4.1, 4.7). `explain_mismatch` says so from the look of the key, before or after the fact.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from qwen_auth.errors import AccountError

_SHARED = "https://{}/compatible-mode/v1"
_WORKSPACE = "https://{{workspace}}.{}.maas.aliyuncs.com/compatible-mode/v1"


@dataclass(frozen=True, slots=True)
class Plan:
    """One row: where the calls go, what the key looks like, which quirks to expect.

    `flavour` is the name under which the upstream code keeps the quirks of that service. `base_url` is
    None where only a workspace's own domain exists, or where the user must give it.
    """

    name: str
    title: str
    flavour: str
    base_url: str | None
    source: str
    workspace_url: str | None = None
    key_prefix: str | None = None
    key_optional: bool = False
    environment: str | None = None

    def url(self, workspace: str | None = None) -> str:
        """The base URL, of one workspace when given (upstream.md 4.1 recommends that)."""
        if workspace is not None:
            if self.workspace_url is None:
                raise AccountError(f"plan {self.name!r} has no workspace domains; leave out --workspace")
            if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", workspace):
                raise AccountError(f"{workspace[:80]!r} is not a workspace ID; it looks like ws-1234567890abcdef")
            return self.workspace_url.format(workspace=workspace)
        if self.base_url is None:
            needs = "--workspace ID" if self.workspace_url else "--base-url URL"
            raise AccountError(f"plan {self.name!r} has no base URL of its own; add {needs}")
        return self.base_url


def _model_studio(name: str, place: str, region: str, host: str | None) -> Plan:
    return Plan(
        name=f"model-studio-{name}",
        title=f"Model Studio, {place}, pay as you go",
        flavour="dashscope",
        base_url=_SHARED.format(host) if host else None,
        workspace_url=_WORKSPACE.format(region),
        key_prefix="sk-",
        environment="DASHSCOPE_API_KEY",
        source="4.1",
    )


def _trial(name: str, place: str, region: str) -> Plan:
    return Plan(
        name=f"trial-{name}",
        title=f"Model Studio trial, {place}",
        flavour="dashscope",
        base_url=_SHARED.format(f"trial.{region}.maas.aliyuncs.com"),
        key_prefix="sk-",
        environment="DASHSCOPE_API_KEY",
        source="4.1",
    )


def _subscription(name: str, title: str, flavour: str, url: str) -> Plan:
    return Plan(
        name=name,
        title=title,
        flavour=flavour,
        base_url=url,
        key_prefix="sk-sp-",
        environment=f"BAILIAN_{flavour.replace('-', '_').upper()}_API_KEY",
        source="4.1, 4.7",
    )


def _server(name: str, title: str, url: str | None, *, flavour: str, key_optional: bool) -> Plan:
    return Plan(name, title, flavour, url, "4.13", key_optional=key_optional)


PLANS: tuple[Plan, ...] = (
    _model_studio("intl", "Singapore", "ap-southeast-1", "dashscope-intl.aliyuncs.com"),
    _model_studio("cn", "Beijing", "cn-beijing", "dashscope.aliyuncs.com"),
    _model_studio("us", "Virginia", "us-east-1", "dashscope-us.aliyuncs.com"),
    _model_studio("hk", "Hong Kong", "cn-hongkong", "cn-hongkong.dashscope.aliyuncs.com"),
    _model_studio("jp", "Tokyo", "ap-northeast-1", None),
    _model_studio("de", "Frankfurt", "eu-central-1", None),
    _trial("intl", "Singapore", "ap-southeast-1"),
    _trial("cn", "Beijing", "cn-beijing"),
    # Mind the paths: the Coding Plan has /v1 where all others have /compatible-mode/v1.
    _subscription(
        "coding-plan", "Coding Plan, international", "coding-plan", "https://coding-intl.dashscope.aliyuncs.com/v1"
    ),
    _subscription("coding-plan-cn", "Coding Plan, China", "coding-plan", "https://coding.dashscope.aliyuncs.com/v1"),
    _subscription(
        "token-plan", "Token Plan, Beijing", "token-plan", _SHARED.format("token-plan.cn-beijing.maas.aliyuncs.com")
    ),
    _subscription(
        "token-plan-intl",
        "Token Plan, Singapore",
        "token-plan",
        _SHARED.format("token-plan.ap-southeast-1.maas.aliyuncs.com"),
    ),
    _server("vllm", "vLLM, your own server", "http://localhost:8000/v1", flavour="vllm", key_optional=True),
    _server("ollama", "Ollama, your own server", "http://localhost:11434/v1", flavour="ollama", key_optional=True),
    _server("openrouter", "OpenRouter", "https://openrouter.ai/api/v1", flavour="openrouter", key_optional=False),
    _server("custom", "any other OpenAI-compatible server", None, flavour="compatible", key_optional=True),
    _server("no-tools", "a server that knows no tools", None, flavour="tools-by-prompt", key_optional=True),
)

QWEN_OAUTH = Plan("qwen-oauth", "Qwen login (qwen-code)", "portal", "https://portal.qwen.ai/v1", "2.1, 2.7")
"""Not for keys: the plan of accounts of kind `oauth`, made by `qwen-auth login`."""

QWEN_WEB = Plan("qwen-web", "chat.qwen.ai, a browser session", "web", "https://chat.qwen.ai", "3.1")
"""Not for keys: the plan of accounts of kind `web`, made by `qwen-auth add NAME --web`."""

_BY_NAME = {plan.name: plan for plan in (*PLANS, QWEN_OAUTH, QWEN_WEB)}


def find_plan(name: str) -> Plan:
    """The row of that name, or `AccountError` listing the names."""
    try:
        return _BY_NAME[name]
    except KeyError:
        names = ", ".join(plan.name for plan in PLANS)
        raise AccountError(f"there is no plan {name[:80]!r}; plans: {names}") from None


def find_key_plan(name: str) -> Plan:
    """The same, for keys only."""
    if name == QWEN_OAUTH.name:
        raise AccountError(f"plan {name!r} takes no key; run `qwen-auth login NAME`")
    if name == QWEN_WEB.name:
        raise AccountError(f"plan {name!r} takes no key; run `qwen-auth add NAME --web --from-curl`")
    return find_plan(name)


def plan_for_url(url: str) -> Plan:
    """The row a base URL belongs to, so that its quirks are known; `custom` when it is no one's."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    for plan in PLANS:
        known = urlsplit(plan.base_url or "")
        if known.hostname == host and known.port == port:
            return plan
    for plan in PLANS:
        _, _, region = urlsplit(plan.workspace_url or "").netloc.partition("}")
        if region and host.endswith(region):
            return plan
    return _BY_NAME["custom"]


def explain_mismatch(plan: str, key: str, *, account: str = "NAME") -> str | None:
    """In words, why this key does not belong to this plan, with the command that mends it; else None.

    Judged by prefixes only (upstream.md 4.1): None does not mean that the key is right.
    """
    row = find_plan(plan)
    if row.environment is None or not key:
        return None
    add = f"qwen-auth add {account} --replace --key-from-stdin"
    is_plan_key = key.startswith("sk-sp-")
    if row.key_prefix == "sk-sp-" and not is_plan_key:
        return (
            f"keys of the {row.title} begin with sk-sp- and this one does not: there it answers 401 "
            f"'invalid access token or token expired'. If it is a pay-as-you-go key, "
            f"run `{add} --plan model-studio-intl` (or another region: `qwen-auth plans`)"
        )
    if row.key_prefix == "sk-" and is_plan_key:
        return (
            f"this key begins with sk-sp-, so it belongs to a Coding Plan or a Token Plan: at the pay-as-you-go "
            f"URL of {row.name} it answers 403 'invalid api-key'. "
            f"Run `{add} --plan coding-plan` or `{add} --plan token-plan` (other regions: `qwen-auth plans`)"
        )
    if not key.startswith("sk-"):
        return (
            f"keys of {row.title} begin with sk- and this one does not; "
            f"copy it again from the console and run `{add} --plan {row.name}`"
        )
    return None
