"""Accounts from environment variables, or from a `.env` file read as such.

===============================  =========================================================
`DASHSCOPE_API_KEY`              account `dashscope`, Model Studio
`BAILIAN_CODING_PLAN_API_KEY`    account `coding-plan`
`BAILIAN_TOKEN_PLAN_API_KEY`     account `token-plan`
`QWEN_API_KEY`                   account `qwen`, at `QWEN_BASE_URL`, else at the plan `QWEN_PLAN`
`QWEN_PLAN`                      a preset's name; default `model-studio-intl`
`QWEN_REGION`                    `intl` (default), `cn`, `us`, `hk`, `jp`, `de`: for all Alibaba keys
`QWEN_WORKSPACE`                 a Model Studio workspace ID, whose own domain is then used
`QWEN_TOKEN`, `QWEN_COOKIES`     account `web`, a browser session (see `web.accounts`), at `QWEN_WEB_URL`
===============================  =========================================================

`QWEN_PLAN` also settles the region of the key it belongs to (`QWEN_PLAN=coding-plan-cn` of
`BAILIAN_CODING_PLAN_API_KEY`). The variable names of the keys are qwen-code's (upstream.md 4.1).
Seed A used `QWEN_BASE_URL` for the sign-in server (upstream.md 2.1): so it stays when there is no
`QWEN_API_KEY`, or when it names chat.qwen.ai, which is nobody's API.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from qwen_auth.account import Account, check_base_url
from qwen_auth.credentials import KeyCredentials, clean_key
from qwen_auth.errors import AccountError, FileError
from qwen_auth.plans import Plan, find_key_plan, plan_for_url

_REGIONS = {
    # region: the preset of each variable there
    "intl": ("model-studio-intl", "coding-plan", "token-plan-intl"),
    "cn": ("model-studio-cn", "coding-plan-cn", "token-plan"),
    "us": ("model-studio-us", "coding-plan", "token-plan-intl"),
    "hk": ("model-studio-hk", "coding-plan", "token-plan-intl"),
    "jp": ("model-studio-jp", "coding-plan", "token-plan-intl"),
    "de": ("model-studio-de", "coding-plan", "token-plan-intl"),
}
_VARIABLES = (
    # variable, account, place in a row of _REGIONS, preset when no region is given
    ("DASHSCOPE_API_KEY", "dashscope", 0, "model-studio-intl"),
    ("BAILIAN_CODING_PLAN_API_KEY", "coding-plan", 1, "coding-plan"),
    ("BAILIAN_TOKEN_PLAN_API_KEY", "token-plan", 2, "token-plan"),
    ("QWEN_API_KEY", "qwen", 0, "model-studio-intl"),
)


def read_environment(environ: Mapping[str, str], directory: Path) -> dict[str, str]:
    """The environment over the `.env` file of the directory: what the process says wins."""
    path = directory / ".env"
    try:
        written = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(path, f"cannot be read ({error})", "mend it or move it away") from error
    return {name: value for name, value in written.items() if value is not None} | dict(environ)


def environment_accounts(environ: Mapping[str, str]) -> list[Account]:
    """The accounts these variables describe, in the order of the table above, each key once."""
    accounts: list[Account] = []
    for variable, name, place, preset in _VARIABLES:
        key = _key(environ, variable)
        if not key:
            continue
        plan, base_url = _where(environ, variable, place, preset)
        credentials = KeyCredentials(key)
        if any((known.base_url, known.credentials) == (base_url, credentials) for known in accounts):
            continue
        source = f"environment variable {variable}"
        accounts.append(Account(name, "key", plan.name, base_url, credentials, source=source))
    return accounts


def signin_base_url(environ: Mapping[str, str]) -> str | None:
    """`QWEN_BASE_URL` where it means the sign-in server (upstream.md 2.1), else None."""
    base_url = environ.get("QWEN_BASE_URL", "").strip()
    if base_url and (_is_signin(base_url) or not environ.get("QWEN_API_KEY", "").strip()):
        return base_url
    return None


def _key(environ: Mapping[str, str], variable: str) -> str:
    try:
        return clean_key(environ.get(variable, ""))
    except ValueError as error:
        raise AccountError(f"{variable}: {error}; copy it again from the console") from None


def _where(environ: Mapping[str, str], variable: str, place: int, preset: str) -> tuple[Plan, str]:
    base_url = environ.get("QWEN_BASE_URL", "").strip()
    plan_name = environ.get("QWEN_PLAN", "").strip()
    region = environ.get("QWEN_REGION", "").strip().lower()
    workspace = environ.get("QWEN_WORKSPACE", "").strip() or None
    if variable == "QWEN_API_KEY" and base_url and not _is_signin(base_url):
        check_base_url(base_url)
        return (find_key_plan(plan_name) if plan_name else plan_for_url(base_url)), base_url.rstrip("/")
    if region and region not in _REGIONS:
        raise AccountError(f"QWEN_REGION is {region[:40]!r}; use one of {', '.join(_REGIONS)}")
    plan = find_key_plan(_REGIONS[region][place] if region else preset)
    if plan_name:
        chosen = find_key_plan(plan_name)
        if variable in ("QWEN_API_KEY", chosen.environment):
            plan = chosen
    return plan, plan.url(workspace if plan.workspace_url else None)


def _is_signin(base_url: str) -> bool:
    return urlsplit(base_url).hostname == "chat.qwen.ai"
