"""The requests of one call, in their order: files, a chat if there is none, the turn (upstream.md 3.4, 3.5, 3.9).

A chat that was to be continued may be gone, may have moved on, or may still be talking. The client need not know: once,
the chat is told to stop and asked again, or a new one is made that has the whole conversation in its first turn (3.11).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from qwen_gateway.codec.deltas import Fault
from qwen_gateway.openai.notices import Notice
from qwen_gateway.upstreams.situation import Chat, Parent
from qwen_gateway.upstreams.steps import Request, Steps
from qwen_gateway.upstreams.web.files import data_of, upload
from qwen_gateway.upstreams.web.pictures import Upload
from qwen_gateway.upstreams.web.refusals import CHAT_LOST, IN_PROGRESS, PARENT_LOST
from qwen_gateway.upstreams.web.turn import new_chat, stop, turn
from qwen_gateway.upstreams.web.video import task_of, watch

LOST = frozenset({PARENT_LOST, CHAT_LOST, IN_PROGRESS})
"""Faults of a chat that a new one does not have."""

SETTLE = 2.5
"""Seconds after which a chat that was told to stop has stopped: 2 to 4 were seen (3.11)."""


@dataclass(slots=True)
class Plan:
    """What shall be said, and where.

    Attributes:
        chat: the chat to continue with `text`; None: a new one, with the transcript.
        uploads: the files that go with the text.
        transcript, pictures: the whole conversation as a text with its files, made when it is needed.
        notices: what is told of the call; the encoded call's own list.
        made: the chat was made for this call.
        running: the chat in which something was asked; empty until then.
        anew: the chat to continue was lost, and a new one has taken its place.
    """

    origin: str
    model: str
    chat_type: str
    feature_config: dict[str, Any]
    guest: bool
    chat: Chat | None
    text: str
    uploads: list[Upload]
    size: str | None
    transcript: Callable[[], tuple[str, list[Upload]]]
    pictures: Callable[[], list[Upload]]
    parent: Parent = "response"
    notices: list[Notice] = field(default_factory=list)
    running: str = ""
    anew: bool = False
    made: bool = False

    def first(self) -> list[Notice]:
        """Make ready what the first turn says.

        Raises:
            OpenAIError: it cannot be said here.
        """
        if self.chat is None:
            self.take_all()
        return [
            Notice("translated", "messages", f"{each.size} bytes of text are sent as a file")
            for each in self.uploads
            if each.file_class == "document"
        ]

    def take_all(self) -> None:
        """Say the whole conversation."""
        text, documents = self.transcript()
        self.text, self.uploads = text, [*self.pictures(), *documents]

    def ask(self, chat: Chat, files: list[dict[str, Any]], *, pause: float = 0.0) -> Request:
        """The turn."""
        request = turn(
            self.origin,
            chat,
            self.model,
            self.text,
            feature_config=self.feature_config,
            chat_type=self.chat_type,
            files=files,
            guest=self.guest,
            size=self.size,
        )
        request.pause = pause
        self.running = chat.id
        return request


def play(plan: Plan) -> Steps:
    """The requests (see `upstreams.steps`)."""
    fault = yield from _say(plan)
    if fault is None or plan.chat is None or not plan.chat.parent or fault.code not in LOST:
        return fault
    plan.anew, plan.chat, plan.running = True, None, ""
    plan.notices.append(Notice("translated", "messages", "the chat was lost; a new one has the whole conversation"))
    plan.take_all()
    return (yield from _say(plan))


def _say(plan: Plan) -> Steps:
    """Say it in the plan's chat, or in a new one."""
    files = []
    for each in plan.uploads:
        done = yield from upload(each, plan.origin)
        if isinstance(done, Fault):
            return done
        files.append(done)
    if plan.chat is None:
        made = data_of((yield new_chat(plan.origin, plan.model, plan.chat_type, guest=plan.guest)))
        if isinstance(made, Fault):
            return made
        number = made.get("id")
        if not isinstance(number, str) or not number:
            return Fault(0, "", "the site made a chat without an id", origin="body")
        plan.chat, plan.made = Chat(number, ""), True
    if plan.chat_type == "t2v":
        return (yield from _film(plan, plan.chat, files))
    outcome = yield plan.ask(plan.chat, files)
    if isinstance(outcome, Fault) and outcome.code == IN_PROGRESS:
        yield stop(plan.origin, plan.chat.id)
        outcome = yield plan.ask(plan.chat, files, pause=SETTLE)
    return outcome if isinstance(outcome, Fault) else None


def _film(plan: Plan, chat: Chat, files: list[dict[str, Any]]) -> Steps:
    """A turn that begins a task, and the task (3.8)."""
    begun = data_of((yield plan.ask(chat, files)))
    if isinstance(begun, Fault):
        return begun
    task = task_of(begun)
    if task is None:
        return Fault(0, "", "the site began no task for a video", origin="body")
    return (yield from watch(task, plan.origin))
