"""What the gateway asks of its host: lazy connections, loopback, and only OpenAI's traffic decrypted."""

import asyncio
import errno
import logging
import re

from mitmproxy import ctx, exceptions, http
from mitmproxy.addonmanager import Loader
from mitmproxy.connection import Client
from mitmproxy.proxy import mode_specs
from mitmproxy.proxy.mode_servers import ServerInstance

from qwen_gateway import flows, options
from qwen_gateway.callers import host_of, is_loopback
from qwen_gateway.ledger import LedgerError
from qwen_gateway.ledger.presence import has_keys
from qwen_gateway.legs import Legs
from qwen_gateway.openai.errors import Forbidden
from qwen_gateway.prompt_hooks import PromptHooks
from qwen_gateway.pseudo import handler_of
from qwen_gateway.tuning import HookTable

logger = logging.getLogger(__name__)


CHATTY = ("httpcore", "httpx", "h2", "hpack", "asyncio")
"""mitmproxy lets every debug record through to all addons; these write several for each call, headers included."""

OPEN_MODES = (mode_specs.ReverseMode, mode_specs.RegularMode, mode_specs.UpstreamMode)
"""Modes whose listeners anyone who reaches them can use."""


class Host:
    """Sets mitmproxy's own options where the user did not, and refuses what would be unsafe."""

    def __init__(self, legs: Legs) -> None:
        self._legs = legs
        self._table: HookTable | None = None
        self._ours: list[str] = []  # the allow_hosts that we set; another one is the user's

    def load(self, loader: Loader) -> None:
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
        options.declare(loader, options.environment())

    def configure(self, updated: set[str]) -> None:
        wanted: dict[str, object] = {}
        if ctx.options.connection_strategy == "eager":
            # Eager would dial the upstream before any hook: even /health would die with it.
            wanted["connection_strategy"] = "lazy"
        if not ctx.options.keep_host_header:
            # Otherwise a reverse listener overwrites the Host header that we check against DNS rebinding.
            wanted["keep_host_header"] = True
        if not ctx.options.listen_host:
            wanted["listen_host"] = "127.0.0.1"
        if ctx.options.body_size_limit is None:
            wanted["body_size_limit"] = ctx.options.qwen_body_limit
        if wanted:
            ctx.options.update(**wanted)
        if not updated.isdisjoint({"mode", "listen_host", "qwen_keys_file", "qwen_intercept_hosts", "allow_hosts"}):
            self._check_listeners()
            self._allow_hosts()

    def client_connected(self, client: Client) -> None:
        """From here on the connection's hooks are told on the spot."""
        if self._table is not None:
            PromptHooks.install(handler_of(client), self._table, self._legs.open_lane)

    async def running(self) -> None:
        """Move listeners to loopback that came up before a script could ask for it (mitmproxy loads those late)."""
        for name in options.unknown(ctx.options):  # an error at the start ends mitmproxy
            logger.error("There is no option %s; see docs/reference/options.md.", name)
        if ctx.options.qwen_hook_table:
            self._table = HookTable(ctx.master.addons)
            self._table.install()
        proxyserver = ctx.master.addons.get("proxyserver")
        for server in list(proxyserver.servers) if proxyserver else []:
            mode = server.mode
            if not isinstance(mode, OPEN_MODES) or mode.custom_listen_host is not None:
                continue
            if any(not is_loopback(address[0]) for address in server.listen_addrs) and is_loopback(
                ctx.options.listen_host
            ):
                await rebind(server)

    def _check_listeners(self) -> None:
        """Beyond loopback everyone could spend the operator's money: not without keys."""
        for spec in ctx.options.mode:
            mode = mode_specs.ProxyMode.parse(spec)
            if not isinstance(mode, OPEN_MODES):
                continue
            host = mode.listen_host(ctx.options.listen_host)
            if not is_loopback(host) and not self._wants_keys():
                raise exceptions.OptionsError(
                    f"The gateway would listen on {host or 'every address'} for anyone. Make keys that callers must "
                    "send with `qwen-gateway keys create NAME`, or set QWEN_GATEWAY_KEYS (or qwen_keys_file), or "
                    "listen on 127.0.0.1."
                )

    def _wants_keys(self) -> bool:
        settings = options.read(ctx.options)
        try:
            return bool(options.caller_keys(settings)) or has_keys(settings.ledger.where)
        except LedgerError as error:
            raise exceptions.OptionsError(f"The gateway's keys cannot be read: {error}.") from None

    def _allow_hosts(self) -> None:
        """Decrypt only what is ours: the intercepted hosts and the targets of reverse listeners."""
        chosen_by_user = ctx.options.ignore_hosts or (ctx.options.allow_hosts and ctx.options.allow_hosts != self._ours)
        if chosen_by_user:
            return
        patterns = [rf"^{re.escape(host)}:\d+$" for host in ctx.options.qwen_intercept_hosts]
        for spec in ctx.options.mode:
            mode = mode_specs.ProxyMode.parse(spec)
            if isinstance(mode, mode_specs.ReverseMode):
                patterns.append(rf"^{re.escape(mode.address[0])}:{mode.address[1]}$")
        if list(ctx.options.allow_hosts) != patterns:
            self._ours = patterns
            ctx.options.update(allow_hosts=patterns)

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """A proxied request to our own listeners would get round what protects mitmweb."""
        self._refuse_loop(flow)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if not isinstance(flow.client_conn.proxy_mode, mode_specs.ReverseMode) and not flow.is_replay:
            self._refuse_loop(flow)

    def _refuse_loop(self, flow: http.HTTPFlow) -> None:
        if flow.response is not None:
            return
        host = host_of(flow.request.pretty_host) or flow.request.host
        if is_loopback(host) and flow.request.port in self._own_ports():
            flow.response = flows.error_response(
                Forbidden("The gateway's own listeners cannot be reached through its proxy.", code="proxy_loop")
            )

    def _own_ports(self) -> set[int]:
        proxyserver = ctx.master.addons.get("proxyserver")
        ports = {address[1] for address in proxyserver.listen_addrs()} if proxyserver else set()
        if "web_port" in ctx.options:
            ports.add(ctx.options.web_port)
        return ports


async def rebind(server: ServerInstance[mode_specs.ProxyMode]) -> None:
    """Listen anew with the options as they are now; the old sockets take a moment to go."""
    await server.stop()
    for patience in (0.01, 0.05, 0.1, 0.2, 0.4, 0.8):
        try:
            await server.start()
            return
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        await asyncio.sleep(patience)
    await server.start()
