"""The headers of chat.qwen.ai's own page (upstream.md 3.2) that are no credentials and no fingerprint.

What tells browsers apart (`user-agent`, `bx-*`, `sec-ch-ua`) comes from the operator's capture alone, with the
credentials. Where nothing was captured the gateway says who it is.
"""

import uuid
from datetime import datetime

AGENT = "Mozilla/5.0 (compatible; qwen-gateway)"


def page_headers(
    origin: str, referer: str = "/", *, streamed: bool = False, now: datetime | None = None
) -> dict[str, str]:
    """The headers of one request.

    Args:
        origin: the account's base URL.
        referer: the path of the page that asks (`/c/<chat_id>`).
    """
    moment = now or datetime.now().astimezone()
    headers = {
        "accept": "text/event-stream" if streamed else "application/json",
        "content-type": "application/json",
        "origin": origin,
        "referer": origin + referer,
        "source": "web",
        "timezone": f"{DAYS[moment.weekday()]} {MONTHS[moment.month - 1]} {moment:%d %Y %H:%M:%S} GMT{moment:%z}",
        "user-agent": AGENT,
        "x-request-id": str(uuid.uuid4()),
    }
    if streamed:
        headers["x-accel-buffering"] = "no"
    return headers


DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
