"""How the hosts of the chat-completions protocol differ: one row each (upstream.md 4.1–4.3, 4.13).

They speak one protocol; a row says what a host understands, so that the encoder has no branch per host. To drop a host,
delete its row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Switch = Literal["enable_thinking", "chat_template_kwargs", "reasoning", "reasoning_effort"]
"""The field that switches thinking: DashScope's own, vLLM's template variable, OpenRouter's object, OpenAI's."""

OPENAI = frozenset(
    {
        "temperature", "top_p", "presence_penalty", "seed", "stop", "logprobs", "top_logprobs", "response_format",
        "parallel_tool_calls",
    }
)  # fmt: skip
"""Parameters that every host understands as OpenAI means them."""

SAMPLING = frozenset({"top_k", "repetition_penalty"})
DASHSCOPE = SAMPLING | {
    "enable_search", "search_options", "enable_code_interpreter", "vl_high_resolution_images", "preserve_thinking",
    "modalities", "audio",
}  # fmt: skip
VLLM = SAMPLING | {
    "min_p", "chat_template_kwargs", "guided_json", "guided_regex", "guided_choice", "guided_grammar", "min_tokens",
    "ignore_eos", "skip_special_tokens", "length_penalty", "structured_outputs", "mm_processor_kwargs",
}  # fmt: skip
OPENROUTER = SAMPLING | {
    "min_p", "top_a", "provider", "models", "route", "transforms", "plugins", "usage", "include_reasoning", "verbosity",
    "prediction", "modalities",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Flavour:
    """One host's row.

    Attributes:
        native: OpenAI's parameters that are sent as they are.
        extensions: parameters of the host's own that a client may send.
        thinking: the switch for thinking.
        tool_choices: what `tool_choice` may be, beside an absent one.
        json_word: JSON mode needs the word "json" in the messages (4.3).
        top_logprobs: the largest `top_logprobs`.
        reserved_tools: tool names that are refused (4.3).
        open_range: temperature 2 and top_p 0 are outside the allowed range (4.3).
        headers: headers sent with every call.
        cuts_long_answers: an answer that is not streamed is cut at a time limit (300 s, 4.4), so streaming is safer.
        default_model: used for names that say nothing here; None = the first of the host's own list.
        models: all that there are, where the host gives no list.
        lists: where the host's own list of models is; the first that answers counts.
        suffixes: endings of a model's name ask for more than the model (3.7); what is not on the list is not there.
        thoughts_in_text: thinking may come as `<think>` in the text (4.13 vLLM without a parser).
        calls_in_text: so may tool calls, as `<tool_call>` (4.13, llama.cpp).
        tools_by_prompt: has no tools; they are put into words and read out of the answer (3.12).
        enforces: forms of an answer that the host holds the model to.
        embeds: has `/embeddings`.
        fills: has `/completions` that take a model's own template, or a `suffix`, so that code can be filled in.
    """

    name: str
    source: str
    native: frozenset[str]
    extensions: frozenset[str]
    thinking: Switch
    tool_choices: frozenset[str] = frozenset({"none", "auto", "required", "named"})
    json_word: bool = False
    top_logprobs: int = 20
    reserved_tools: frozenset[str] = frozenset()
    open_range: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    cuts_long_answers: bool = False
    default_model: str | None = None
    models: tuple[str, ...] = ()
    lists: tuple[str, ...] = ("/models",)
    suffixes: bool = False
    thoughts_in_text: bool = False
    calls_in_text: bool = False
    tools_by_prompt: bool = False
    enforces: frozenset[str] = frozenset()
    embeds: bool = True
    fills: Literal["no", "template", "suffix"] = "no"


def _dashscope(
    name: str,
    source: str,
    *,
    extensions: frozenset[str] = DASHSCOPE,
    default_model: str = "qwen3.7-plus",
    models: tuple[str, ...] = (),
    embeds: bool = True,
) -> Flavour:
    return Flavour(
        name,
        source,
        native=OPENAI,
        extensions=extensions,
        thinking="enable_thinking",
        tool_choices=frozenset({"none", "auto", "named"}),
        json_word=True,
        top_logprobs=5,
        reserved_tools=frozenset({"search"}),
        open_range=True,
        cuts_long_answers=True,
        default_model=default_model,
        models=models,
        embeds=embeds,
    )


FLAVOURS = {
    flavour.name: flavour
    for flavour in (
        _dashscope("dashscope", "upstream.md 4.1, 4.3"),
        _dashscope("coding-plan", "upstream.md 4.7", embeds=False),
        _dashscope("token-plan", "upstream.md 4.7"),
        _dashscope(
            "portal",
            "upstream.md 2.7, 2.8, 2.10",
            extensions=SAMPLING | {"vl_high_resolution_images", "preserve_thinking"},
            default_model="coder-model",
            models=("coder-model", "vision-model", "qwen3-coder-plus", "qwen3-coder-flash"),
            embeds=False,
        ),
        Flavour(
            "web",
            "upstream.md 3",
            native=frozenset(),
            extensions=frozenset(),
            thinking="enable_thinking",
            tool_choices=frozenset(),
            default_model="qwen3.7-plus",
            lists=("/api/v2/models/", "/api/models"),
            embeds=False,
            suffixes=True,
            tools_by_prompt=True,
        ),
        Flavour(
            "vllm",
            "upstream.md 4.13 vLLM",
            native=OPENAI | {"frequency_penalty"},
            extensions=VLLM,
            enforces=frozenset({"json_schema"}),
            thinking="chat_template_kwargs",
            fills="template",
            thoughts_in_text=True,
            calls_in_text=True,
        ),
        Flavour(
            "ollama",
            "upstream.md 4.13 Ollama",
            native=frozenset(
                {"temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "stop", "response_format"}
            ),
            extensions=frozenset(),
            enforces=frozenset({"json_schema"}),
            thinking="reasoning_effort",
            tool_choices=frozenset({"auto"}),
            fills="suffix",
            thoughts_in_text=True,
            calls_in_text=True,
        ),
        Flavour(
            "openrouter",
            "upstream.md 4.13 OpenRouter",
            native=OPENAI | {"frequency_penalty"},
            extensions=OPENROUTER,
            enforces=frozenset({"json_schema"}),
            thinking="reasoning",
        ),
        Flavour(
            "compatible",
            "openai-surface.md, real servers",
            native=OPENAI | {"frequency_penalty"},
            # `transformers serve` refuses unknown fields with 422; the template variable is what most servers know.
            extensions=SAMPLING | {"min_p", "chat_template_kwargs", "enable_thinking"},
            thinking="chat_template_kwargs",
            fills="template",
            thoughts_in_text=True,
            calls_in_text=True,
        ),
        Flavour(
            "tools-by-prompt",
            "upstream.md 3.12; openai-surface.md, real servers",
            native=OPENAI | {"frequency_penalty"},
            extensions=SAMPLING | {"min_p", "chat_template_kwargs", "enable_thinking"},
            thinking="chat_template_kwargs",
            tool_choices=frozenset(),
            thoughts_in_text=True,
            tools_by_prompt=True,
        ),
    )
}
"""Every row by name; `qwen_auth.plans` says which plan has which."""


def flavour(name: str) -> Flavour:
    """The row of that name; a host nobody knows is `compatible`."""
    return FLAVOURS.get(name, FLAVOURS["compatible"])
