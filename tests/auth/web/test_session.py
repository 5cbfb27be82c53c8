import pytest

from qwen_auth.web.session import Session, is_jwt, moment_of, parse_cookies
from tests.auth.web.sessions import GUEST, jwt


def test_cookies_go_back_as_they_came():
    header = "cna=abc+/=; token=eyJ.a.b; x=%7B%22a%22%7D; ssxmod_itna=1-2_3"

    assert Session(cookies=parse_cookies(header)).cookie_header == header


@pytest.mark.parametrize("wrong", ["nothing", "a=1; b", "a=1\nb=2", "ключ=1"])
def test_what_is_no_cookie_header_is_refused(wrong):
    with pytest.raises(ValueError, match="copy the whole value"):
        parse_cookies(wrong)


def test_an_answer_sets_adds_and_takes_back_cookies():
    session = Session(cookies=(("acw_tc", "old"), ("x", "1"), ("gone", "2"), ("gone2", "3")))

    merged = session.merged(
        [
            "acw_tc=new; Path=/; HttpOnly; Max-Age=1800",
            "tfstk=abc=def; Domain=.qwen.ai",
            "gone=; Path=/",
            "gone2=deleted; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "no cookie at all",
            "bad name=1",
        ]
    )

    assert merged.cookie_header == "acw_tc=new; x=1; tfstk=abc=def"


def test_a_bearer_is_sent_as_such_and_a_cookie_s_token_only_as_a_cookie():
    bearer, cookie = {}, {}
    Session(bearer="eyJ.a.b").apply(bearer)
    Session(cookies=(("token", "eyJ.a.b"),), umidtoken="T2gA", headers=(("bx-v", "2.5.37"),)).apply(cookie)

    assert bearer == {"authorization": "Bearer eyJ.a.b"}
    assert cookie == {"cookie": "token=eyJ.a.b", "bx-umidtoken": "T2gA", "bx-v": "2.5.37"}


def test_a_new_token_stands_where_the_old_one_stood():
    assert Session(bearer="a").with_token("n") == Session(bearer="n")
    assert Session(cookies=(("token", "a"), ("x", "1"))).with_token("n").cookie_header == "token=n; x=1"
    both = Session(bearer="a", cookies=(("token", "a"),)).with_token("n")
    assert (both.bearer, both.cookie_header) == ("n", "token=n")
    assert GUEST.with_token("n").bearer == "n"


def test_the_times_of_a_token_are_read_and_never_assumed():
    token = jwt(exp=1_790_000_900, iat=1_790_000_000)

    assert (moment_of(token, "exp"), moment_of(token, "iat")) == (1_790_000_900, 1_790_000_000)
    assert moment_of(jwt(), "exp") is None
    assert moment_of("T2gA88", "exp") is None
    assert moment_of(jwt(exp="soon"), "exp") is None
    assert is_jwt(token)
    assert not is_jwt("a.b.c")


def test_nothing_secret_is_in_the_repr_and_flags_are_no_secrets():
    session = Session(jwt(), "T2gA-canary", (("token", "canary-cookie"), ("x-ap", "1")), (("bx-ua", "canary!ua"),))

    assert "canary" not in repr(session)
    assert session.jwt not in repr(session)
    assert set(session.secrets()) == {session.bearer, "T2gA-canary", "canary-cookie", "canary!ua"}
