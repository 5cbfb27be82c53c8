"""`portal.qwen.ai`: what it demands beyond a chat call, (upstream.md 2.8, 2.10, 2.12)."""

from .. import tokens
from ..chat import chat
from ..errors import refuse
from ..keys import Key, Limits
from ..state import Call
from ..wire import Pause, Reply

NEEDED = ("x-dashscope-authtype", "x-dashscope-useragent")


def admit(call: Call, key: Key | None) -> Key:
    """The login's key, if its token is good and the portal open."""
    portal = call.state.portal
    if key is None or portal.closed:
        raise refuse("invalid-access-token")
    return Key(plan="own", account=key.account, fault=key.fault, limits=Limits(rpm=portal.rpm, day=portal.per_day))


def answer(call: Call) -> Reply:
    """`POST chat/completions` of the portal."""
    body, portal = call.object, call.state.portal
    if call.received.header(NEEDED[0]) != "qwen-oauth" or not call.received.header(NEEDED[1]):
        raise refuse("bad-request")
    messages = body.get("messages")
    first = messages[0] if isinstance(messages, list) and messages else None
    if not isinstance(first, dict) or first.get("role") != "system":
        raise refuse("bad-request")
    assert isinstance(messages, list)
    if portal.ceiling is not None and tokens.count_messages(messages, body.get("tools")) > portal.ceiling:
        raise refuse("stream-timeout")
    reply = chat(call)
    if portal.delay:
        reply.before.append(Pause(portal.delay))
    return reply
