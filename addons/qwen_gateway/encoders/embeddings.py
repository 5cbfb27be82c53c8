"""Embeddings calls: one upstream call for each batch, all of them to one model."""

from collections.abc import Mapping

from qwen_auth.account import Account
from qwen_auth.plans import find_plan
from qwen_gateway import token_ids
from qwen_gateway.engine.encoder import Ask
from qwen_gateway.engine.engine import Engine
from qwen_gateway.exchange import Exchange
from qwen_gateway.openai.embeddings_request import EmbeddingsCall
from qwen_gateway.openai.errors import NotFound
from qwen_gateway.openai.notices import Notice
from qwen_gateway.options import Settings
from qwen_gateway.upstreams.embedding_models import embedding_facts, resolve_embedding
from qwen_gateway.upstreams.embeddings import Batch
from qwen_gateway.upstreams.flavours import Flavour, flavour
from qwen_gateway.upstreams.key import Encoded
from qwen_gateway.upstreams.kinds import EMBEDDERS


class EmbeddingsEncoder:
    """Puts an embeddings call into the words of whichever account is picked.

    Vectors of different models do not compare. So the first account in the operator's order that has a model for the
    call decides which one it is, and only accounts with the same model serve, this call and every other of the name.
    """

    def __init__(self, call: EmbeddingsCall, settings: Settings, engine: Engine) -> None:
        self._call = call
        self._settings = settings
        self._engine = engine
        self._model = ""
        self._notice: Notice | None = None
        self._batches: list[Batch] = []
        self._served: dict[str, bool] = {}
        self._decoded = 0

    @property
    def asks(self) -> int:
        """One upstream call for each batch."""
        return len(self._batches)

    async def prepare(self, wanted: str | None) -> None:
        """Choose the model and cut the inputs into batches that every account with it takes.

        Raises:
            NotFound: no account has embeddings, or such a model.
            BadRequest: token ids that cannot be read.
        """
        pool, catalogue = self._engine.pool, self._engine.catalogue
        refusals: list[str] = []
        rows: list[int] = []
        for account in [one for one in pool.accounts if one.name == wanted] if wanted else pool.serving():
            host = flavour(find_plan(account.plan).flavour)
            if host.default_model is None and host.embeds:
                await catalogue.prepare(account)
            try:
                model, notice = self._look_up(account, host)
            except NotFound as error:
                refusals.append(f"'{account.name}': {error.message}")
                continue
            if not self._model:
                self._model, self._notice = model, notice
            if model == self._model:
                self._served[account.name] = True
                rows.append(embedding_facts(model, host).rows)
        if refusals and not self._model:
            raise NotFound(
                f"No account can embed with '{self._call.model[:80]}'. {' '.join(refusals)}",
                param="model",
                code="model_not_found",
            )
        texts, self._decoded = await token_ids.texts_of(self._call.inputs, "input")
        most = min(rows, default=len(texts))
        self._batches = [Batch(first, texts[first : first + most]) for first in range(0, len(texts), most)]

    async def begin(self, exchange: Exchange) -> None:
        """Inputs have no history."""

    def settle(self) -> None:
        """Nothing was taken."""

    def _look_up(self, account: Account, host: Flavour) -> tuple[str, Notice | None]:
        if account.kind not in EMBEDDERS:
            raise NotFound(f"accounts of kind '{account.kind}' have no embeddings.")
        known = self._engine.catalogue.listed(account)
        model, notice = resolve_embedding(self._call.model, self._settings.naming, host, known)
        if account.models is not None and model not in account.models:
            raise NotFound(f"it is limited to {', '.join(account.models)}.")
        return model, notice

    def model_of(self, account: Account) -> str | None:
        return self._model if account.name in self._served else None

    def encode(self, account: Account, ceilings: Mapping[str, int], ask: Ask) -> Encoded:
        encoded = EMBEDDERS[account.kind](
            self._call,
            self._batches[ask.number],
            self._model,
            flavour(find_plan(account.plan).flavour),
            self._settings.policy,
        )
        notices = [*([self._notice] if self._notice else []), *self._call.notices]
        if self._decoded:
            notices.append(Notice("translated", "input", f"{self._decoded} arrays of token ids were sent as text"))
        if self.asks > 1:
            notices.append(Notice("emulated", "input", f"{len(self._call.inputs)} inputs in {self.asks} calls"))
        encoded.notices[:0] = notices
        return encoded
