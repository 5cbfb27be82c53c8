"""What can go wrong with an account, in one tree.

::

    AuthError                 anything about accounts                           exit code 1
    ├── AccountError          a name, key, URL or plan that cannot be right                2
    ├── UnknownAccountError   no account of that name                                      3
    ├── NeedsLoginError       only its owner can mend it, by signing in                    4
    ├── RefusedError          the upstream was reached and said no                         5
    │   ├── DeadTokenError    it knows this refresh token no longer                        5
    │   ├── DeniedError       the sign-in was denied                                       5
    │   └── ExpiredError      the sign-in took too long                                    5
    ├── UnreachableError      the upstream was not reached, or spoke nonsense              6
    ├── FileError             a file that cannot be read, written or understood            1
    └── LockTimeoutError      another process holds a lock for too long                    1

Every message names the value and the remedy, and never a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar


class AuthError(Exception):
    """Anything that goes wrong with an account.

    `exit_code` is what `qwen-auth` ends with, `kind` the stable word of its JSON output, and
    `retryable` says whether the same attempt can succeed later with nobody doing anything.
    """

    exit_code: ClassVar[int] = 1
    kind: ClassVar[str] = "fault"
    retryable: ClassVar[bool] = False


class AccountError(AuthError):
    """A name, key, URL or plan that cannot be right, whoever tries."""

    exit_code = 2
    kind = "bad_account"


class UnknownAccountError(AuthError):
    """There is no account of that name."""

    exit_code = 3
    kind = "no_such_account"

    def __init__(self, name: str, known: tuple[str, ...] = ()) -> None:
        self.name = name
        hint = (
            f"known accounts: {', '.join(known)}" if known else "there are no accounts yet; see `qwen-auth add --help`"
        )
        super().__init__(f"there is no account {name!r}; {hint}")


class NeedsLoginError(AuthError):
    """The stored login is dead or incomplete; its owner has to sign in again."""

    exit_code = 4
    kind = "needs_login"

    def __init__(self, name: str, problem: str, remedy: str = "") -> None:
        self.name = name
        super().__init__(f"account {name!r} {problem}; {remedy or f'run `qwen-auth login {name}`'}")


class RefusedError(AuthError):
    """The upstream was reached, understood us, and said no."""

    exit_code = 5
    kind = "refused"


class DeadTokenError(RefusedError):
    """The refresh token is used up, revoked or unknown; only a new login helps."""

    kind = "dead_token"


class DeniedError(RefusedError):
    """The person who was asked to approve a sign-in said no."""


class ExpiredError(RefusedError):
    """Nobody approved a sign-in in time, or its code is unknown by now."""


class UnreachableError(AuthError):
    """The upstream was not reached, took too long, or answered with something that is no answer."""

    exit_code = 6
    kind = "unreachable"
    retryable = True


class FileError(AuthError):
    """A file that cannot be read, written or understood. It is left as it is."""

    kind = "file"

    def __init__(self, path: Path, problem: str, remedy: str, *, line: int | None = None) -> None:
        self.path = path
        self.line = line
        where = f"{path}:{line}" if line is not None else f"{path}"
        super().__init__(f"{where}: {problem}; {remedy}")


class LockTimeoutError(AuthError):
    """Another process holds a lock for longer than anyone needs it."""

    kind = "locked"
    retryable = True

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path} is held by another process; try again, "
            "or delete that file if neither a gateway nor qwen-code is running"
        )


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text without these strings, for words that a server said. Cut it short afterwards, never before."""
    for secret in sorted(secrets, key=len, reverse=True):
        if secret:
            text = text.replace(secret, "***")
    return text
