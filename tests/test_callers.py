"""Who may call: keys, machines, hosts, origins."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qwen_gateway.callers import (
    Keys,
    check_host,
    check_origin,
    check_peer,
    cors_headers,
    host_of,
    is_loopback,
    key_of,
    origin_allowed,
    preflight_headers,
)
from qwen_gateway.openai.errors import BadKey, Forbidden


class TestKeys:
    def test_without_keys_everyone_may_call(self) -> None:
        Keys().check({})

        assert not Keys(["", ""])

    @pytest.mark.parametrize(
        "headers",
        [{"authorization": "Bearer k-1"}, {"authorization": "bearer  k-1 "}, {"authorization": "k-1"},
         {"x-api-key": "k-2"}, {"api-key": "k-1"}, {"authorization": "Bearer wrong", "x-api-key": "k-1"}],
    )  # fmt: skip
    def test_a_known_key_in_any_header_will_do(self, headers: dict[str, str]) -> None:
        Keys(["k-1", "k-2"]).check(headers)

    @pytest.mark.parametrize(
        ("headers", "code"),
        [({}, "missing_api_key"), ({"authorization": "Bearer"}, "missing_api_key"),
         ({"authorization": "Bearer "}, "missing_api_key"), ({"authorization": "Bearer k-3"}, "invalid_api_key"),
         ({"authorization": "Basic k-1"}, "invalid_api_key"), ({"x-api-key": "k-1 k-2"}, "invalid_api_key")],
    )  # fmt: skip
    def test_others_are_refused(self, headers: dict[str, str], code: str) -> None:
        with pytest.raises(BadKey) as refused:
            Keys(["k-1", "k-2"]).check(headers)

        assert (refused.value.status, refused.value.code) == (401, code)
        assert "k-1" not in refused.value.message

    def test_keys_are_never_shown(self) -> None:
        assert repr(Keys(["k-1"])) == "Keys(1)"
        assert "k-1" not in str(vars(Keys(["k-1"])))

    @given(st.text(alphabet=st.characters(codec=None)))
    @example("\ud800")
    def test_no_key_makes_it_raise(self, key: str) -> None:
        assert not Keys(["k-1"]).known(key + "x")

    def test_a_scheme_is_no_part_of_a_key(self) -> None:
        assert key_of("Bearer sk-1") == "sk-1"
        assert key_of(" sk-1 ") == "sk-1"


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost."]
)
def test_names_of_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "0.0.0.0", "10.0.0.1", "localhost.evil.test", "127.0.0.1.evil.test", "2130706433", "0x7f000001", "::", "evil"],
)
def test_names_of_other_machines(host: str) -> None:
    assert not is_loopback(host)


class TestPeers:
    @pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
    def test_this_machine_may_call_without_a_key(self, address: str) -> None:
        check_peer((address, 5))

    @pytest.mark.parametrize("peer", [("10.0.0.1", 5), ("::ffff:10.0.0.1", 5), ("", 0), None])
    def test_others_are_told_what_to_do(self, peer: tuple[str, int] | None) -> None:
        with pytest.raises(Forbidden, match="QWEN_GATEWAY_KEYS") as refused:
            check_peer(peer)

        assert refused.value.code == "keys_required"


class TestHosts:
    @pytest.mark.parametrize("authority", ["localhost:8080", "127.0.0.1", "[::1]:8080", "gate.test:1", "GATE.test."])
    def test_known_names_pass(self, authority: str) -> None:
        check_host(authority, {"gate.test"})

    @pytest.mark.parametrize(
        "authority",
        ["evil.test", "localhost@evil.test", "evil.test#localhost", "evil.test/localhost", "evil.test?localhost", "",
         "[::1", "localhost.evil.test:80", "\udcff.test"],
    )  # fmt: skip
    def test_rebinding_is_refused(self, authority: str) -> None:
        with pytest.raises(Forbidden) as refused:
            check_host(authority, {"gate.test"})

        assert refused.value.code == "host_not_allowed"
        assert refused.value.encode()

    def test_a_star_lets_every_name_pass(self) -> None:
        check_host("evil.test", {"*"})

    @given(st.text())
    def test_no_authority_makes_it_raise_anything_else(self, authority: str) -> None:
        host_of(authority)


class TestOrigins:
    @pytest.mark.parametrize(
        "origin", ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:5", "https://App.test/"]
    )
    def test_known_pages_may_call(self, origin: str) -> None:
        check_origin(origin, {"https://app.test"})

    @pytest.mark.parametrize(
        "origin",
        ["https://evil.test", "null", "http://localhost.evil.test", "file://localhost", "http://[::1", "localhost",
         "https://app.test.evil.test", "http://evil.test#localhost"],
    )  # fmt: skip
    def test_other_pages_may_not(self, origin: str) -> None:
        with pytest.raises(Forbidden) as refused:
            check_origin(origin, {"https://app.test"})

        assert refused.value.code == "origin_not_allowed"

    def test_what_is_no_page_may_call(self) -> None:
        check_origin("", ())

    def test_a_star_lets_every_page_call(self) -> None:
        assert origin_allowed("https://evil.test", {"*"})

    def test_an_allowed_page_may_read_the_answer(self) -> None:
        headers = dict(cors_headers("https://app.test"))

        assert headers["access-control-allow-origin"] == "https://app.test"
        assert headers["vary"] == "origin"
        assert "x-gateway-notice" in headers["access-control-expose-headers"]


class TestPreflight:
    def test_the_headers_asked_for_are_allowed(self) -> None:
        headers = dict(preflight_headers("https://app.test", "authorization, X-Stainless-Lang,content-type"))

        assert headers["access-control-allow-headers"] == "authorization, X-Stainless-Lang, content-type"

    @pytest.mark.parametrize("wanted", ["", "a\r\nx: y", "é", "*", ", ,"])
    def test_odd_ones_are_not(self, wanted: str) -> None:
        headers = dict(preflight_headers("https://app.test", wanted))

        assert headers["access-control-allow-headers"] == "authorization, content-type"
