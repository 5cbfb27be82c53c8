"""The gateway's own key for what it hands out sealed: made once, kept 0600 in its home, the same after a restart."""

import base64
import logging
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from qwen_auth.errors import AuthError
from qwen_auth.files import read_private, replace_private
from qwen_auth.lock import FileLock
from qwen_auth.store import gateway_home
from qwen_gateway.openai.sealing import KEY, Seal

logger = logging.getLogger(__name__)


def key_file(environ: Mapping[str, str]) -> Path:
    """Where the key is; gateways that share clients share the file's content."""
    return gateway_home(environ) / "seal.key"


def load_key(path: Path) -> bytes:
    """The key in the file, which is made if it is not there; one for this process where no file can be kept."""
    try:
        if (key := _read(path)) is not None:
            return key
        with FileLock(path.with_suffix(".lock")):  # another gateway may be making it at this moment
            if (key := _read(path)) is None:
                key = secrets.token_bytes(KEY)
                replace_private(path, base64.b64encode(key) + b"\n")
            return key
    except AuthError as error:
        logger.warning("sealed reasoning will not open after a restart: %s", error)
        return secrets.token_bytes(KEY)


def _read(path: Path) -> bytes | None:
    content = read_private(path)
    if content is None:
        return None
    try:
        key = base64.b64decode(content.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY:
        logger.warning("%s holds no key; a new one is made, and what was sealed before does not open", path)
        return None
    return key


SEAL = Seal(lambda: load_key(key_file(os.environ)))
"""The seal of this process; its key is read when something is first sealed or opened."""
