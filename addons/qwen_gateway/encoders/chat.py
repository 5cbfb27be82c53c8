"""Chat calls."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace

from qwen_auth.account import Account
from qwen_auth.web.credentials import WebCredentials
from qwen_gateway.encoders.talk import Talk
from qwen_gateway.encoders.window import Window, fit
from qwen_gateway.engine.encoder import Ask
from qwen_gateway.engine.engine import Engine
from qwen_gateway.exchange import Exchange
from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.openai.errors import BadRequest, NotFound, OpenAIError
from qwen_gateway.openai.notices import Notice
from qwen_gateway.options import Settings
from qwen_gateway.upstreams import schemas
from qwen_gateway.upstreams.facts import facts_of
from qwen_gateway.upstreams.flavours import flavour
from qwen_gateway.upstreams.guard import Guard
from qwen_gateway.upstreams.key import Encoded
from qwen_gateway.upstreams.kinds import ENCODERS
from qwen_gateway.upstreams.messages import has_images
from qwen_gateway.upstreams.models import resolve
from qwen_gateway.upstreams.situation import Situation, nowhere
from qwen_gateway.upstreams.wants import asks_for_schemas, wants_of
from qwen_gateway.upstreams.web.encode import WebEncoded


class ChatEncoder:
    """Puts a chat call into the words of whichever account is picked."""

    def __init__(self, call: ChatCall, settings: Settings, engine: Engine) -> None:
        self._call = call
        self._settings = settings
        self._engine = engine
        self._models: dict[str, tuple[str | None, list[Notice]]] = {}
        self._refusal: NotFound | None = None
        self._talk: Talk | None = None

    @property
    def asks(self) -> int:
        """One upstream call for each choice."""
        return self._call.choices

    async def prepare(self, wanted: str | None) -> None:
        """Read the lists of hosts that have no usual model; a name that no account knows is refused here.

        Raises:
            NotFound: the model, under the strict policy.
        """
        pool = self._engine.pool
        serving = pool.serving()
        for account in serving:
            if flavour(account.flavour).default_model is None:
                await self._engine.catalogue.prepare(account)
        models = [self.model_of(account) for account in pool.accounts]
        if models and all(model is None for model in models):
            raise self._nobody()
        await self._fit(wanted)
        if asks_for_schemas(self._call) or (
            self._call.body.get("tools") and any(flavour(account.flavour).tools_by_prompt for account in serving)
        ):
            await asyncio.to_thread(schemas.warm)

    async def _fit(self, wanted: str | None) -> None:
        """Trim or refuse what no model's window holds; leave out accounts where another one's does."""
        windows = self._windows(wanted)
        if not windows:
            return
        asked, allowed = self._call.trims, self._settings.truncation
        trims = allowed == "always" or (asked and allowed == "asked")
        try:
            self._call, too_long = await fit(self._call, windows, self._engine.estimator, trims=trims)
        except BadRequest as error:
            error.param = self._call.client_name("messages[0]").partition("[")[0]
            raise
        self._leave_out(too_long)

    def _windows(self, wanted: str | None) -> dict[str, Window]:
        """The windows of the models that could answer, where they are known."""
        pool = self._engine.pool
        accounts = [account for account in pool.accounts if account.name == wanted] if wanted else pool.serving()
        return {
            account.name: Window(model, context)
            for account in accounts
            if (model := self.model_of(account)) and (context := self._context(account, model))
        }

    def _leave_out(self, names: Iterable[str]) -> None:
        """These accounts have no model for the call after all."""
        for name in names:
            self._models[name] = (None, [])

    def _context(self, account: Account, model: str) -> int | None:
        """The tokens of the model's window: what the host itself says, or what is written down."""
        return self._engine.catalogue.context(account, model) or facts_of(model).context

    def _nobody(self) -> OpenAIError:
        """Why no account has a model for the call."""
        assert self._refusal is not None
        return self._refusal

    async def begin(self, exchange: Exchange) -> None:
        """Take the chat that has the call's history, if an account keeps histories itself."""
        wanted = exchange.wanted_account
        accounts = [account for account in self._engine.pool.accounts if account.name == wanted] if wanted else None
        names = [each.name for each in accounts or self._engine.pool.serving() if each.kind == "web"]
        if names and self._call.choices == 1 and self._call.body["messages"]:
            self._talk = Talk(self._call, self._engine.sessions, self._settings.web_parent)
            exchange.home = await self._talk.begin(names, exchange.caller)

    def settle(self) -> None:
        if self._talk is not None:
            self._talk.settle()

    def model_of(self, account: Account) -> str | None:
        return self._resolve(account)[0]

    def encode(self, account: Account, ceilings: Mapping[str, int], ask: Ask) -> Encoded:
        try:
            encoded = self._encode(account, ceilings, ask)
        except BadRequest as error:
            error.param = error.param and self._call.client_name(error.param)
            raise
        for number, notice in enumerate(encoded.notices):
            if (param := self._call.client_name(notice.param)) != notice.param:
                encoded.notices[number] = replace(notice, param=param)
        return encoded

    def _encode(self, account: Account, ceilings: Mapping[str, int], ask: Ask) -> Encoded:
        model, notices = self._resolve(account)
        assert model is not None
        host = flavour(account.flavour)
        if (account.name, model) in self._engine.attempts.toolless:
            host = replace(host, tools_by_prompt=True)
        encoded = ENCODERS[account.kind](
            self._call_for(account, ask),
            model,
            host,
            policy=self._settings.policy,
            output_ceiling=ceilings.get(model),
            situation=self._situation(account, ask),
        )
        if self._talk is not None and isinstance(encoded, WebEncoded) and not ask.added:
            self._talk.follow(account, encoded)
        encoded.notices[:0] = [*notices, *self._call.notices]
        if wants := wants_of(self._call, host):
            encoded.guard = lambda: Guard(
                wants, encoded.renamed, stream=self._call.stream, final=bool(ask.added), spent=ask.spent
            )
        if self._call.choices > 1:
            encoded.notices.append(Notice("emulated", "n", f"{self.asks} calls are made at once"))
        return encoded

    def _call_for(self, account: Account, ask: Ask) -> ChatCall:
        """The chat call that is to be encoded for this account."""
        if not ask.added:
            return self._call
        return replace(self._call, body={**self._call.body, "messages": [*self._call.body["messages"], *ask.added]})

    def _situation(self, account: Account, ask: Ask) -> Situation:
        credentials = account.credentials
        if not isinstance(credentials, WebCredentials):
            return nowhere(self._settings.tool_prompt)
        return Situation(
            account.endpoint,
            credentials.guest,
            self._engine.catalogue.known(account),
            self._talk.chat_for(account) if self._talk and not ask.added else None,
            self._settings.web_parent,
            dispose=self._settings.delete_chats,
            tool_prompt=self._settings.tool_prompt,
        )

    def _resolve(self, account: Account) -> tuple[str | None, list[Notice]]:
        """The account's model for this call: by name, or the one that sees when pictures are sent."""
        found = self._models.get(account.name)
        if found is None:
            found = self._models[account.name] = self._look_up(account)
        return found

    def _look_up(self, account: Account) -> tuple[str | None, list[Notice]]:
        row = flavour(account.flavour)
        try:
            model, notice = resolve(self._call.model, self._settings.naming, row, self._engine.catalogue.known(account))
        except NotFound as error:
            self._refusal = error
            return None, []
        notices = [notice] if notice else []
        vision = self._settings.vision_model
        if vision and facts_of(model).sees is False and has_images(self._call.body["messages"]):
            notices.append(Notice("translated", "model", f"'{model}' takes no images; '{vision}' answers"))
            model = vision
        return model, notices
