"""The credentials of a browser session: cookies and a token that change while the process runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from qwen_auth.credentials import State
from qwen_auth.files import Stamp
from qwen_auth.oauth import Clock
from qwen_auth.web.file import Kept, SessionFile
from qwen_auth.web.session import Session, moment_of

MARGIN = 20.0  # seconds before its expiry at which a token counts as expired; lives of 900 s were seen (3.1)
LEAD = 300.0  # seconds before that in which it is renewed in the background, at most a third of its life


class WebCredentials:
    """One session in one file. Answers change its cookies, the renewer its token; everyone else applies it.

    `problem` says in words why its owner has to capture it again, or None. Until it expires, the token serves in spite
    of it. `unsaved`: memory is ahead of the file. `captures`: how often its owner captured it anew meanwhile.
    """

    def __init__(self, file: SessionFile, kept: Kept, stamp: Stamp | None, *, clock: Clock | None = None) -> None:
        self.file = file
        self.kept = kept
        self.stamp = stamp
        self.problem: str | None = None
        self.unsaved = False
        self.captures = 0
        self._clock = clock or Clock()

    @property
    def session(self) -> Session:
        return self.kept.session

    @property
    def guest(self) -> bool:
        """Whether nobody is signed in."""
        return self.session.guest

    @property
    def token(self) -> str:
        """What tells this session from its successor."""
        return self.session.jwt or self.session.umidtoken

    @property
    def expires_at(self) -> float | None:
        """Seconds since the epoch, as the token itself says; None when it does not, and for guests."""
        return moment_of(self.session.jwt, "exp")

    @property
    def remaining(self) -> float | None:
        """Seconds until the token expires."""
        expiry = self.expires_at
        return None if expiry is None else expiry - self._clock.wall()

    @property
    def state(self) -> State:
        remaining = self.remaining
        if remaining is None:
            return "fresh"
        begin, end = moment_of(self.session.jwt, "iat"), self.expires_at
        life = end - begin if begin is not None and end is not None and end > begin else float("inf")
        usable = remaining - min(MARGIN, life / 3)
        if usable <= 0:
            return "expired"
        return "stale" if usable <= min(LEAD, life / 3) else "fresh"

    @property
    def endpoint(self) -> str | None:
        return None

    def apply(self, headers: dict[str, str]) -> None:
        self.session.apply(headers)

    def secrets(self) -> tuple[str, ...]:
        return self.session.secrets()

    def absorb(self, set_cookies: Iterable[str]) -> None:
        """Take over the cookies of an answer; the file follows within seconds."""
        self.move_on(self.session.merged(set_cookies))

    def move_on(self, session: Session) -> None:
        """The same session, later."""
        if session != self.session:
            self.kept = replace(self.kept, session=session)
            self.unsaved = True

    def adopt(self, kept: Kept | None, stamp: Stamp | None) -> None:
        """The file was replaced by someone else: it counts."""
        self.stamp = stamp
        if kept is None:
            self.problem = f"has no session any more ({self.file.path} is gone)"
        elif kept.session != self.session:
            self.captures += kept.captured != self.kept.captured
            self.kept = kept
            self.problem = None
            self.unsaved = False

    def __eq__(self, other: object) -> bool:
        """Equal when they are the same login: cookies may differ, they change with each answer."""
        if not isinstance(other, WebCredentials):
            return NotImplemented
        return self.file.path == other.file.path and self.token == other.token

    def __hash__(self) -> int:
        return hash(self.file.path)

    def __repr__(self) -> str:
        problem = f", problem={self.problem!r}" if self.problem else ""
        return f"WebCredentials({str(self.file.path)!r}, {self.state}{problem})"
