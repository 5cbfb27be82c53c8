"""Uploads: a ticket, the bytes into the site's store, for documents a wait until they are read (upstream.md 3.9)."""

import time
import uuid
from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from qwen_gateway.codec.deltas import Fault
from qwen_gateway.codec.json import BadJSON, dumps, loads
from qwen_gateway.upstreams.steps import Reply, Request
from qwen_gateway.upstreams.web.headers import page_headers
from qwen_gateway.upstreams.web.pictures import Upload, unpack
from qwen_gateway.upstreams.web.refusals import fault_of_reply

POLLS, POLL_EVERY = 40, 1.5
"""How often a document is asked after, and seconds between."""

Uploading = Generator[Request, Reply | Fault, dict[str, Any] | Fault]
"""Ends with the object for `messages[0].files`, or with why there is none."""


def upload(file: Upload, origin: str) -> Uploading:
    """The requests of one upload.

    Args:
        origin: the account's base URL.
    """
    asked = {"filename": file.name, "filesize": file.size, "filetype": file.kind}
    reply = yield Request("POST", "/api/v2/files/getstsToken", page_headers(origin), dumps(asked))
    ticket = data_of(reply)
    if isinstance(ticket, Fault):
        return ticket
    try:
        put = _put(file, ticket, origin)
    except (KeyError, TypeError, ValueError) as error:
        return Fault(0, "", f"the ticket for an upload was not understood ({error})", origin="body")
    reply = yield put
    if isinstance(reply, Fault):
        return reply
    if reply.status >= 300:
        return Fault(reply.status, "UploadFailed", "the store of chat.qwen.ai did not take the file", origin="stream")
    number = str(ticket["file_id"])
    if file.file_class == "document" and (fault := (yield from _parse(number, origin))):
        return fault
    return _object(file, ticket)


def data_of(reply: Reply | Fault) -> dict[str, Any] | Fault:
    """The `data` of a reply; older ones had its fields at the top."""
    if isinstance(reply, Fault):
        return reply
    fault = fault_of_reply(reply.status, reply.headers, reply.body)
    if fault is not None:
        return fault
    try:
        payload = loads(reply.body)
    except BadJSON:
        return Fault(0, "", "the site answered with something that is not JSON", origin="body")
    found = payload.get("data", payload) if isinstance(payload, dict) else None
    return found if isinstance(found, dict) else Fault(0, "", "the site's answer has no data", origin="body")


def _put(file: Upload, ticket: dict[str, Any], origin: str) -> Request:
    """The bytes to the store; the signature is made with them, in a thread."""
    bucket, key, endpoint = str(ticket["bucketname"]), str(ticket["file_path"]), str(ticket["endpoint"])
    scheme, _, host = endpoint.rpartition("://")
    path = quote(key, safe="/")
    # A bare host has the bucket in front of it; an endpoint with a scheme is a store of one's own.
    url = f"{scheme}://{host}/{bucket}/{path}" if scheme else f"https://{bucket}.{host}/{path}"
    reached = urlsplit(url).hostname or ""
    if not reached.endswith(".aliyuncs.com") and reached != urlsplit(origin).hostname:
        raise ValueError(f"it names the store {reached[:60]}")
    region = str(ticket["region"]).removeprefix("oss-")
    secrets = (str(ticket["access_key_id"]), str(ticket["access_key_secret"]), str(ticket["security_token"]))

    def work(request: Request) -> None:
        request.body = unpack(file)
        sign(request, bucket, key, region, secrets)

    return Request("PUT", url, {"content-type": file.content_type}, work=work)


def sign(request: Request, bucket: str, key: str, region: str, secrets: tuple[str, str, str]) -> None:
    """Sign by OSS V4, with Alibaba's own signer; its package takes most of a second to import."""
    from alibabacloud_oss_v2.credentials import Credentials  # noqa: PLC0415
    from alibabacloud_oss_v2.signer.v4 import SignerV4  # noqa: PLC0415
    from alibabacloud_oss_v2.types import HttpRequest, SigningContext  # noqa: PLC0415

    signed = HttpRequest(request.method, request.url, headers=dict(request.headers))
    SignerV4().sign(
        SigningContext(
            product="oss",
            region=region,
            bucket=bucket,
            key=key,
            request=signed,
            credentials=Credentials(*secrets),
            signing_time=datetime.now(UTC),
        )
    )
    request.headers = {str(name): str(value) for name, value in signed.headers.items()}


def _parse(number: str, origin: str) -> Generator[Request, Reply | Fault, Fault | None]:
    """Have a document read, and wait until it is."""
    reply = yield Request("POST", "/api/v2/files/parse", page_headers(origin), dumps({"file_id": number}))
    if isinstance(reply, Fault):
        return reply
    if fault := fault_of_reply(reply.status, reply.headers, reply.body):
        return fault
    body = dumps({"file_id_list": [number]})
    for _ in range(POLLS):
        reply = yield Request("POST", "/api/v2/files/parse/status", page_headers(origin), body, pause=POLL_EVERY)
        if isinstance(reply, Fault):
            return reply
        if fault := fault_of_reply(reply.status, reply.headers, reply.body):
            return fault
        try:
            rows = loads(reply.body)["data"]
            status = rows[0]["status"]
        except (BadJSON, LookupError, TypeError):
            return Fault(0, "", "the state of an upload was not understood", origin="body")
        if status == "success":
            return None
        if status == "failed":
            return Fault(0, "UploadFailed", "chat.qwen.ai could not read the uploaded text", origin="stream")
    return Fault(0, "", "chat.qwen.ai did not read the uploaded text in time", origin="timeout")


def _object(file: Upload, ticket: dict[str, Any]) -> dict[str, Any]:
    """The file as a message names it."""
    number, owner = str(ticket["file_id"]), str(ticket["file_path"]).partition("/")[0]
    now = round(time.time() * 1000)
    meta: dict[str, Any] = {"name": file.name, "size": file.size, "content_type": file.content_type}
    if file.file_class == "document":
        meta["parse_meta"] = {"parse_status": "success"}
    return {
        "type": file.kind,
        "id": number,
        "itemId": str(uuid.uuid4()),
        "url": str(ticket.get("file_url", "")),
        "name": file.name,
        "size": file.size,
        "file_type": file.content_type,
        "file_class": file.file_class,
        "showType": file.kind,
        "status": "uploaded",
        "progress": 0,
        "collection_name": "",
        "greenNet": "success",
        "error": "",
        "uploadTaskId": str(uuid.uuid4()),
        "file": {
            "id": number,
            "user_id": owner,
            "filename": file.name,
            "hash": None,
            "data": {},
            "created_at": now,
            "update_at": now,
            "meta": meta,
        },
    }
