"""What a call needs of the shelf before it is served, and what the shelf gets of its answer."""

from functools import partial
from typing import Any

from qwen_gateway.openai.call import Call
from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.openai.errors import BadRequest
from qwen_gateway.openai.notices import Notice
from qwen_gateway.openai.responses_request import NOTHING, ResponsesCall, Unresolved
from qwen_gateway.shelf import chats, responses
from qwen_gateway.shelf.shelf import Shelf


async def resolve(shelf: Shelf, parsed: Call | Unresolved, owner: str) -> Call:
    """The call with the context that it refers to.

    Raises:
        OpenAIError: something of it is not there; a call never goes on without its context.
    """
    if not isinstance(parsed, Unresolved):
        return parsed
    if not shelf.enabled:
        return parsed.resolved(NOTHING)
    now = shelf.clock()
    context = await shelf.read(lambda connection: responses.gather(connection, parsed, owner, now))
    return parsed.resolved(context)


def attend(shelf: Shelf, surface: str, call: Call, owner: str) -> None:
    """Have the answer stored if the call says so.

    Raises:
        OpenAIError: a background response that nobody could ever fetch.
    """
    if surface == "responses" and isinstance(call, ResponsesCall):
        _attend_response(shelf, call, owner)
    elif surface == "chat" and isinstance(call, ChatCall):
        if isinstance(call, ResponsesCall) and call.background:
            raise BadRequest("'background' is for /v1/responses; chat completions have none.", param="background")
        wanted = call.body.pop("store", None) or (isinstance(call, ResponsesCall) and call.request.get("store"))
        if wanted and shelf.enabled:
            call.when_answered = partial(chats.keep, shelf, call, owner)
        elif wanted:
            call.notices.append(UNKEPT)


def _attend_response(shelf: Shelf, call: ResponsesCall, owner: str) -> None:
    if call.background:
        shelf.check()
        if not call.stored:
            raise BadRequest("'background' needs 'store': true, for the answer is fetched later.", param="background")
    elif call.stored and shelf.enabled:
        call.when_answered = partial(_keep, shelf, call, owner)
    elif call.request.get("store"):
        call.notices.append(UNKEPT)


UNKEPT = Notice("dropped", "store", "this gateway stores nothing (qwen_persistence)")


def _keep(shelf: Shelf, call: ResponsesCall, owner: str, response: dict[str, Any]) -> None:
    responses.keep(shelf, call, response, owner)
