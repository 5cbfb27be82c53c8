"""The moods of the site, for tests to set (upstream.md 3 and 9)."""

from dataclasses import dataclass


@dataclass(slots=True)
class Mood:
    """The mood of chat.qwen.ai; all moods can be combined."""

    parent: str = "response"
    """What continues a chat (section 9 item 1): the `response` id, the `user` message's id that
    `response.created` names, or `either`."""
    wrong_parent: str = "refuse"
    """A parent that is not there is refused, or the site will `forget` what was said before (3.5)."""
    messages: int = 1
    """Messages of a turn. With 2, a system message may lead the first turn, as in October 2025."""
    stream_only: bool = True
    """Texts are refused without `stream` (3.6)."""
    body_limit: int = 131_072
    """Bytes; a larger body always meets the challenge (3.5)."""
    context: int | None = None
    """Tokens of a chat, in place of the model's own limit."""
    guests: bool = True
    guest_turns: int | None = None
    """Turns of a guest in six hours; 2 to 30 in the wild."""
    per_day: int | None = None
    """Turns of a user in 24 hours."""
    burst: int | None = None
    """Turns of all visitors in a minute, before the challenge; 10 to 12 in the wild."""
    challenge: str = ""
    """Every call is challenged: with `json` or with `html`."""
    demands: tuple[str, ...] = ()
    """Headers a browser sends, without which a call is challenged."""
    rotate_cookies: bool = False
    """Each answer sets another `acw_tc`."""
    renew_by_cookie: bool = False
    """An answer to a token past half of its life sets a new one."""
    linger: float = 0.0
    """Seconds a chat stays in progress after a client that left without `stop`."""
    settle: float = 0.0
    """Seconds a chat stays in progress after `stop`; 2 to 4 in the wild (3.11)."""
    summary_grows: bool = False
    """The last item of `summary_thought` grows from event to event."""
    old_usage: bool = False
    """`cached_tokens` at the top of `usage`, as in older captures."""
    image_wait: float = 0.0
    """Seconds between the keep-alives of an image."""
    video_polls: int = 1
    """Polls of a video that is still running."""
    parse_polls: int = 1
    """Polls of a document that is still pending."""
    parse_result: str = "success"
    fault: str = ""
    """A fault on each turn that names none, such as `web-error;after=2`."""
