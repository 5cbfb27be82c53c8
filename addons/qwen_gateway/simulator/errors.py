"""Every error row of upstream.md 2.12, 4.6 and 4.7 by name, as the services word it.

A row knows the code of the OpenAI-compatible face (`code`) and the one of the native faces (`flat`).
Where the contract gives several texts for one code, each has a row. How a row travels (shapes E1 to
E4 of 4.5) is `shapes.py`; texts the contract abridges with "…" are completed in its sense.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Row:
    """One error: what the services answer."""

    name: str
    status: int
    code: str | None
    message: str
    type: str = ""
    flat: str = ""
    section: str = "4.6"

    def __post_init__(self) -> None:
        object.__setattr__(self, "type", self.type or self.code or "")
        object.__setattr__(self, "flat", self.flat or self.code or "")

    def saying(self, message: str) -> "Row":
        """The same row with another text."""
        return replace(self, message=message)


class Refused(Exception):
    """The call is answered with an error row."""

    def __init__(self, row: Row) -> None:
        super().__init__(row.message)
        self.row = row


_REQUEST = "invalid_request_error"
_QUOTA = "insufficient_quota"
_DENIED = "Access to model denied. Please make sure you are eligible for using the model."
_EXCEEDED = (
    "You exceeded your current quota, please check your plan and billing details. For details, see: "
    "https://www.alibabacloud.com/help/en/model-studio/error-code#token-limit"
)
_BURST = (
    "Request rate increased too quickly. To ensure system stability, please adjust your client logic to "
    "scale requests more smoothly over time."
)
_NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using "
    "Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
)
_CAPACITY = "Too many requests. Your requests are being throttled due to system capacity limits."
_PREFIX = "<400> InternalError.Algo.InvalidParameter: "
PLAN = "4.7"


def _quota(name: str, message: str, section: str = "4.6") -> Row:
    return Row(name, 429, _QUOTA, message, flat="Throttling.AllocationQuota", section=section)


def _plan(name: str, message: str) -> Row:
    return _quota(name, message, PLAN)


_ROWS = [
    # 400
    Row(
        "invalid-parameter",
        400,
        "invalid_parameter_error",
        "Required parameter(s) missing or invalid, please check the request parameters.",
        _REQUEST,
        "InvalidParameter",
    ),
    Row(
        "input-too-long",
        400,
        "invalid_parameter_error",
        _PREFIX + "Range of input length should be [1, 1000000]",
        _REQUEST,
        "InvalidParameter",
    ),
    Row("bad-request", 400, "invalid_parameter_error", "bad request", _REQUEST, section="2.12"),
    Row(
        "arrearage",
        400,
        "Arrearage",
        "Access denied, please make sure your account is in good standing.",
    ),
    Row(
        "data-inspection",
        400,
        "data_inspection_failed",
        "Input data may contain inappropriate content.",
        flat="DataInspectionFailed",
    ),
    Row(
        "data-inspection-output",
        400,
        "data_inspection_failed",
        "Output data may contain inappropriate content.",
        flat="DataInspectionFailed",
    ),
    # 401
    Row("invalid-api-key", 401, "invalid_api_key", "Incorrect API key provided.", _REQUEST, "InvalidApiKey"),
    Row(
        "invalid-api-key-provided",
        401,
        "invalid_api_key",
        "Invalid API-key provided.",
        _REQUEST,
        "InvalidApiKey",
    ),
    Row("no-api-key", 401, "invalid_api_key", "No API-key provided.", _REQUEST, "InvalidApiKey"),
    Row("missing-authorization", 401, None, _NO_KEY, _REQUEST, "InvalidApiKey"),
    Row(
        "invalid-access-token",
        401,
        "invalid_api_key",
        "invalid access token or token expired",
        _REQUEST,
        "InvalidApiKey",
    ),
    Row("not-authorized", 401, "NOT AUTHORIZED", "Access denied: the workspace is not authorized."),
    # 403
    Row("access-denied", 403, "access_denied", "Access denied.", flat="AccessDenied"),
    Row("model-access-denied", 403, "Model.AccessDenied", "Model access denied."),
    Row("workspace-access-denied", 403, "Workspace.AccessDenied", "Workspace access denied."),
    Row("app-access-denied", 403, "App.AccessDenied", "App access denied."),
    Row("access-denied-unpurchased", 403, "AccessDenied.Unpurchased", _DENIED),
    Row(
        "free-tier-only",
        403,
        "AllocationQuota.FreeTierOnly",
        "The free tier of the model has been exhausted. If you wish to continue access the model on a paid "
        'basis, please disable the "use free tier only" mode in the management console.',
    ),
    Row(
        "free-tier-quota",
        403,
        _QUOTA,
        "The free quota of the model has been exhausted.",
        flat="AllocationQuota.FreeTierOnly",
    ),
    Row("plan-key", 403, "invalid_api_key", "invalid api-key", _REQUEST, "InvalidApiKey", PLAN),
    # 404
    Row(
        "model-not-found",
        404,
        "model_not_found",
        "The model `{model}` does not exist or you do not have access to it.",
        _REQUEST,
        "ModelNotFound",
    ),
    Row(
        "model-not-supported",
        404,
        "model_not_supported",
        "Unsupported model `{model}` for OpenAI compatibility mode.",
        _REQUEST,
        "ModelNotFound",
    ),
    Row("not-found", 404, "NotFound", "Not found."),
    Row(
        "method-not-allowed",
        405,
        "Method Not Allowed",
        "The method is not allowed for the requested URL.",
        section="4.5",
    ),
    Row(
        "plan-model",
        400,
        "invalid_parameter_error",
        "model '{model}' is not supported",
        _REQUEST,
        "InvalidParameter",
        PLAN,
    ),
    # 429
    Row("throttling", 429, "Throttling", "Requests throttling triggered."),
    Row("throttling-route", 429, "Throttling", "Too many requests in route. Try again later."),
    Row(
        "rate-quota",
        429,
        "limit_requests",
        "You exceeded your current requests list.",
        flat="Throttling.RateQuota",
    ),
    Row(
        "limit-requests",
        429,
        "limit_requests",
        "Requests rate limit exceeded, try again later.",
        flat="LimitRequests",
    ),
    Row("burst-rate", 429, "limit_burst_rate", _BURST, flat="Throttling.BurstRate"),
    _quota("insufficient-quota", _EXCEEDED),
    _quota("allocation-quota", "Allocated quota exceeded, please increase your quota limit."),
    _quota("free-quota", "Free allocated quota exceeded."),
    Row("commodity-not-purchased", 429, "CommodityNotPurchased", "Commodity has not purchased yet."),
    Row("prepaid-bill-overdue", 429, "PrepaidBillOverdue", "The prepaid bill is overdue."),
    Row("postpaid-bill-overdue", 429, "PostpaidBillOverdue", "The postpaid bill is overdue."),
    _plan("hour-quota", "hour allocated quota exceeded"),
    _plan("week-quota", "week allocated quota exceeded"),
    _plan("month-quota", "month allocated quota exceeded"),
    _plan("concurrency-quota", "concurrency allocated quota exceeded"),
    _plan(
        "hour-quota-exhausted",
        "Quota exhausted: hour allocated quota exceeded. Please retry after the reset time, or upgrade your plan.",
    ),
    Row(
        "token-plan-rate",
        429,
        "limit_requests",
        "Requests rate limit exceeded",
        flat="Throttling.RateQuota",
        section=PLAN,
    ),
    _plan("token-plan-quota", "Allocated quota exceeded"),
    # 5xx
    Row(
        "internal-error",
        500,
        "internal_error",
        "An internal error has occured, please try again later or contact service support.",
        flat="InternalError",
    ),
    Row(
        "internal-algo",
        500,
        "InternalError.Algo",
        "inference internal error.",
    ),
    Row("system-error", 500, "SystemError", "An system error has occured, please try again later."),
    Row("model-service-failed", 500, "ModelServiceFailed", "Failed to request model service."),
    Row("request-timeout", 500, "RequestTimeOut", "Request timed out, please try again later."),
    Row("model-serving-error", 500, "ModelServingError", _CAPACITY),
    Row("model-serving-error-503", 503, "ModelServingError", _CAPACITY),
    Row("stream-timeout", 504, "stream_timeout", "stream timeout", section="2.12"),
    Row(
        "model-unavailable",
        503,
        "ModelUnavailable",
        "Model is unavailable, please try again later.",
    ),
]

ROWS = {row.name: row for row in _ROWS}


def refuse(name: str, message: str | None = None, **values: str) -> Refused:
    """The refusal with a row of that name; `{placeholders}` in its text are filled in."""
    row = ROWS[name]
    text = row.message if message is None else message
    for key, value in values.items():
        text = text.replace("{" + key + "}", value)
    return Refused(row.saying(text))


def invalid(rule: str) -> Refused:
    """A broken rule of upstream.md 4.3, with the prefix the back end gives it."""
    return refuse("invalid-parameter", _PREFIX + rule)
