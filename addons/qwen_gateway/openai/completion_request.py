"""A legacy completions call: parsed from bytes, its prompts as one list, the rest as parameters of a chat call.

No Qwen service of Alibaba's has completions, so a prompt is asked as one message of a chat. What chat cannot say is
refused: a prompt's own log probabilities. Code between a prefix and a suffix is asked for where a model fills in.
"""

import re
from dataclasses import dataclass, field
from typing import Annotated, Any

from msgspec import Meta, Struct

from qwen_gateway.openai.chat_request import (
    CHOICES_LIMIT,
    ChatCall,
    Penalty,
    Positive,
    StreamOptions,
    check,
    parse_object,
)
from qwen_gateway.openai.embeddings_request import inputs_of
from qwen_gateway.openai.errors import BadRequest, Unsupported

ANSWERS_LIMIT = 128
"""The most upstream calls of one call: prompts times answers."""

FILLING = re.compile(r"<\|fim_prefix\|>(.*)<\|fim_suffix\|>(.*)<\|fim_middle\|>", re.DOTALL)
"""Qwen-Coder's template, which some editors fill in themselves."""


class CompletionRequest(Struct):
    """The known fields with their types and ranges."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    prompt: Any
    suffix: str | None = None
    max_tokens: Positive | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    best_of: Annotated[int, Meta(ge=1, le=20)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    echo: bool | None = None
    stop: str | list[str] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[str, float] | None = None
    seed: int | None = None
    user: str | None = None


@dataclass(slots=True, kw_only=True)
class CompletionCall(ChatCall):
    """A parsed call; its body has the parameters of a chat call, and the messages are made for each prompt.

    Attributes:
        prompts: texts, and arrays of token ids as they came.
        suffix: what stands behind the text that is wanted; None: nothing.
        echo: answers begin with their prompt.
        answers: how many of each prompt the client gets.
        best_of: how many of each prompt are asked for.
        logprobs: alternatives of each token that are shown; None: no log probabilities at all.
    """

    prompts: list[str | list[int]] = field(default_factory=list)
    suffix: str | None = None
    echo: bool = False
    answers: int = 1
    best_of: int = 1
    logprobs: int | None = None

    def essence(self) -> list[Any]:
        return ["completion", self.suffix, self.best_of, *ChatCall.essence(self)]

    def client_name(self, param: str) -> str:
        return NAMES.get(param, param)


NAMES = {"messages": "prompt", "top_logprobs": "logprobs"}
"""Parameters of the chat call → what the client calls them."""


def parse_completion(data: bytes) -> CompletionCall:
    """A call from the bytes of a request.

    Raises:
        BadRequest: not JSON, a missing field, a wrong type, a value out of range; `param` names it.
        Unsupported: something that a chat cannot say.
    """
    body = parse_object(data)
    check(body, CompletionRequest)
    body = {name: value for name, value in body.items() if value is not None}
    model = body.pop("model").strip()
    if not model:
        raise BadRequest("'model' is blank; GET /v1/models lists names.", param="model")
    prompts = inputs_of(body.pop("prompt", None), "prompt")
    suffix = body.pop("suffix", None) or None
    text = prompts[0] if suffix is None and len(prompts) == 1 else None
    if isinstance(text, str) and (template := FILLING.fullmatch(text)):
        prompts, suffix = [template[1]], template[2]
    stream = body.pop("stream", False)
    options = body.pop("stream_options", {})
    answers = body.pop("n", 1)
    best_of = body.pop("best_of", answers)
    logprobs, echo = body.pop("logprobs", None), body.pop("echo", False)
    _check_numbers(len(prompts), answers, best_of, stream=stream)
    if logprobs is not None:
        if echo:
            raise Unsupported("'echo' with 'logprobs' needs those of the prompt, which no chat gives.", param="echo")
        if suffix is not None:
            raise Unsupported("'logprobs' are not to be had where code is filled in.", param="logprobs")
        body["logprobs"] = True
        if logprobs:
            body["top_logprobs"] = logprobs
    return CompletionCall(
        model=model,
        body={**body, "prompt": prompts},
        stream=stream,
        choices=len(prompts) * answers,
        include_usage=stream and bool(options.get("include_usage")),
        prompts=prompts,
        suffix=suffix,
        echo=echo,
        answers=answers,
        best_of=best_of,
        logprobs=logprobs,
    )


def _check_numbers(prompts: int, answers: int, best_of: int, *, stream: bool) -> None:
    if best_of < answers:
        raise BadRequest(f"'best_of' is {best_of}; it cannot be less than 'n', {answers}.", param="best_of")
    if best_of > answers and stream:
        raise BadRequest("'best_of' cannot be streamed: the best one is known at the end.", param="best_of")
    param = "best_of" if best_of > answers else "n"
    if best_of > CHOICES_LIMIT:
        raise BadRequest(
            f"'{param}' is {best_of}; the gateway makes {CHOICES_LIMIT} answers of one prompt at most, for each is a "
            "call of its own to the upstream.",
            param=param,
        )
    if prompts * best_of > ANSWERS_LIMIT:
        raise BadRequest(
            f"{prompts} prompts with {best_of} answers are {prompts * best_of} calls to the upstream; "
            f"{ANSWERS_LIMIT} is the most.",
            param="prompt",
        )
