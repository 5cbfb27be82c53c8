"""Code between a prefix and a suffix: `/completions` of one's own server, for models that fill in (Qwen-Coder).

No chat can ask for that: the model is given its template without any roles. Ollama has the template itself and takes
the suffix as it is; other servers get Qwen's own.
"""

import re
from typing import Any

from qwen_gateway.codec.json import dumps
from qwen_gateway.openai.completion_request import CompletionCall
from qwen_gateway.upstreams.facts import facts_of
from qwen_gateway.upstreams.flavours import Flavour
from qwen_gateway.upstreams.key import Encoded
from qwen_gateway.upstreams.parameters import Encoding, Policy, apply_rules

FILLERS = re.compile(r"(?:.*/)?(?:qwen.*coder|codeqwen).*", re.IGNORECASE)
"""Models that were trained to fill in."""

TEMPLATE = "<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>"


def fills(model: str, flavour: Flavour) -> bool:
    """Whether code can be filled in by this model at this host."""
    return flavour.fills != "no" and FILLERS.fullmatch(model) is not None


def encode_filling(call: CompletionCall, prompt: str, model: str, flavour: Flavour, policy: Policy) -> Encoded:
    """The call for one prompt.

    Raises:
        Unsupported: a parameter that the host does not have.
    """
    params = {name: value for name, value in call.body.items() if name != "prompt"}
    encoding = Encoding(params, flavour, facts_of(model), policy, [])
    body: dict[str, Any] = encoding.body
    body["model"] = model
    suffix = call.suffix or ""
    if flavour.fills == "suffix":
        body["prompt"], body["suffix"] = prompt, suffix
    else:
        body["prompt"] = TEMPLATE.format_map({"prefix": prompt, "suffix": suffix})
        encoding.note("translated", "suffix", "sent in the model's own template")
    apply_rules(encoding)
    if call.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream" if call.stream else "application/json",
        **flavour.headers,
    }
    return Encoded("/completions", headers, dumps(body), call.stream, model, encoding.notices)
