"""The models of each face, with their limits and manners (upstream.md 2.10, 3.10, 4.3, 4.7, 4.10, 4.13).

Numbers the contract does not give are those Model Studio printed for the family; they are marks for
tests to hit, not promises.
"""

from dataclasses import dataclass
from typing import Literal

Thinking = Literal["never", "off", "on", "always"]


@dataclass(frozen=True, slots=True)
class Model:
    """A chat model."""

    id: str
    context: int
    """Ceiling of the input, in tokens."""
    output: int
    """Ceiling of `max_tokens`; more is an error (4.3)."""
    thinking: Thinking = "never"
    """`off` and `on` can be switched and say what holds by default; `always` refuses the switch."""
    budget: int = 0
    """Ceiling of `thinking_budget`."""
    efforts: tuple[str, ...] = ()
    """The steps of `reasoning_effort` that have an effect."""
    manners: frozenset[str] = frozenset()
    """See `MANNERS`."""
    owned_by: str = "system"

    def has(self, manner: str) -> bool:
        """Whether the model has this manner."""
        return manner in self.manners


MANNERS = {
    "vision": "sees images",
    "blind": "accepts images without an error and does not see them (4.3)",
    "drops-arrays": "drops array content when there are no tools (4.3)",
    "string-only": "wants a string where others take an array of text parts (4.3)",
    "stream-only": "answers streams only (4.3)",
    "stream-to-think": "thinks in streams only (4.3)",
    "no-budget": "refuses thinking_budget (4.3)",
    "no-effort": "refuses reasoning_effort (4.3)",
    "effort-or-budget": "refuses the two together (4.3)",
    "limit-includes-thoughts": "max_tokens covers answer and thoughts (4.3)",
    "several": "n up to 4 (4.3)",
    "required": "takes tool_choice required and function objects (4.3)",
    "no-json-while-thinking": "refuses JSON mode while thinking (4.3)",
    "any-json": "does not ask for the word JSON (4.3)",
    "no-search": "refuses enable_search (4.3)",
    "no-agent": "is not on the Responses face (4.11)",
}


def _model(
    id: str,  # noqa: A002
    context: int,
    output: int,
    thinking: Thinking = "never",
    manners: str = "",
    *,
    budget: int = 0,
    efforts: str = "",
    owned_by: str = "system",
) -> Model:
    names = frozenset(manners.split())
    assert names <= MANNERS.keys(), names - MANNERS.keys()
    if thinking != "never" and not budget:
        budget = 81_920
    return Model(id, context, output, thinking, budget, tuple(efforts.split()), names, owned_by)


_NEW = "vision required"
_OLD = "several no-json-while-thinking"
_OTHERS = "required any-json no-search no-agent"

_CHAT = [
    _model(
        "qwen3.8-max",
        1_000_000,
        131_072,
        "on",
        _NEW + " effort-or-budget limit-includes-thoughts",
        efforts="low medium xhigh",
    ),
    _model("qwen3.7-max", 1_000_000, 65_536, "on", "required"),
    _model("qwen3.7-plus", 1_000_000, 65_536, "on", _NEW),
    _model("qwen3.6-plus", 1_000_000, 65_536, "on", _NEW),
    _model("qwen3.5-plus", 1_000_000, 65_536, "on", _NEW),
    _model("qwen3.5-flash", 1_000_000, 65_536, "on", _NEW),
    _model("qwen3.5-omni-plus", 262_144, 65_536, "never", "vision required stream-only"),
    _model("qwen3-max", 262_144, 65_536, "off", "required"),
    _model("qwen3-max-2026-01-23", 262_144, 65_536, "off", "required"),
    _model("qwen3-coder-plus", 1_000_000, 65_536, "never", "required no-search"),
    _model("qwen3-coder-flash", 1_000_000, 65_536, "never", "required no-search"),
    _model("qwen3-coder-next", 262_144, 65_536, "never", "required no-search"),
    _model("qwen3-vl-plus", 262_144, 32_768, "off", "vision no-search"),
    _model("qwen3-235b-a22b", 129_024, 16_384, "on", "stream-to-think no-json-while-thinking", budget=38_912),
    _model("qwen3-30b-a3b", 129_024, 8_192, "on", "stream-to-think no-json-while-thinking", budget=38_912),
    _model("qwen3-235b-a22b-thinking-2507", 129_024, 32_768, "always", "no-json-while-thinking"),
    _model("qwq-plus", 98_304, 8_192, "always", "stream-only no-json-while-thinking", budget=32_768),
    _model("qwen-max", 30_720, 8_192, "never", "several string-only no-agent"),
    _model("qwen-plus", 1_000_000, 32_768, "off", _OLD),
    _model("qwen-flash", 1_000_000, 32_768, "off", _OLD),
    _model("qwen-turbo", 129_024, 16_384, "off", _OLD + " string-only", budget=38_912),
    _model(
        "deepseek-v4", 131_072, 65_536, "on", "required blind limit-includes-thoughts no-search", efforts="high max"
    ),
    _model("deepseek-v3.2", 131_072, 65_536, "off", "required blind no-search", efforts="high max"),
    _model("glm-5", 202_752, 16_384, "on", _OTHERS + " blind drops-arrays", efforts="high max"),
    _model("glm-4.7", 202_752, 16_384, "on", _OTHERS + " blind drops-arrays"),
    _model("glm-4.5", 131_072, 16_384, "on", _OTHERS + " blind drops-arrays no-effort"),
    _model("kimi-k2.5", 262_144, 32_768, "on", _OTHERS + " vision", efforts="high max"),
    _model("kimi-k3", 262_144, 32_768, "on", _OTHERS + " vision no-budget", efforts="high max"),
    _model("MiniMax-M2.5", 196_608, 32_768, "always", _OTHERS),
    # Doubles with the prefix of their vendor (4.8).
    _model("ZHIPU/GLM-5.3", 202_752, 16_384, "on", _OTHERS + " blind drops-arrays", owned_by="ZHIPU"),
    _model("kimi/kimi-k3", 262_144, 32_768, "on", _OTHERS + " vision no-budget", owned_by="kimi"),
]

_PLAN = [
    "qwen3.5-plus",
    "qwen3.6-plus",
    "qwen3.7-plus",
    "glm-5",
    "glm-4.7",
    "kimi-k2.5",
    "MiniMax-M2.5",
    "qwen3-coder-plus",
    "qwen3-coder-next",
    "qwen3-max-2026-01-23",
]

OTHER_KINDS = [
    "text-embedding-v4",
    "text-embedding-v3",
    "text-embedding-v2",
    "text-embedding-v1",
    "qwen3-rerank",
    "qwen-image-plus",
    "wan2.6-t2i",
    "wanx2.1-t2i-turbo",
    "cosyvoice-v3",
    "sambert-zhide-v1",
    "paraformer-v2",
    "qwen3-asr-flash",
    "qwen3-tts-flash",
]
"""What `GET models` lists besides chat models (4.8)."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """An embedding model (4.10)."""

    id: str
    dimensions: tuple[int, ...]
    default: int
    rows: int
    tokens: int


EMBEDDINGS = {
    model.id: model
    for model in (
        Embedding("text-embedding-v4", (2048, 1536, 1024, 768, 512, 256, 128, 64), 1024, 10, 8_192),
        Embedding("text-embedding-v3", (1024, 768, 512), 1024, 10, 8_192),
        Embedding("text-embedding-v2", (1536,), 1536, 25, 2_048),
        Embedding("text-embedding-v1", (1536,), 1536, 25, 2_048),
        # Of Ollama and vLLM.
        Embedding("qwen3-embedding:8b", (4096,), 4096, 2_048, 32_768),
        Embedding("Qwen/Qwen3-Embedding-8B", (4096,), 4096, 2_048, 32_768),
    )
}

_VLLM = [
    _model("Qwen/Qwen3-32B", 40_960, 40_960, "on", "several required any-json", budget=40_960),
    _model("Qwen/Qwen3.5-35B-A3B", 262_144, 262_144, "on", "several required any-json vision"),
    _model("Qwen/Qwen3-Coder-30B-A3B-Instruct", 262_144, 262_144, "never", "several required any-json"),
]
_OLLAMA = [
    _model("qwen3:8b", 40_960, 40_960, "on", "required any-json"),
    _model("qwen3-coder:30b", 262_144, 262_144, "never", "required any-json"),
    _model("qwen2.5vl:7b", 128_000, 128_000, "never", "required any-json vision"),
]
_OPENROUTER = [
    _model("qwen/qwen3.7-plus", 1_000_000, 65_536, "on", "required any-json vision"),
    _model("qwen/qwen3-coder", 262_144, 65_536, "never", "required any-json"),
    _model("qwen/qwen3-30b-a3b", 131_072, 32_768, "on", "required any-json"),
]
_PORTAL = [
    _model("coder-model", 1_000_000, 65_536, "on", "vision required"),
    _model("vision-model", 131_072, 32_768, "never", "vision"),
    _model("qwen3-coder-plus", 1_000_000, 65_536, "never", "required"),
    _model("qwen3-coder-flash", 1_000_000, 65_536, "never", "required"),
]


def _table(models: list[Model]) -> dict[str, Model]:
    return {model.id: model for model in models}


ALIASES = {"coder-model": "qwen3.6-plus"}
"""What the portal's aliases call themselves in an answer (2.9)."""

CATALOGUES: dict[str, dict[str, Model]] = {
    "dashscope": _table(_CHAT),
    "coding": _table([model for model in _CHAT if model.id in _PLAN]),
    "token": _table([model for model in _CHAT if model.id in {*_PLAN, "qwen3.8-max", "qwen3.7-max"}]),
    "vllm": _table(_VLLM),
    "ollama": _table(_OLLAMA),
    "openrouter": _table(_OPENROUTER),
    "portal": _table(_PORTAL),
}
