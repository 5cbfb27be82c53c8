"""Uploads: a ticket, bytes in a store that checks their signature, a parser of documents (upstream.md 3.9).

The store speaks enough of Aliyun OSS for one `PUT` with a V4 signature, which is recomputed from the ticket's secret,
and gives the bytes back by `GET`. It is reached at `/{bucket}/{key}` and, where names resolve, at `{bucket}.{host}`.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote, unquote, urlsplit

from ..log import Received
from ..wire import JsonObject, Reply
from .visitors import Visitor

BUCKET = "qwen-webui-prod"
REGION = "ap-southeast-1"
TYPES = {"image": 20_000_000, "file": 20_000_000, "document": 20_000_000, "audio": 100_000_000, "video": 500_000_000}
"""Kinds of files and the bytes they may have."""
TICKET_LIFE = 3_600


@dataclass(slots=True, eq=False)
class File:
    """One file, from its ticket on."""

    id: str
    owner: str
    name: str
    size: int
    type: str
    key: str
    key_id: str
    secret: str
    session: str
    until: float
    content: bytes | None = None
    content_type: str = ""
    parse: str = ""
    """"", `pending`, `success` or `failed`."""
    polls: int = 0

    def ticket(self, endpoint: str) -> JsonObject:
        """What `getstsToken` tells; a bare endpoint can only mean https."""
        scheme, _, host = endpoint.rpartition("://")
        url = f"{scheme or 'https'}://{host}/{BUCKET}/{quote(self.key)}"
        return {
            "access_key_id": self.key_id,
            "access_key_secret": self.secret,
            "security_token": self.session,
            "bucketname": BUCKET,
            "region": f"oss-{REGION}",
            "endpoint": endpoint,
            "file_path": self.key,
            "file_url": url,
            "file_id": self.id,
        }


@dataclass(slots=True)
class Files:
    """All files, by id and by their place in the store."""

    by_id: dict[str, File] = field(default_factory=dict)
    by_key: dict[str, File] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget all."""
        self.by_id.clear()
        self.by_key.clear()

    def begin(self, number: str, owner: Visitor, name: str, size: int, kind: str, now: float) -> File:
        """A ticket for a new file."""
        mark = hashlib.sha256(number.encode()).hexdigest()
        key = f"{owner.id}/{number}_{name}"
        made = File(
            number, owner.name, name, size, kind, key, f"STS.{mark[:20]}", mark[20:50], f"CAIS{mark}", now + TICKET_LIFE
        )
        self.by_id[number] = self.by_key[key] = made
        return made


def store(files: Files, received: Received, now: float) -> Reply:
    """`PUT` and `GET` of an object."""
    key = unquote(urlsplit(received.target).path).lstrip("/").removeprefix(BUCKET + "/")
    file = files.by_key.get(key)
    if received.method == "GET":
        if file is None or file.content is None:
            return _refused(404, "NoSuchKey", "The specified key does not exist.")
        return Reply(200, [("content-type", file.content_type or "application/octet-stream")], file.content)
    if received.method != "PUT" or file is None:
        return _refused(403, "AccessDenied", "You have no right to access this object.")
    complaint = check_signature(file, received, now)
    if complaint is not None:
        return complaint
    if len(received.body) != file.size:
        received.note = f"upload of {len(received.body)} bytes where the ticket says {file.size}"
        return _refused(400, "InvalidArgument", "The size is not that of the ticket.")
    file.content, file.content_type = received.body, received.header("content-type") or ""
    received.note = f"upload of {file.name}"
    tag = hashlib.md5(received.body, usedforsecurity=False).hexdigest().upper()
    return Reply(200, [("etag", f'"{tag}"'), ("x-oss-request-id", file.id), ("server", "AliyunOSS")], b"")


_FORM = re.compile(
    r"OSS4-HMAC-SHA256 Credential=([^/,]+)/(\d{8})/([\w-]+)/oss/aliyun_v4_request"
    r"(?:, ?AdditionalHeaders=([\w;-]+))?, ?Signature=([0-9a-f]{64})"
)


def check_signature(file: File, received: Received, now: float) -> Reply | None:
    """The store's complaint about a V4 signature in the headers, if there is one."""
    found = _FORM.fullmatch(received.header("authorization") or "")
    if found is None:
        return _refused(403, "AccessDenied", "The Authorization header is no V4 signature.")
    key_id, day, region, additional, signature = found.groups()
    date = received.header("x-oss-date") or ""
    if not re.fullmatch(r"\d{8}T\d{6}Z", date) or date[:8] != day:
        return _refused(403, "AccessDenied", "x-oss-date is missing or of another day than the scope.")
    if key_id != file.key_id or received.header("x-oss-security-token") != file.session:
        return _refused(403, "InvalidAccessKeyId", "The OSS Access Key Id you provided does not exist in our records.")
    if region != REGION:
        return _refused(400, "AuthorizationHeaderMalformed", f"The region {region} is wrong; expecting {REGION}.")
    if now >= file.until:
        return _refused(403, "SecurityTokenExpired", "The security token you provided has expired.")
    if abs(datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp() - now) > 900:
        return _refused(403, "RequestTimeTooSkewed", "The difference between the times is too large.")
    if received.header("x-oss-content-sha256") != "UNSIGNED-PAYLOAD":
        return _refused(400, "InvalidArgument", "x-oss-content-sha256 must be UNSIGNED-PAYLOAD.")
    if not hmac.compare_digest(signature, _signature(file, received, date, region, additional or "")):
        return _refused(403, "SignatureDoesNotMatch", "The request signature we calculated does not match yours.")
    return None


def _signature(file: File, received: Received, date: str, region: str, additional: str) -> str:
    """The signature as OSS computes it: over the object's place, whatever host was asked."""
    extra = set(filter(None, additional.split(";")))
    signed = sorted(
        (name.lower(), value.strip())
        for name, value in received.headers
        if name.lower().startswith("x-oss-") or name.lower() in {"content-type", "content-md5", *extra}
    )
    query = "&".join(sorted(part.removesuffix("=") for part in urlsplit(received.target).query.split("&") if part))
    canonical = "\n".join(
        (
            received.method,
            quote(f"/{BUCKET}/{file.key}", safe="/"),
            query,
            "".join(f"{name}:{value}\n" for name, value in signed),
            additional,
            "UNSIGNED-PAYLOAD",
        )
    )
    scope = f"{date[:8]}/{region}/oss/aliyun_v4_request"
    said = "\n".join(("OSS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"aliyun_v4{file.secret}".encode()
    for part in (*scope.split("/"), said):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()


def _refused(status: int, code: str, message: str) -> Reply:
    error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'
    return Reply(status, [("content-type", "application/xml"), ("x-oss-ec", code)], body.encode())
