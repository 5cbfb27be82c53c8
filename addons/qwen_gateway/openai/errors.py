"""Errors in OpenAI's one form, before and after the first byte.

    OpenAIError                status · type · code · what it is for
    ├── BadRequest             400  invalid_request_error   the client's call cannot be served as it is
    │   ├── Unsupported        400  … unsupported_parameter  Qwen has no such thing and dropping it would lie
    │   └── TooLarge           413  … request_too_large
    ├── BadKey                 401  invalid_api_key         the *gateway's* key is missing or wrong
    ├── Forbidden              403  …                       a host, an origin, an admin path
    ├── NotFound               404  not_found / model_not_found
    └── UpstreamError          429, 502, 503, 504 …         made from a verdict by the engine

Every message names the value and the remedy. `headers` carries `retry-after` and `x-should-retry`, which OpenAI's own
clients obey (openai-python `_base_client.py`, `_should_retry`).
"""

from typing import Any

from qwen_gateway.codec.json import dumps


class OpenAIError(Exception):
    """An error that a client of OpenAI's API understands.

    Args:
        message: for a person: the value and the remedy.
        param: the parameter at fault, as a path (`messages[2].content`).
        code: for a program; stable.
        status: HTTP status.
        type: OpenAI's family of errors.
        retry_after: seconds after which another try makes sense.
        should_retry: what the client's library should do; None leaves it to the library.
    """

    status = 500
    type = "server_error"
    code: str | None = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int | None = None,
        type: str | None = None,  # noqa: A002 - OpenAI's word
        retry_after: float | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = _sound(message)
        self.param = param if param is None else _sound(param)
        self.code = code if code is not None else type_default(self, "code")
        self.status = status if status is not None else type_default(self, "status")
        self.type = type if type is not None else type_default(self, "type")
        self.retry_after = retry_after
        self.should_retry = should_retry

    def body(self) -> dict[str, Any]:
        """The error object: `message`, `type`, `param` and `code`, each always present."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def encode(self) -> bytes:
        """The body as JSON."""
        return dumps(self.body())

    def headers(self) -> list[tuple[str, str]]:
        """`retry-after` in whole seconds (at least 1) and `x-should-retry`, where they are known."""
        found: list[tuple[str, str]] = []
        if self.retry_after is not None:
            found.append(("retry-after", str(max(1, round(self.retry_after + 0.499)))))
        if self.should_retry is not None:
            found.append(("x-should-retry", "true" if self.should_retry else "false"))
        return found


def type_default(error: OpenAIError, name: str) -> Any:
    """The value that the error's class gives to `name`."""
    return getattr(type(error), name)


class BadRequest(OpenAIError):
    """The call is malformed, or asks for what cannot be."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_value"


class Unsupported(BadRequest):
    """A parameter that Qwen cannot honour and that must not be dropped."""

    code = "unsupported_parameter"


class TooLarge(BadRequest):
    """The body is over the limit, packed or unpacked."""

    status = 413
    code = "request_too_large"


class BadKey(OpenAIError):
    """The caller's key for this gateway is missing or wrong."""

    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"


class Forbidden(OpenAIError):
    """Not for this caller."""

    status = 403
    type = "invalid_request_error"
    code = "forbidden"


class NotFound(OpenAIError):
    """No such path, model or object."""

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class UpstreamError(OpenAIError):
    """Every attempt failed; built from the last verdict."""

    status = 502
    type = "server_error"
    code = "upstream_error"


def _sound(text: str) -> str:
    """Text that UTF-8 can carry: a message may quote a header whose bytes were none."""
    return text.encode("utf-8", "replace").decode()
