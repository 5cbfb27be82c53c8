"""Why an upstream says 401 or 403, in words, with what to do (upstream.md 2.12, 4.1, 4.6, 4.7)."""

from __future__ import annotations

from qwen_auth.account import Account
from qwen_auth.oauth import FREE_TIER_CLOSED, OAuthCredentials
from qwen_auth.plans import explain_mismatch, find_plan

_BY_FLAVOUR = {
    "dashscope": (
        "Keys are bound to a region and a plan, and this one is not for {title}: run "
        "`qwen-auth add {name} --replace --key-from-stdin --plan PLAN` with the plan of its region "
        "(`qwen-auth plans`), or copy the key again from the console."
    ),
    "coding-plan": (
        "The subscription has ended, or the key is not of the {title}: look at the plan's page in the console, "
        "then run `qwen-auth add {name} --replace --key-from-stdin --plan PLAN` (`qwen-auth plans`)."
    ),
    "openrouter": "Run `qwen-auth add {name} --replace --key-from-stdin --plan openrouter` with a key that is active.",
}
_BY_FLAVOUR["token-plan"] = _BY_FLAVOUR["coding-plan"]
_OTHERWISE = "The server wants another key: run `qwen-auth add {name} --replace --key-from-stdin --base-url {url}`."


def explain_refusal(account: Account, status: int) -> str | None:
    """In words, why this account was refused with 401 or 403 though its credentials are fresh.

    A 403 to a key that looks right is about a model or a quota; the upstream's own words say more.
    """
    if isinstance(account.credentials, OAuthCredentials):
        return FREE_TIER_CLOSED
    key = next(iter(account.credentials.secrets()), "")
    mismatch = explain_mismatch(account.plan, key, account=account.name)
    if mismatch or status != 401:
        return mismatch and mismatch[0].upper() + mismatch[1:] + "."
    words = _BY_FLAVOUR.get(account.flavour, _OTHERWISE)
    return words.format(name=account.name, title=find_plan(account.plan).title, url=account.base_url)
