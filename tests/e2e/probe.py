"""A script for mitmproxy, beside the gateway: what only the inside of the process knows, told to the tests."""

import asyncio
import json
import os
from collections import Counter
from pathlib import Path

from mitmproxy import http
from mitmproxy.proxy.server_hooks import ServerConnectionHookData


class Probe:
    """Answers requests with the header `x-e2e-probe`."""

    def __init__(self) -> None:
        self._connects: list[str] = []
        self._running = False

    def running(self) -> None:
        self._running = True

    def server_connect(self, data: ServerConnectionHookData) -> None:
        self._connects.append("{}:{}".format(*(data.server.address or ("?", 0))[:2]))

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if "x-e2e-probe" not in flow.request.headers:
            return
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        told = {
            "running": self._running,
            "connects": self._connects,
            "exchanges": [task.get_name() for task in asyncio.all_tasks() if "qwen exchange" in task.get_name()],
            "tasks": len(asyncio.all_tasks()),
            "kinds": Counter(getattr(task.get_coro(), "__qualname__", "?") for task in asyncio.all_tasks()),
            "files": len(list(Path("/proc/self/fd").iterdir())),
            "memory": pages * os.sysconf("SC_PAGE_SIZE"),
        }
        flow.response = http.Response.make(200, json.dumps(told), {"content-type": "application/json"})


addons = [Probe()]
