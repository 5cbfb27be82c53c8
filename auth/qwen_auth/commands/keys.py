"""`add`, `remove` and `plans`: accounts with an API key."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

import click
from rich.text import Text

from qwen_auth.account import Account, check_base_url, check_name
from qwen_auth.commands.sessions import add_session
from qwen_auth.commands.terminal import emit, environment, json_option, out, say, warn
from qwen_auth.credentials import KeyCredentials, clean_key
from qwen_auth.errors import AccountError
from qwen_auth.loading import load_accounts
from qwen_auth.logins import remove_login
from qwen_auth.plans import PLANS, QWEN_WEB, Plan, explain_mismatch, find_key_plan, plan_for_url
from qwen_auth.qwen_store import DEFAULT, QwenDirectory
from qwen_auth.store import AccountStore, gateway_home
from qwen_auth.web.credentials import WebCredentials

MAX_KEY = 4096
MAX_CURL = 1_000_000
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@click.command()
@click.argument("name")
@click.option("--plan", "plan_name", metavar="PLAN", help="Where the key is for; `qwen-auth plans` lists them.")
@click.option("--base-url", metavar="URL", help="Another server, or another address of the plan's server.")
@click.option("--workspace", metavar="ID", help="Use the domain of this Model Studio workspace.")
@click.option("--key-from-stdin", is_flag=True, help="Read the key from stdin (hidden, when that is a terminal).")
@click.option("--key-env", metavar="VAR", help="Copy the key from this environment variable.")
@click.option("--proxy", metavar="URL", help="Make this account's calls through an egress proxy.")
@click.option("--model", "models", metavar="MODEL", multiple=True, help="Only this model; repeat for more.")
@click.option("--replace", is_flag=True, help="Put it in the place of an account of that name.")
@click.option("--web", is_flag=True, help="A browser session of chat.qwen.ai; its JWT is the key, unless --from-curl.")
@click.option("--from-curl", is_flag=True, help="Read a request from stdin, as the browser copied it as cURL.")
@json_option
def add(
    *,
    name: str,
    plan_name: str | None,
    base_url: str | None,
    workspace: str | None,
    key_from_stdin: bool,
    key_env: str | None,
    proxy: str | None,
    models: tuple[str, ...],
    replace: bool,
    web: bool,
    from_curl: bool,
    as_json: bool,
) -> None:
    """Store an account with an API key, or a browser session.

    The key never goes on the command line. It is asked for, or read from stdin or a variable:

    \b
      qwen-auth add work --plan model-studio-intl
      pass show qwen | qwen-auth add work --plan coding-plan --key-from-stdin
      qwen-auth add gpu --plan vllm --base-url http://gpu:8000/v1
      qwen-auth add me --web --from-curl < request.txt
    """
    check_name(name)
    if web or from_curl:
        if plan_name or workspace or (from_curl and (key_from_stdin or key_env)):
            raise click.UsageError("a browser session has no plan and no workspace, and its JWT is its key")
        text = _read_curl() if from_curl else ""
        token = "" if from_curl else _read_key(QWEN_WEB, key_from_stdin=key_from_stdin, variable=key_env)
        add_session(name, text, token, base_url=base_url, proxy=proxy, models=models, replace=replace, as_json=as_json)
        return
    plan, url = _where(plan_name, base_url, workspace)
    if key_from_stdin and key_env:
        raise click.UsageError("give either --key-from-stdin or --key-env, not both")
    key = _read_key(plan, key_from_stdin=key_from_stdin, variable=key_env)
    account = Account(name, "key", plan.name, url, KeyCredentials(key), proxy, models or None)
    store = AccountStore(gateway_home(environment()), warn)
    store.add(account, replace=replace)
    problem = explain_mismatch(plan.name, key, account=name)
    if problem:
        warn(problem)
    parts = urlsplit(url)
    if key and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        warn(f"{url} is not encrypted: whoever sits between can read the key")
    if as_json:
        emit({"name": name, "kind": "key", "plan": plan.name, "base_url": url, "warning": problem})
    else:
        say(f"Account {name} is stored in {store.path}: {plan.title}, {url}")
        say(f"Try it with `qwen-auth test {name}`.")


@click.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Remove qwen-code's own login too.")
@json_option
def remove(name: str, yes: bool, as_json: bool) -> None:
    """Forget an account and its key or login."""
    environ = environment()
    accounts = {account.name: account for account in load_accounts(environ, warn=lambda _: None)}
    account = accounts.get(name)
    if account is not None and account.source.startswith("environment"):
        raise AccountError(f"account {name!r} comes from the {account.source}; unset that to remove it")
    store = AccountStore(gateway_home(environ), warn)
    if account is not None and isinstance(account.credentials, WebCredentials):
        account.credentials.file.remove()
    elif account is not None and account.kind == "oauth":
        if name == DEFAULT and not yes:
            raise AccountError(f"{account.source} is qwen-code's own login; add --yes to sign it out too")
        remove_login(QwenDirectory.from_environment(environ, warn).file(name), name, tuple(accounts))
        if any(entry.name == name for entry in store.entries()):
            store.remove(name)
    else:
        store.remove(name)
    if as_json:
        emit({"name": name, "removed": True})
    else:
        say(f"Account {name} is removed.")


@click.command()
@json_option
def plans(as_json: bool) -> None:
    """Show where an API key can be for: names for --plan."""
    if as_json:
        for plan in PLANS:
            emit({field: getattr(plan, field) for field in Plan.__dataclass_fields__})
        return
    console = out()
    for plan in PLANS:
        url = plan.base_url or (plan.workspace_url or "").replace("{workspace}", "WORKSPACE") or "--base-url URL"
        key = f"{plan.key_prefix}…" if plan.key_prefix else "key optional" if plan.key_optional else ""
        console.print(Text.assemble((f"{plan.name:<19} ", "bold"), f"{plan.title:<40} ", (key, "cyan")))
        console.print(Text(f"    {url}", "dim"), soft_wrap=True)
    say("With --workspace ID, the model-studio plans use the domain of that workspace.", "dim")


def _where(plan_name: str | None, base_url: str | None, workspace: str | None) -> tuple[Plan, str]:
    if base_url is None:
        if plan_name is None:
            raise click.UsageError("say where the key is for: --plan PLAN (see `qwen-auth plans`) or --base-url URL")
        plan = find_key_plan(plan_name)
        return plan, plan.url(workspace)
    if workspace is not None:
        raise click.UsageError("give either --base-url or --workspace, not both")
    url = check_base_url(base_url).rstrip("/")
    return (find_key_plan(plan_name) if plan_name else plan_for_url(url)), url


def _read_curl() -> str:
    if sys.stdin.isatty():
        say("Paste the command, then press Enter and Ctrl-D.")
    text = sys.stdin.buffer.read(MAX_CURL + 1).decode(errors="replace")
    if len(text) > MAX_CURL:
        raise AccountError("stdin holds more than 1 MB, which is no request; copy it again")
    return text


def _read_key(plan: Plan, *, key_from_stdin: bool, variable: str | None) -> str:
    """The key from where the user put it; the empty one only where the server needs none."""
    at_terminal = sys.stdin.isatty()
    if variable is not None:
        raw, source = environment().get(variable, ""), f"environment variable {variable}"
    elif at_terminal and (key_from_stdin or not plan.key_optional):
        raw, source = click.prompt("Key", hide_input=True, default="", show_default=False, err=True), "your answer"
    elif key_from_stdin:
        raw, source = sys.stdin.buffer.read(MAX_KEY + 1).decode(errors="replace"), "stdin"
    elif plan.key_optional:
        return ""
    else:
        raise click.UsageError("there is no terminal to ask for the key: add --key-from-stdin or --key-env VAR")
    if len(raw) > MAX_KEY:
        raise AccountError(f"{source} holds more than {MAX_KEY} characters, which is no key")
    try:
        key = clean_key(raw)
    except ValueError as error:
        raise AccountError(f"{source}: {error}; copy it again from the console") from None
    if not key and not plan.key_optional:
        raise AccountError(f"{source} holds no key; {plan.title} needs one")
    return key
