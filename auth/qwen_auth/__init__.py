"""Accounts that can call Qwen: API keys, Qwen logins, and where they are kept."""

from qwen_auth.account import Account, Kind
from qwen_auth.credentials import Credentials, KeyCredentials, State
from qwen_auth.environment import read_environment
from qwen_auth.errors import (
    AccountError,
    AuthError,
    FileError,
    LockTimeoutError,
    NeedsLoginError,
    RefusedError,
    UnknownAccountError,
    UnreachableError,
)
from qwen_auth.loading import load_accounts
from qwen_auth.plans import PLANS, Plan, explain_mismatch, find_plan, plan_for_url
from qwen_auth.store import AccountStore, gateway_home

__all__ = [
    "PLANS",
    "Account",
    "AccountError",
    "AccountStore",
    "AuthError",
    "Credentials",
    "FileError",
    "KeyCredentials",
    "Kind",
    "LockTimeoutError",
    "NeedsLoginError",
    "Plan",
    "RefusedError",
    "State",
    "UnknownAccountError",
    "UnreachableError",
    "explain_mismatch",
    "find_plan",
    "gateway_home",
    "load_accounts",
    "plan_for_url",
    "read_environment",
]
