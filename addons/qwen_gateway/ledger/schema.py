"""The tables. `docs/reference/ledger.md` explains them and is tested against this file.

Times are seconds since the epoch, in UTC; durations are milliseconds. JSON is text, so that both databases keep it as
it was. Rows of an exchange go when its session goes.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)  # fmt: skip


class Words(TypeDecorator[str]):
    """Text from outside: without what PostgreSQL refuses (NUL) and what neither can encode (lone surrogates)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value and storable((value,))[0]


def storable[Values: tuple[Any, ...]](values: Values) -> Values:
    """Values, of which texts are as `Words` has them; mostly they were so before."""
    for value in values:
        if type(value) is str and ("\0" in value or not value.isascii()):
            return tuple(clean(each) if isinstance(each, str) else each for each in values)  # type: ignore[return-value]
    return values


def clean(text: str) -> str:
    """Text that both databases take."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _when(name: str, *, nullable: bool = False) -> Column[float]:
    return Column(name, Double, nullable=nullable)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _part_of(table: str, **options: Any) -> ForeignKey:
    return ForeignKey(f"{table}.id", ondelete="CASCADE", **options)


METADATA_TABLE = Table(
    "metadata", METADATA,
    Column("key", Words, primary_key=True),
    Column("value", Words, nullable=False),
)  # fmt: skip

GATEWAYS = Table(
    "gateways", METADATA,
    Column("id", Words, primary_key=True),
    Column("machine", Words, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", Words, nullable=False),
    _when("started_at"),
    _when("seen_at"),
    _when("ended_at", nullable=True),
)  # fmt: skip

SESSIONS = Table(
    "sessions", METADATA,
    Column("id", Words, primary_key=True),
    Column("caller", Words, nullable=False, server_default=""),
    _when("created_at"),
    Column("last_at", Double, nullable=False, index=True),
)  # fmt: skip

REQUESTS = Table(
    "requests", METADATA,
    Column("id", Words, primary_key=True),
    Column("session_id", Words, _part_of("sessions"), nullable=False, index=True),
    Column("parent_id", Words, nullable=True),
    Column("chain", Words, nullable=True, index=True),
    Column("gateway", Words, nullable=False),
    Column("started_at", Double, nullable=False, index=True),
    _when("ended_at", nullable=True),
    Column("surface", Words, nullable=False),
    Column("stream", Boolean, nullable=False),
    Column("client", Words, nullable=False, server_default=""),
    Column("user_agent", Words, nullable=False, server_default=""),
    Column("caller", Words, nullable=False, server_default=""),
    Column("model_asked", Words, nullable=False),
    Column("model", Words, nullable=False, server_default=""),
    Column("account", Words, nullable=False, server_default=""),
    Column("account_why", Words, nullable=False, server_default=""),
    Column("outcome", Words, nullable=False, index=True),
    Column("error_status", Integer, nullable=True),
    Column("error_code", Words, nullable=True),
    Column("error_message", Words, nullable=True),
    Column("upstream_request_id", Words, nullable=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("notices", Words, nullable=False, server_default="[]"),
    Column("headers", Words, nullable=False, server_default="{}"),
    Column("body", Words, nullable=True),
    Column("qwen_url", Words, nullable=True),
    Column("qwen_headers", Words, nullable=True),
    Column("qwen_body", Words, nullable=True),
    _number("size"),
)  # fmt: skip

RESPONSES = Table(
    "responses", METADATA,
    Column("id", Words, primary_key=True),
    Column("request_id", Words, _part_of("requests"), nullable=False, unique=True),
    Column("session_id", Words, _part_of("sessions"), nullable=False, index=True),
    Column("created_at", Double, nullable=False, index=True),
    Column("status", Integer, nullable=True),
    Column("finish_reason", Words, nullable=True),
    _number("prompt_tokens"),
    _number("completion_tokens"),
    _number("total_tokens"),
    _number("cached_tokens"),
    _number("reasoning_tokens"),
    Column("queued_ms", Double, nullable=True),
    Column("first_byte_ms", Double, nullable=True),
    Column("duration_ms", Double, nullable=True),
    Column("body", Words, nullable=True),
    Column("received", Words, nullable=True),
    Column("sent_events", Words, nullable=True),
    Column("received_events", Words, nullable=True),
)  # fmt: skip

ATTEMPTS = Table(
    "attempts", METADATA,
    Column("request_id", Words, _part_of("requests"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("account", Words, nullable=False),
    Column("why", Words, nullable=False),
    Column("model", Words, nullable=False),
    Column("url", Words, nullable=False),
    _when("started_at"),
    _when("ended_at", nullable=True),
    Column("status", Integer, nullable=True),
    Column("verdict", Words, nullable=True),
    Column("fault_code", Words, nullable=True),
    Column("fault_message", Words, nullable=True),
    Column("shown", Boolean, nullable=False, server_default=false()),
    Column("body", Words, nullable=True),
    Column("answer", Words, nullable=True),
)  # fmt: skip

OBJECTS = Table(
    "objects", METADATA,
    Column("id", Words, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("owner", Words, nullable=False, server_default=""),
    Column("conversation_id", Words, nullable=True, index=True),
    Column("parent_id", Words, nullable=True),
    Column("json", Words, nullable=False),
    _when("created_at"),
    Column("expires_at", Double, nullable=True, index=True),
    Index(None, "kind", "owner", "created_at"),
)  # fmt: skip

CONVERSATIONS = Table(
    "conversations", METADATA,
    Column("id", Words, primary_key=True),
    Column("owner", Words, nullable=False, server_default=""),
    Column("metadata", Words, nullable=False, server_default="{}"),
    _when("created_at"),
)  # fmt: skip

CONVERSATION_ITEMS = Table(
    "conversation_items", METADATA,
    Column("conversation_id", Words, _part_of("conversations"), primary_key=True),
    Column("id", Words, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("json", Words, nullable=False),
    _when("created_at"),
    UniqueConstraint("conversation_id", "position"),
)  # fmt: skip

CHATS = Table(
    "chats", METADATA,
    Column("account", Words, primary_key=True),
    Column("chain", Words, primary_key=True),
    Column("chat_id", Words, nullable=False, index=True),
    Column("parent_id", Words, nullable=False, server_default=""),
    Column("model", Words, nullable=False, server_default=""),
    Column("holder", Words, nullable=False, server_default=""),
    Column("held_until", Double, nullable=False, server_default="0"),
    _when("created_at"),
    Column("used_at", Double, nullable=False, index=True),
)  # fmt: skip

GATEWAY_KEYS = Table(
    "gateway_keys", METADATA,
    Column("id", Words, primary_key=True),
    Column("hash", Words, nullable=False, unique=True),
    Column("name", Words, nullable=False, unique=True),
    Column("limits", Words, nullable=False, server_default="{}"),
    Column("disabled", Boolean, nullable=False, server_default=false()),
    _when("created_at"),
    _when("expires_at", nullable=True),
    _when("used_at", nullable=True),
)  # fmt: skip

SPEND = Table(
    "spend", METADATA,
    Column("key_id", Words, _part_of("gateway_keys"), primary_key=True),
    Column("span", Words, primary_key=True),
    Column("begins", BigInteger, primary_key=True),
    _number("calls"),
    _number("prompt_tokens"),
    _number("completion_tokens"),
    Column("cost", Double, nullable=False, server_default="0"),
)  # fmt: skip

ACCOUNTS_STATE = Table(
    "accounts_state", METADATA,
    Column("account", Words, primary_key=True),
    Column("model", Words, primary_key=True),
    Column("status", Words, nullable=False),
    Column("until", Double, nullable=False),
    Column("reason", Words, nullable=False, server_default=""),
    Column("cause", Words, nullable=False, server_default=""),
    Column("code", Words, nullable=False, server_default=""),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("gateway", Words, nullable=False),
    Column("changed_at", Double, nullable=False, index=True),
)  # fmt: skip

WINDOWS = Table(
    "windows", METADATA,
    Column("account", Words, primary_key=True),
    Column("span", Words, primary_key=True),
    Column("begins", BigInteger, primary_key=True),
    _number("calls"),
    _number("prompt_tokens"),
    _number("completion_tokens"),
    _number("cached_tokens"),
    Index(None, "span", "begins"),
)  # fmt: skip

LOCKS = Table(
    "locks", METADATA,
    Column("name", Words, primary_key=True),
    Column("holder", Words, nullable=False),
    _when("until"),
)  # fmt: skip
