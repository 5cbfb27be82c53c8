"""A chat call for chat.qwen.ai (upstream.md 3.5): one text, its files, and the requests that bring them there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from qwen_gateway.codec.deltas import Fault
from qwen_gateway.codec.json import dumps
from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.openai.errors import BadRequest, TooLarge, Unsupported
from qwen_gateway.openai.notices import Notice
from qwen_gateway.upstreams.cut import Cut
from qwen_gateway.upstreams.decoders import Decoder
from qwen_gateway.upstreams.facts import facts_of
from qwen_gateway.upstreams.flavours import Flavour
from qwen_gateway.upstreams.key import Encoded
from qwen_gateway.upstreams.parameters import Encoding, Policy
from qwen_gateway.upstreams.situation import NOWHERE, Situation
from qwen_gateway.upstreams.stages import Stage, Staged
from qwen_gateway.upstreams.steps import Request, Steps
from qwen_gateway.upstreams.web.answer import WebAnswer
from qwen_gateway.upstreams.web.names import split
from qwen_gateway.upstreams.web.parameters import apply_web_rules, refuse_several, stop_sequences, token_limit
from qwen_gateway.upstreams.web.phases import Phases
from qwen_gateway.upstreams.web.pictures import Upload, find_pictures
from qwen_gateway.upstreams.web.play import Plan, play
from qwen_gateway.upstreams.web.refusals import actual_status, fault_of_reply
from qwen_gateway.upstreams.web.speech import Speech, speech_of
from qwen_gateway.upstreams.web.thinking import feature_config
from qwen_gateway.upstreams.web.transcript import ATTACHED, fold, said
from qwen_gateway.upstreams.web.turn import delete, stop
from qwen_gateway.upstreams.web.video import VideoTask

TEXT_LIMIT = 100_000
"""Bytes of a turn's text; a body above about 128 KB always meets the challenge page (3.5)."""

QUESTION_LIMIT = 40_000
"""Bytes of the last message that still goes with the turn when the rest is a file."""


@dataclass(slots=True)
class WebEncoded(Encoded):
    """A call for chat.qwen.ai. `body` is what the turn says; the real bodies come with the steps.

    Attributes:
        phases: of the attempt that runs, or ran.
        chat_id: where it was said, once known.
        whole: the answer came to the upstream's own end, so that the chat knows what the client knows.
        dispose, kept: a chat that was made for this call is deleted, unless someone may go on with it.
        listeners: make the stages that hear what the client is told.
    """

    plan: Plan | None = None
    speech: Speech = field(default_factory=Speech)
    stops: tuple[str, ...] = ()
    limit: int | None = None
    phases: Phases = field(default_factory=Phases)
    whole: bool = False
    listeners: list[Callable[[], Stage]] = field(default_factory=list)
    cut: Cut | None = None
    dispose: bool = False
    kept: bool = False

    def decoder(self) -> Decoder:
        self.phases, self.whole = Phases(), False
        stages: list[Stage] = [make() for make in self.speech.stages]
        if self.stops or self.limit is not None:
            self.cut = Cut(self.stops, self.limit)
            stages.append(self.cut)
        stages.extend(listener() for listener in self.listeners)
        film = self.plan is not None and self.plan.chat_type == "t2v"
        return Staged(VideoTask(self._ended) if film else WebAnswer(self.phases, self._ended), stages)

    def steps(self) -> Steps:
        assert self.plan is not None
        return play(self.plan)

    def status_of(self, status: int, headers: Mapping[str, str]) -> int:
        return actual_status(status, headers)

    def fault_of(self, status: int, headers: Mapping[str, str], body: bytes) -> Fault:
        fault = fault_of_reply(status, headers, body)
        assert fault is not None
        return fault

    def cut_early(self) -> bool:
        """Whether the client was given less than the upstream said."""
        return self.cut is not None and self.cut.early

    def afterwards(self) -> list[Request]:
        """What to tell the upstream when nobody listens any more: that a generation may end (3.11: one per chat)."""
        plan = self.plan
        if plan is None or not plan.running:
            return []
        requests = [] if self.whole else [stop(plan.origin, plan.running, self.phases.response_id)]
        if self.dispose and not self.kept and plan.made:
            requests.append(delete(plan.origin, plan.running))
        return requests

    def _ended(self) -> None:
        self.whole = True


def encode_chat(
    call: ChatCall,
    model: str,
    flavour: Flavour,
    *,
    policy: Policy = "standard",
    output_ceiling: int | None = None,
    situation: Situation = NOWHERE,
) -> WebEncoded:
    """The call for one account; arguments and errors as in `key.encode_chat`."""
    refuse_several(call.choices)
    base, mode = split(model, situation.known)
    facts = facts_of(base)
    notices: list[Notice] = []
    encoding = Encoding(call.body, flavour, facts, policy, notices)
    apply_web_rules(encoding)
    speech = speech_of(encoding, situation)
    messages: list[dict[str, Any]] = call.body["messages"]
    chat = situation.chat
    pictures = find_pictures(messages, len(messages) - 1 if chat else 0)
    if pictures and facts.sees is False:
        raise Unsupported("This model takes no images; ask for one that does (qwen3.7-plus).", param="messages")
    if pictures and situation.guest:
        raise Unsupported("A guest's session cannot upload pictures; sign in and capture it again.", param="messages")
    instructions = "\n\n".join(part for part in (speech.instructions, _form(encoding)) if part)
    plan = Plan(
        origin=situation.origin,
        model=base,
        chat_type=mode.chat_type,
        feature_config=feature_config(encoding, mode),
        guest=situation.guest,
        chat=chat,
        text="\n\n".join(filter(None, (said(messages[-1], speech.speak), speech.reminder))) if chat else "",
        uploads=pictures,
        size=_size(call.body) if mode.chat_type == "t2i" else None,
        transcript=lambda: _fit(fold(messages, instructions, speech.speak), situation, messages, speech),
        pictures=lambda: find_pictures(messages),
        parent=situation.parent,
        notices=notices,
    )
    if chat and len(plan.text.encode()) > TEXT_LIMIT:
        plan.text, document = _fit(plan.text, situation, messages, speech)
        plan.uploads = [*pictures, *document]
    first = plan.first()
    notices.extend(first)
    return WebEncoded(
        path="/api/v2/chat/completions",
        headers={"content-type": "application/json", "accept": "text/event-stream"},
        body=dumps({"model": base, "content": plan.text}),
        stream=True,
        model=base,
        notices=notices,
        plan=plan,
        speech=speech,
        stops=stop_sequences(call.body),
        limit=token_limit(call.body),
        dispose=situation.dispose,
    )


def _fit(text: str, situation: Situation, messages: list[dict[str, Any]], speech: Speech) -> tuple[str, list[Upload]]:
    """The text, or what to say of the file that has it (3.5: a longer body always meets the challenge).

    Raises:
        TooLarge: a guest has no files.
    """
    size = len(dumps(text))
    if size <= TEXT_LIMIT:
        return text, []
    if situation.guest:
        raise TooLarge(
            f"The conversation has {size} bytes as one text. chat.qwen.ai takes about {TEXT_LIMIT} in one message, and "
            "a guest's session cannot upload the rest as a file; shorten it, or use a session that is signed in.",
            param="messages",
            code="context_length_exceeded",
            status=400,
        )
    upload = Upload("conversation.txt", "text/plain", text.encode(), "document")
    question = said(messages[-1], speech.speak)
    said_again = question if len(dumps(question)) <= QUESTION_LIMIT else ""
    return "\n\n".join(part for part in (ATTACHED.format(name=upload.name), said_again) if part), [upload]


def _form(encoding: Encoding) -> str:
    """`response_format` in words, for the upstream has no JSON mode."""
    form = encoding.call.get("response_format")
    if not form or form["type"] == "text":
        return ""
    encoding.note("emulated", "response_format", "asked for in words")
    if form["type"] == "json_object":
        return "Answer with one JSON object and nothing else: no prose, no code fence."
    schema = (form.get("json_schema") or {}).get("schema")
    if not isinstance(schema, dict):
        raise BadRequest(
            "'response_format.json_schema.schema' must be an object.",
            param="response_format.json_schema.schema",
            code="missing_required_parameter",
        )
    return (
        "Answer with one JSON value that conforms to this JSON Schema, and nothing else: no prose, no code fence.\n"
        f"{dumps(schema).decode()}"
    )


def _size(body: dict[str, Any]) -> str:
    """The ratio of a picture: the page's own words (3.8)."""
    given = body.get("size")
    return given if isinstance(given, str) and ":" in given else "1:1"
