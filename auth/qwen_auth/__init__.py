"""Accounts that can call Qwen: API keys, Qwen logins, and where they are kept."""

from qwen_auth.account import Account, Kind
from qwen_auth.authorization import AuthorizationServer
from qwen_auth.counts import RequestCounts, Tally
from qwen_auth.credentials import Credentials, KeyCredentials, State
from qwen_auth.device_flow import DeviceCode, DeviceFlow, sign_in
from qwen_auth.environment import read_environment
from qwen_auth.errors import (
    AccountError,
    AuthError,
    DeadTokenError,
    FileError,
    LockTimeoutError,
    NeedsLoginError,
    RefusedError,
    UnknownAccountError,
    UnreachableError,
)
from qwen_auth.loading import load_accounts
from qwen_auth.logins import store_login
from qwen_auth.oauth import FREE_TIER_CLOSED, OAuthCredentials, closed_tier
from qwen_auth.plans import PLANS, Plan, explain_mismatch, find_plan, plan_for_url
from qwen_auth.qwen_store import QwenDirectory, qwen_directory
from qwen_auth.refresher import Refresher
from qwen_auth.refusals import explain_refusal
from qwen_auth.rests import Resting, read_rests, write_rests
from qwen_auth.store import AccountStore, gateway_home
from qwen_auth.token import Token

__all__ = [
    "FREE_TIER_CLOSED",
    "PLANS",
    "Account",
    "AccountError",
    "AccountStore",
    "AuthError",
    "AuthorizationServer",
    "Credentials",
    "DeadTokenError",
    "DeviceCode",
    "DeviceFlow",
    "FileError",
    "KeyCredentials",
    "Kind",
    "LockTimeoutError",
    "NeedsLoginError",
    "OAuthCredentials",
    "Plan",
    "QwenDirectory",
    "Refresher",
    "RefusedError",
    "RequestCounts",
    "Resting",
    "State",
    "Tally",
    "Token",
    "UnknownAccountError",
    "UnreachableError",
    "closed_tier",
    "explain_mismatch",
    "explain_refusal",
    "find_plan",
    "gateway_home",
    "load_accounts",
    "plan_for_url",
    "qwen_directory",
    "read_environment",
    "read_rests",
    "sign_in",
    "store_login",
    "write_rests",
]
