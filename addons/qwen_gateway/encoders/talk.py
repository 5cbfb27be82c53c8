"""A call's part in a conversation: the chat that has its history, for this call alone while it runs."""

from collections.abc import Collection
from typing import Any

from qwen_auth.account import Account
from qwen_gateway.codec.deltas import Delta, Fault, Finish, Refusal, Text, ToolCall
from qwen_gateway.histories import ANSWERS, Session, Sessions, identities, identity
from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.upstreams.situation import Chat, Parent
from qwen_gateway.upstreams.web.encode import WebEncoded

FRAME = ("tools", "tool_choice", "response_format")
"""Fields of a call that are said at the start of a chat only: with others it is another conversation."""


class Talk:
    """Takes the session before an account is picked, and gives it back when the exchange has ended."""

    def __init__(self, call: ChatCall, sessions: Sessions, parent: Parent) -> None:
        self._call = call
        self._sessions = sessions
        self._parent = parent
        self._histories: list[str] = []
        self._held: Session | None = None
        self._lost = False

    async def begin(self, accounts: Collection[str], caller: str) -> str | None:
        """Take the session of all messages but the last; the account that has it, if there is one.

        Args:
            accounts: the names of those that could go on.
            caller: the ID of the caller's key: nobody goes on with another's chat.
        """
        body = self._call.body
        messages: list[dict[str, Any]] = body["messages"]
        frame = [self._call.model, caller, *(body.get(name) for name in FRAME)]
        self._histories = identities(messages, frame)
        if len(messages) > 1 and messages[-1]["role"] in ANSWERS:
            self._held = await self._sessions.take(self._histories[-2], accounts)
        return self._held.account if self._held else None

    def chat_for(self, account: Account) -> Chat | None:
        """The chat to go on with, if it is this account's."""
        if self._held is None or self._held.account != account.name or self._lost:
            return None
        return Chat(self._held.chat_id, self._held.parent)

    def follow(self, account: Account, encoded: WebEncoded) -> None:
        """Learn from an attempt where the conversation stands afterwards."""
        encoded.listeners.append(lambda: Listener(self, account, encoded))

    def moved_on(self, account: Account, encoded: WebEncoded, answer: dict[str, Any]) -> None:
        """The whole answer is known to the chat and to the client."""
        plan, phases = encoded.plan, encoded.phases
        parent = phases.response_id if self._parent == "response" else phases.parent_id
        if plan is None or not plan.running or not parent or not self._histories:
            return
        if self._held is not None and plan.anew:
            self._sessions.forget(self._held)  # the chat was lost, and another has taken its place
        if self._held is not None and (plan.anew or plan.running == self._held.chat_id):
            self._held = None
        encoded.kept = True
        history = identity(answer, self._histories[-1])
        self._sessions.keep(Session(account.name, history, plan.running, parent, encoded.model))

    def settle(self) -> None:
        """The exchange has ended, in whatever way: a chat that did not move on stands where it stood."""
        if self._held is not None:
            self._sessions.release(self._held)
            self._held = None


class Listener:
    """A stage (see `upstreams.stages`) that changes nothing: it hears what the client is told."""

    def __init__(self, talk: Talk, account: Account, encoded: WebEncoded) -> None:
        self.done = False
        self._talk = talk
        self._account = account
        self._encoded = encoded
        self._text: list[str] = []
        self._calls: dict[int, tuple[str, list[str]]] = {}

    def feed(self, deltas: list[Delta]) -> list[Delta]:
        for delta in deltas:
            if isinstance(delta, Text | Refusal):
                self._text.append(delta.text)
            elif isinstance(delta, ToolCall):
                call = self._calls.setdefault(delta.index, (delta.name or "", []))
                call[1].append(delta.arguments)
            elif isinstance(delta, Finish):
                self._end(delta)
            elif isinstance(delta, Fault):
                break
        return deltas

    def _end(self, finish: Finish) -> None:
        if not self._encoded.whole or self._encoded.cut_early() or finish.reason not in ("stop", "tool_calls"):
            return
        calls = [
            {"function": {"name": name, "arguments": "".join(arguments)}} for name, arguments in self._calls.values()
        ]
        answer = {"role": "assistant", "content": "".join(self._text), "tool_calls": calls}
        self._talk.moved_on(self._account, self._encoded, answer)
