"""What the operator reads when the gateway is up: the base URL, a call to try, where to look."""

import os
import sys

from mitmproxy import ctx
from mitmproxy.proxy import mode_specs

CURL = """curl -N {base_url}/chat/completions -H 'content-type: application/json' \\
  -d '{{"model": "qwen3.7-plus", "stream": true, "messages": [{{"role": "user", "content": "Say hi"}}]}}'"""


class Banner:
    """Prints it."""

    def __init__(self, *, web: bool) -> None:
        self._web = web

    def running(self) -> None:
        lines = [""]
        proxyserver = ctx.master.addons.get("proxyserver")
        for server in proxyserver.servers:
            for address in dict.fromkeys(address[:2] for address in server.listen_addrs):
                if isinstance(server.mode, mode_specs.ReverseMode):
                    host = f"[{address[0]}]" if ":" in address[0] else address[0]
                    base_url = f"http://{host}:{address[1]}/v1"
                    lines += [f"  Base URL   {base_url}", "  API key    any, unless QWEN_GATEWAY_KEYS is set", ""]
                    lines += ["  Try it     " + CURL.format(base_url=base_url).replace("\n", "\n             "), ""]
                    break
                if isinstance(server.mode, mode_specs.RegularMode):
                    lines += [f"  Proxy      HTTPS_PROXY=http://{address[0]}:{address[1]}", ""]
                    break
        if self._web:
            lines += [f"  Watch      {getattr(ctx.master, 'web_url', '')}", ""]
        if note := os.environ.get("QWEN_GATEWAY_NOTE"):
            lines += [f"  {note}", ""]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
