"""Which model answers to a name: the operator's aliases, the upstream's own list, OpenAI's names, a default."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from qwen_gateway.openai.errors import NotFound
from qwen_gateway.openai.notices import Notice
from qwen_gateway.upstreams.flavours import Flavour
from qwen_gateway.upstreams.web.names import split

OWN_NAMES = re.compile(
    r"(?:[\w.-]+/)?(?:qwen|qwq|qvq|qvl|tongyi|deepseek|glm|kimi|minimax|coder-model|vision-model|text-embedding-v\d"
    r"|multimodal-embedding|wan\d|wanx)",
    re.IGNORECASE,
)
"""Names that Qwen services use themselves (upstream.md 2.10, 4.7, 4.8, 4.10): sent as they are."""

CHAT, FAST, CODER, EMBEDDING = "qwen3.7-plus", "qwen3.5-flash", "qwen3-coder-plus", "text-embedding-v4"

ALIASES = (
    (re.compile(r"text-embedding-(?:3-|ada).*"), EMBEDDING),
    (re.compile(r".*codex.*"), CODER),
    (re.compile(r"(?:gpt-|o\d).*(?:mini|nano).*|gpt-3\.5.*"), FAST),
    (re.compile(r"(?:gpt-|chatgpt-|o\d(?:-|$)).*"), CHAT),
)
"""OpenAI's names on DashScope hosts; `qwen_model_aliases` comes before."""

ADVERTISED = ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "gpt-5", "gpt-5-mini", "gpt-5-codex", "o3", "o4-mini")
"""OpenAI's names that `/v1/models` lists beside the real ones, for clients that check before they call."""

PLAN_STAND_INS = {
    "coding-plan": {FAST: "qwen3.5-plus", EMBEDDING: ""},
    "token-plan": {FAST: "qwen3.5-plus"},
    # `coder-model` is an alias of its own, whose target was each of these in turn (upstream.md 2.10).
    "portal": {
        "qwen3.5-plus": "coder-model", "qwen3.6-plus": "coder-model", CHAT: "coder-model", FAST: "coder-model",
        CODER: "coder-model", EMBEDDING: "",
    },
}  # fmt: skip
"""Models that a plan does not have (upstream.md 2.10, 4.7), and what stands in."""


@dataclass(frozen=True, slots=True)
class Naming:
    """How the operator names models.

    Attributes:
        aliases: name or pattern (`gpt-4*`) → model.
        default: the model for names that say nothing; None = the host's default.
        strict: refuse unknown names instead.
    """

    aliases: Mapping[str, str]
    default: str | None = None
    strict: bool = False

    def alias(self, name: str) -> str | None:
        """The operator's alias for `name`: exact first, then patterns in their order."""
        if name in self.aliases:
            return self.aliases[name]
        return next((model for pattern, model in self.aliases.items() if fnmatchcase(name, pattern)), None)


def resolve(name: str, naming: Naming, flavour: Flavour, known: Collection[str] | None) -> tuple[str, Notice | None]:
    """The upstream's model for the name that a client asked for.

    Args:
        known: the upstream's own list, if it was read.

    Returns:
        The model, and a notice when it is another than the one asked for.

    Raises:
        NotFound: an unknown name, and the operator wants it refused.
    """
    if alias := naming.alias(name):
        return alias, Notice("translated", "model", f"'{name}' is '{alias}' here (alias)")
    if known and name in known:
        return name, None
    own = _own(name, flavour, known)
    if own is not None:
        return own, None
    if flavour.default_model is not None and (stand_in := _stand_in(name, flavour)):
        return stand_in, Notice("translated", "model", f"'{name}' is '{stand_in}' here")
    if naming.strict:
        raise NotFound(
            f"The model '{name[:80]}' does not exist here. GET /v1/models lists what does; "
            "`qwen_model_aliases` gives it a name of your own.",
            param="model",
            code="model_not_found",
        )
    default = naming.default or flavour.default_model or next(iter(known or ()), None)
    if flavour.models and default not in flavour.models:
        default = flavour.default_model  # the operator's default is for other accounts
    if default is None or default == name:
        return name, None
    return default, Notice("defaulted", "model", f"'{name}' is unknown here; '{default}' answers")


def _own(name: str, flavour: Flavour, known: Collection[str] | None) -> str | None:
    """The name as the host writes it, when it is one of its own."""
    if flavour.suffixes:
        return name if (split(name, known)[0] in known if known else OWN_NAMES.match(name)) else None
    if known:
        folded = name.casefold()
        for candidate in known:
            if candidate.casefold() == folded:
                return candidate
        if flavour.default_model is None:
            return None  # a host of few models: what is not on its list is not there
    elif flavour.default_model is None:
        return name  # the list could not be read: only the host itself can tell
    if flavour.models:
        return None  # what is not written down there is not there
    return name if OWN_NAMES.match(name) else None


def _stand_in(name: str, flavour: Flavour) -> str | None:
    """What a host of many models has for a name of OpenAI's, or for a model that the plan has not."""
    stand_ins = PLAN_STAND_INS.get(flavour.name, {})
    model = next((model for pattern, model in ALIASES if pattern.fullmatch(name)), None)
    return stand_ins.get(name) or (stand_ins.get(model, model) if model else None) or None


CHATLESS = re.compile(
    r"asr|audio|embed|image|moderation|rerank|speech|tts|video|cosyvoice|sambert|paraformer|whisper"
    r"|stable-diffusion|flux|(?:^|/)wan[x\d]",
    re.IGNORECASE,
)
"""Models on an upstream's list that do not chat (upstream.md 4.8: qwen-code's filter)."""


def chats(model: str) -> bool:
    """Whether a listed model is one for chat completions."""
    return CHATLESS.search(model) is None
