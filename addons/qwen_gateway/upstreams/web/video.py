"""Videos: a task at the site that is asked after until it is done (upstream.md 3.8)."""

from collections.abc import Callable
from typing import Any

from qwen_gateway.codec.deltas import Delta, Fault, Finish, Text
from qwen_gateway.codec.json import BadJSON, loads
from qwen_gateway.upstreams.steps import Request, Steps
from qwen_gateway.upstreams.web.answer import BODY_LIMIT
from qwen_gateway.upstreams.web.headers import page_headers
from qwen_gateway.upstreams.web.refusals import fault_of_object, fault_of_site

RUNNING = "TaskRunning"
EVERY, MOST = 3.0, 240
"""Seconds between two questions, and how many; other clients ask every 2 to 20 seconds for 3 to 20 minutes."""


def watch(task: str, origin: str, *, every: float = EVERY) -> Steps:
    """Ask after a task; each question may have the answer."""
    for _ in range(MOST):
        path = f"/api/v1/tasks/status/{task}"
        outcome = yield Request("GET", path, page_headers(origin), final=True, pause=every)
        if not isinstance(outcome, Fault) or outcome.code != RUNNING:
            return outcome if isinstance(outcome, Fault) else None
    return Fault(0, "", f"the video was not ready after {MOST * every:.0f} s", origin="timeout")


def task_of(data: dict[str, Any]) -> str | None:
    """The task that a turn began (`data.messages[0].extra.wanx.task_id`)."""
    found: Any = data.get("messages")
    for key in (0, "extra", "wanx", "task_id"):
        try:
            found = found[key]
        except (LookupError, TypeError):
            return None
    return found if isinstance(found, str) and found.replace("-", "").isalnum() else None


class VideoTask:
    """A decoder of a task's state: its film as a link, or a fault while there is none.

    Args:
        whole: told when it is done.
    """

    def __init__(self, whole: Callable[[], None]) -> None:
        self.done = False
        self._whole = whole
        self._body = b""

    def feed(self, data: bytes) -> list[Delta]:
        self._body = (self._body + data)[:BODY_LIMIT]
        return []

    def close(self) -> list[Delta]:
        if self.done:
            return []
        self.done = True
        try:
            state = loads(self._body)
        except BadJSON:
            return [fault_of_site(self._body) or Fault(0, "", "the state of a task is not JSON", origin="body")]
        if fault := fault_of_object(state):
            return [fault]
        status = state.get("task_status") if isinstance(state, dict) else None
        if status == "running":
            return [Fault(0, RUNNING, "the video is being made", origin="stream")]
        film = state.get("content") if isinstance(state, dict) else None
        if status != "success" or not isinstance(film, str) or not film.startswith("http"):
            return [Fault(0, "VideoFailed", "chat.qwen.ai could not make the video", origin="stream")]
        self._whole()
        return [Text(f"[video]({film})"), Finish("stop")]
