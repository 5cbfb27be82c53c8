"""The demo: the simulator as the upstream, in a process of its own that ends with ours."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from qwen_auth.authorization import DEVICE_PATH, TOKEN_PATH

NOTE = "This is the demo: a simulator answers, not Qwen. Add an account with `{auth} add NAME` to call Qwen."

FORGOTTEN = (
    "DASHSCOPE_API_KEY", "BAILIAN_CODING_PLAN_API_KEY", "BAILIAN_TOKEN_PLAN_API_KEY", "DEFAULT_ACCOUNT",
    "QWEN_CODE_AUTH_USE", "QWEN_CLIENT_ID", "QWEN_CLIENT_SECRET", "QWEN_SCOPE", "DATABASE_PATH", "QWEN_DATABASE_URL",
)  # fmt: skip
"""What belongs to the user's own accounts and records."""

SIGN_IN = (
    "Sign in    QWEN_HOME={home} QWEN_BASE_URL={base_url} {auth} login me\n"
    "             and call with the header `x-qwen-account: me`; nothing of ~/.qwen is touched."
)
"""The device flow from the QR code to the first answer, against the simulator's sign-in server."""


@contextmanager
def simulator(pace: float, auth: str = "qwen-auth") -> Iterator[None]:
    """Run the simulator and make it the only account of this process's environment.

    Args:
        pace: seconds between its words.
        auth: the command `qwen-auth`, as it can be typed here.

    Raises:
        RuntimeError: it did not come up.
    """
    command = [sys.executable, "-m", "qwen_gateway.simulator", "--port", "0", "--pace", str(pace)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with (
        tempfile.TemporaryDirectory(prefix="qwen-gateway-demo-") as home,
        subprocess.Popen(  # noqa: S603 - our own module
            [*command, "--until-stdin-closes"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            ready = process.stdout.readline()
            if not ready:
                raise RuntimeError("the simulator did not start; its message is above")
            for name in FORGOTTEN:
                os.environ.pop(name, None)
            said = json.loads(ready)
            base_url = said["base_url"]
            notes = (SIGN_IN.format(home=home, base_url=base_url, auth=auth), NOTE.format(auth=auth))
            os.environ.update(
                QWEN_GATEWAY_HOME=home,
                QWEN_HOME=home,
                QWEN_API_KEY="sk-sim",
                QWEN_PLAN="model-studio-intl",
                QWEN_BASE_URL=said["urls"]["dashscope"],
                QWEN_DEVICE_CODE_ENDPOINT=base_url + DEVICE_PATH,
                QWEN_TOKEN_ENDPOINT=base_url + TOKEN_PATH,
                QWEN_GATEWAY_NOTE="\n\n  ".join(notes),
            )
            yield
        finally:
            process.stdin.close()
            process.stdout.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
