"""Sessions made of invented values."""

import base64
import json

from qwen_auth.web.file import Kept, SessionFile
from qwen_auth.web.session import Session


def jwt(exp=None, iat=None, **claims):
    """A token nobody signed."""
    payload = {"id": "u-1", **claims} | ({"exp": exp} if exp else {}) | ({"iat": iat} if iat else {})
    parts = ({"alg": "HS256", "typ": "JWT"}, payload)
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + ".c2ln"
    )


def stored(folder, session, name="me", base_url="https://chat.qwen.ai", **fields):
    """A file with this session in it."""
    file = SessionFile(folder / "web" / f"{name}.json")
    with file.lock():
        file.write(Kept(base_url, session, **fields))
    return file


GUEST = Session(umidtoken="T2gA-canary-umid", cookies=(("acw_tc", "canary-acw"), ("x-ap", "1")))
