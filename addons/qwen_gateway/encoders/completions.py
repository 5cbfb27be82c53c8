"""Legacy completions: a chat call for each prompt and answer, or a template to fill in."""

from collections.abc import Mapping
from dataclasses import replace

from qwen_auth.account import Account
from qwen_auth.plans import find_plan
from qwen_gateway import token_ids
from qwen_gateway.encoders.chat import ChatEncoder
from qwen_gateway.encoders.window import fit
from qwen_gateway.engine.encoder import Ask
from qwen_gateway.engine.engine import Engine
from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.openai.completion_request import CompletionCall
from qwen_gateway.openai.errors import BadRequest, OpenAIError, Unsupported
from qwen_gateway.openai.notices import Notice
from qwen_gateway.options import Settings
from qwen_gateway.upstreams.facts import facts_of
from qwen_gateway.upstreams.filling import encode_filling, fills
from qwen_gateway.upstreams.flavours import Flavour, flavour
from qwen_gateway.upstreams.key import Encoded


class CompletionEncoder(ChatEncoder):
    """Puts a completions call into the words of whichever account is picked."""

    def __init__(self, call: CompletionCall, settings: Settings, engine: Engine) -> None:
        super().__init__(replace(call, body={**call.body, "messages": []}), settings, engine)
        self._completion = call
        self._decoded = 0

    @property
    def asks(self) -> int:
        """One upstream call for each prompt and answer."""
        return len(self._completion.prompts) * self._completion.best_of

    async def prepare(self, wanted: str | None) -> None:
        """The same as for a chat; token ids become text, and a suffix needs a model that fills in.

        Raises:
            BadRequest: token ids that cannot be read.
            Unsupported: no account has such a model.
        """
        call = self._completion
        texts, self._decoded = await token_ids.texts_of(call.prompts, "prompt")
        call.prompts = list(texts)
        await super().prepare(wanted)

    async def _fit(self, wanted: str | None) -> None:
        """The longest prompt decides; nothing is trimmed, for a prompt has no turns."""
        longest = max(map(str, self._completion.prompts), key=len) + (self._completion.suffix or "")
        call = replace(self._call, body={"messages": [{"role": "user", "content": longest}]})
        try:
            _, too_long = await fit(call, self._windows(wanted), self._engine.estimator, trims=False)
        except BadRequest as error:
            error.param = "prompt"
            raise
        self._leave_out(too_long)

    def _nobody(self) -> OpenAIError:
        if self._refusal is not None or self._completion.suffix is None:
            return super()._nobody()
        return Unsupported(
            f"'suffix' needs a model that fills in, Qwen-Coder on a server of your own (vLLM, Ollama); no account has "
            f"one for '{self._completion.model[:80]}'.",
            param="suffix",
        )

    def model_of(self, account: Account) -> str | None:
        model = super().model_of(account)
        if model is None or self._completion.suffix is None:
            return model
        return model if account.kind == "key" and fills(model, host_of(account)) else None

    def _encode(self, account: Account, ceilings: Mapping[str, int], ask: Ask) -> Encoded:
        call, host = self._completion, host_of(account)
        if call.suffix is not None:
            model, notices = self._resolve(account)
            assert model is not None
            encoded = encode_filling(call, self._prompt(ask), model, host, self._settings.policy)
            encoded.notices[:0] = [*notices, *call.notices]
        else:
            encoded = super()._encode(account, ceilings, ask)
            encoded.notices.append(Notice("translated", "prompt", "asked as one message of a chat"))
        if self._decoded:
            encoded.notices.append(Notice("translated", "prompt", f"{self._decoded} arrays of token ids sent as text"))
        if call.best_of > call.answers and not ranks(host):
            if self._settings.policy == "strict":
                why = f"{host.name} does not tell which answer is likelier"
                raise Unsupported(f"'best_of' cannot be honoured: {why}. (strict policy)", param="best_of")
            encoded.notices.append(Notice("dropped", "best_of", f"{host.name} does not tell which answer is likelier"))
        return encoded

    def _call_for(self, account: Account, ask: Ask) -> ChatCall:
        call, host = self._completion, host_of(account)
        body = {name: value for name, value in call.body.items() if name != "prompt"}
        body["messages"] = [{"role": "user", "content": self._prompt(ask)}, *ask.added]
        if call.best_of > call.answers and ranks(host):
            body["logprobs"] = True
        model = self._resolve(account)[0]
        if model is not None and facts_of(model).thinks != "always" and not THINKING & body.keys():
            body["enable_thinking"] = False  # thoughts have no place in a completion, and its client is in a hurry
        return replace(call, body=body)

    def _prompt(self, ask: Ask) -> str:
        prompt = self._completion.prompts[ask.number // self._completion.best_of]
        assert isinstance(prompt, str)
        return prompt


THINKING = frozenset({"enable_thinking", "reasoning_effort", "reasoning", "thinking_budget"})


def host_of(account: Account) -> Flavour:
    """The row of the account's host."""
    return flavour(find_plan(account.plan).flavour)


def ranks(host: Flavour) -> bool:
    """Whether the host tells how likely its answers are."""
    return "logprobs" in host.native
