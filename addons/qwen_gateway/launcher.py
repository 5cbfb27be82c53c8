"""Our own way to start mitmproxy: a master with our addons in place, tuned, and a banner when it is up."""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from mitmproxy import ctx
from mitmproxy.addonmanager import AddonManager
from mitmproxy.hooks import ConfigureHook
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.proxy.mode_specs import ProxyMode, ReverseMode
from mitmproxy.tools import cmdline, main
from mitmproxy.tools.dump import DumpMaster

from qwen_auth.store import gateway_home
from qwen_gateway import default_addons, options, tuning
from qwen_gateway.banner import Banner

DEFAULT_UPSTREAM = "http://qwen-gateway.localhost"
"""mitmproxy's reverse mode wants a target. Where a call goes is its account's matter, so the target is nowhere: what no
addon answers goes nowhere. Plain HTTP, for a TLS layer would stand in the way of every event."""


def put_in_place(manager: AddonManager, addons: Sequence[object]) -> None:
    """Add addons where a script would stand: before those that save and show flows."""
    manager.add(*addons)
    chain = manager.chain
    del chain[-len(addons) :]
    place = next(number for number, addon in enumerate(chain) if type(addon).__name__ == "ScriptLoader")
    chain[place:place] = addons
    for addon in addons:
        # As mitmproxy does for a script: the command line's options come later, with an update of their own.
        manager.invoke_addon_sync(addon, ConfigureHook(set(ctx.options.keys())))


class Tuner:
    """Tunes when everything is up."""

    def running(self) -> None:
        modes = [ProxyMode.parse(mode) for mode in ctx.options.mode]
        if all(isinstance(mode, ReverseMode) for mode in modes) and (page := ctx.master.addons.get("onboarding")):
            # It looks for calls to mitm.it, where proxied clients get the certificate: a parsed address for each call.
            ctx.master.addons.remove(page)
        tuning.settle()
        asyncio.get_running_loop().call_later(tuning.SETTLED, tuning.settle)


def make_master(kind: str, *, tune: bool) -> Callable[[Options], Master]:
    """What mitmproxy's own `run` calls with the options: `dump` or `web`."""

    def make(options: Options) -> Master:
        master: Master
        if kind == "web":
            from mitmproxy.tools.web.master import WebMaster  # noqa: PLC0415 - costs 0.2 s, only for the web

            master = WebMaster(options)
        else:
            master = DumpMaster(options, with_dumper=False)
        addons: list[object] = [*default_addons(), Banner(web=kind == "web")]
        if tune:
            addons.append(Tuner())
            tuning.quiet()
            tuning.read_options_quickly()
        put_in_place(master.addons, addons)
        return master

    return make


def start(
    kind: str, *, host: str, port: int, extra: Sequence[str] = (), tune: bool = True, quiet: bool = False
) -> None:
    """Run until stopped; arguments that are not ours go to mitmproxy."""
    if quiet:
        os.environ["QWEN_TERMINAL"] = "off"
    environ = options.environment()
    if "QWEN_LOG_DIR" not in environ:
        os.environ["QWEN_LOG_DIR"] = str(gateway_home(environ) / "logs")
    if tune and sys.platform != "win32":
        tuning.serve_many()
    arguments = ["--listen-host", host, *extra]
    if not any(argument == "--mode" or argument.startswith(("--mode=", "-m")) for argument in extra):
        upstream = os.environ.get("QWEN_UPSTREAM", DEFAULT_UPSTREAM)
        arguments += ["--mode", f"reverse:{upstream}@{port}"]
    parser: Any = cmdline.mitmweb if kind == "web" else cmdline.mitmdump
    if kind == "web":
        arguments.append("--no-web-open-browser")
    main.run(make_master(kind, tune=tune), parser, arguments)  # type: ignore[arg-type]
