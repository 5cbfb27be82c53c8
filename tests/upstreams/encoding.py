"""A call encoded for a host."""

from typing import Any

from qwen_gateway.codec.json import loads
from qwen_gateway.upstreams.flavours import flavour
from qwen_gateway.upstreams.key import Encoded, encode_chat
from qwen_gateway.upstreams.parameters import Policy
from tests.openai.asking import call

HOSTS = ("dashscope", "vllm", "ollama", "openrouter", "compatible")
UNKNOWN = "somebody-elses-7b"


def encode(host: str = "dashscope", model: str = "qwen3.7-plus", policy: Policy = "standard", **fields: Any) -> Encoded:
    """The call that has these fields, encoded for a host."""
    ceiling = fields.pop("output_ceiling", None)
    return encode_chat(call(**fields), model, flavour(host), policy=policy, output_ceiling=ceiling)


def sent(host: str = "dashscope", model: str = "qwen3.7-plus", policy: Policy = "standard", **fields: Any) -> Any:
    """The body of such a call."""
    return loads(encode(host, model, policy, **fields).body)


def told(host: str = "dashscope", model: str = "qwen3.7-plus", policy: Policy = "standard", **fields: Any) -> list[str]:
    """The notices of such a call, as a client sees them in its header."""
    return [f"{notice.action}={notice.param}" for notice in encode(host, model, policy, **fields).notices]
