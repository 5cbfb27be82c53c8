"""Requests as Chrome and Firefox copy them; every value is invented."""

import pytest

from qwen_auth.errors import AccountError
from qwen_auth.web.curl import parse_curl

BASH = r"""curl 'https://chat.qwen.ai/api/v2/chat/completions?chat_id=5b0c9b1e' \
  -H 'accept: application/json' \
  -H 'accept-language: en-GB,en;q=0.9' \
  -b 'cna=a+b/c=; token=eyJhbGciOiJIUzI1NiJ9.eyJpZCI6InUifQ.c2ln; _gcl_au=1.1.2' \
  -H 'bx-ua: 231!canary/ua=' \
  -H 'bx-umidtoken: T2gAcanary=' \
  -H 'bx-v: 2.5.37' \
  -H 'content-type: application/json' \
  -H 'origin: https://chat.qwen.ai' \
  -H 'referer: https://chat.qwen.ai/c/5b0c9b1e' \
  -H 'sec-ch-ua: "Chromium";v="141", "Not?A_Brand";v="8"' \
  -H $'user-agent: Mozilla/5.0 (it\'s X11)' \
  -H 'version: 0.3.11' \
  -H 'x-request-id: 0f0f' \
  --compressed \
  --data-raw $'{"messages":[{"content":"private \'words\' \\u0021 -H \'cookie: evil=1\'"}]}'
"""

CMD = """curl ^"https://chat.qwen.ai/api/v2/chat/completions?chat_id=5b0c9b1e^" ^\r
  -H ^"accept: application/json^" ^\r
  -b ^"cna=a^%^2Fb; token=eyJhbGciOiJIUzI1NiJ9.eyJpZCI6InUifQ.c2ln^" ^\r
  -H ^"bx-umidtoken: T2gAcanary=^" ^\r
  -H ^"sec-ch-ua: ^\\^"Chromium^\\^";v=^\\^"141^\\^"^" ^\r
  -H ^"user-agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64)^" ^\r
  --data-raw ^"^{^\\^"content^\\^":^\\^"private^\\^"^}^"\r
"""


def test_a_request_for_a_posix_shell():
    url, session = parse_curl(BASH)

    assert url == "https://chat.qwen.ai"
    assert session.cookie_header == "cna=a+b/c=; token=eyJhbGciOiJIUzI1NiJ9.eyJpZCI6InUifQ.c2ln; _gcl_au=1.1.2"
    assert session.umidtoken == "T2gAcanary="
    assert dict(session.headers) == {
        "user-agent": "Mozilla/5.0 (it's X11)",
        "bx-v": "2.5.37",
        "bx-ua": "231!canary/ua=",
        "version": "0.3.11",
        "accept-language": "en-GB,en;q=0.9",
        "sec-ch-ua": '"Chromium";v="141", "Not?A_Brand";v="8"',
    }
    assert not session.guest


def test_a_request_for_the_shell_of_windows():
    url, session = parse_curl(CMD)

    assert url == "https://chat.qwen.ai"
    assert session.cookie_header == "cna=a%2Fb; token=eyJhbGciOiJIUzI1NiJ9.eyJpZCI6InUifQ.c2ln"
    assert dict(session.headers) == {
        "user-agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
        "sec-ch-ua": '"Chromium";v="141"',
    }


def test_what_the_person_wrote_stays_behind():
    for command in (BASH, CMD):
        _, session = parse_curl(command)

        everything = f"{session.bearer}{session.umidtoken}{session.cookies}{session.headers}"
        assert not any(word in everything for word in ("private", "5b0c9b1e", "evil", "0f0f"))


def test_a_bearer_and_cookies_in_a_header_of_firefox():
    _, session = parse_curl(
        "curl --request GET --url http://127.0.0.1:9/api --header 'Authorization: Bearer eyJ.a.b' -H'Cookie: a=1' -A ua"
    )

    assert (session.bearer, session.cookie_header, dict(session.headers)) == ("eyJ.a.b", "a=1", {"user-agent": "ua"})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no cURL command"),
        ("Invoke-WebRequest -Uri https://chat.qwen.ai", "no cURL command"),
        ("curl 'https://chat.qwen.ai", "a quote is open"),
        ("curl -H 'a: b'", "no address"),
        ("curl https://chat.qwen.ai/ -H 'accept: */*'", "carries no session"),
        ("curl https://chat.qwen.ai/ -b 'cna=1'", "carries no session"),
        ("curl https://chat.qwen.ai/ -H 'bx-umidtoken: T2gA'", "carries no session"),
        ("curl https://chat.qwen.ai/ -b 'nothing'", "copy the whole value"),
        ("curl https://chat.qwen.ai/ -H 'bx-umidtoken: T2gÄ' -b a=1", "bx-umidtoken has characters"),
    ],
)
def test_what_holds_no_session_is_refused_with_the_remedy(text, why):
    with pytest.raises(AccountError, match=why):
        parse_curl(text)
