"""Whose key it is."""

import pytest

from qwen_gateway.callers import Keys, digest_of
from qwen_gateway.keys.grants import Grant
from qwen_gateway.keys.ring import KeyRing, id_of, new_key
from qwen_gateway.openai.errors import BadKey


def made(**more: object) -> tuple[str, Grant]:
    key, key_id = new_key()
    return key, Grant(key_id, digest_of(key), "team", **more)  # type: ignore[arg-type]


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_without_keys_nobody_needs_one() -> None:
    ring = KeyRing()

    assert not ring
    assert ring.caller({}) == ""
    assert ring.caller(bearer("sk-whatever")) == ""


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key"])
def test_a_key_of_the_ledger_is_known_by_its_id(header: str) -> None:
    key, grant = made()
    ring = KeyRing()
    ring.replace([made()[1], grant, made()[1]])

    assert ring.caller({header: key}) == grant.id == id_of(key)
    assert ring.grant(grant.id) is grant
    assert key not in repr(ring.grant(grant.id))


@pytest.mark.parametrize("change", [lambda key: key[:-1] + "#", lambda key: key + "x", lambda key: "sk-gw-nobody-x"])
def test_the_whole_key_counts(change: object) -> None:
    key, grant = made()
    ring = KeyRing()
    ring.replace([grant])

    with pytest.raises(BadKey, match="not one of"):
        ring.caller(bearer(change(key)))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("more", "words"), [({"disabled": True}, "was revoked"), ({"expires_at": 1_000.0}, "has expired")]
)
def test_a_key_that_is_over_is_told_so(more: dict[str, object], words: str) -> None:
    key, grant = made(**more)
    ring = KeyRing(clock=lambda: 1_000.0)
    ring.replace([grant])

    with pytest.raises(BadKey, match=words) as refused:
        ring.caller(bearer(key))
    assert key not in str(refused.value)
    with pytest.raises(BadKey, match="wants a key"):  # the last key was revoked: the door stays closed
        ring.caller({})


def test_plain_keys_go_on_beside_them_and_have_a_name_that_tells_nothing() -> None:
    key, grant = made()
    ring = KeyRing(Keys(["canary-plain"]))
    ring.replace([grant])

    plain = ring.caller(bearer("canary-plain"))

    assert ring.caller(bearer(key)) == grant.id
    assert plain == ring.caller({"x-api-key": "canary-plain"})
    assert plain
    assert "canary" not in plain
    assert ring.grant(plain) is None
    with pytest.raises(BadKey):
        ring.caller(bearer("other"))


def test_keys_are_long_and_never_the_same() -> None:
    keys = {new_key()[0] for _ in range(100)}

    assert len(keys) == 100
    assert all(len(key) > 55 for key in keys)
