import pytest

from qwen_auth.credentials import Credentials, KeyCredentials, clean_key

SECRET = "sk-canary-3f9a"


def test_a_key_is_credentials_and_always_fresh():
    credentials = KeyCredentials(SECRET)

    assert isinstance(credentials, Credentials)
    assert credentials.state == "fresh"
    assert credentials.endpoint is None


def test_a_key_goes_into_the_authorization_header_and_nowhere_else():
    headers = {"accept": "text/event-stream"}

    KeyCredentials(SECRET).apply(headers)

    assert headers == {"accept": "text/event-stream", "Authorization": f"Bearer {SECRET}"}


def test_no_key_adds_no_header():
    headers: dict[str, str] = {}

    KeyCredentials("").apply(headers)

    assert headers == {}
    assert KeyCredentials("").secrets() == ()


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r}".format, "%s".__mod__])
def test_a_key_never_shows_itself(show):
    assert SECRET not in show(KeyCredentials(SECRET))


def test_a_redactor_can_ask_for_the_raw_strings():
    assert KeyCredentials(SECRET).secrets() == (SECRET,)


def test_equal_keys_are_equal_credentials():
    assert KeyCredentials(SECRET) == KeyCredentials(SECRET)
    assert hash(KeyCredentials(SECRET)) == hash(KeyCredentials(SECRET))
    assert KeyCredentials(SECRET) != KeyCredentials("sk-other")
    assert KeyCredentials(SECRET) != SECRET


@pytest.mark.parametrize(
    "pasted",
    [f"  {SECRET}\r\n", f'"{SECRET}"', f"'{SECRET}' ", f"Bearer {SECRET}", f'" {SECRET} "', f"\ufeff{SECRET}"],
)
def test_a_key_is_read_as_people_paste_it(pasted):
    assert clean_key(pasted) == SECRET


@pytest.mark.parametrize("empty", ["", " \n", '""', "' '"])
def test_nothing_pasted_is_no_key(empty):
    assert clean_key(empty) == ""


@pytest.mark.parametrize(
    ("pasted", "what"),
    [
        ("sk-canary\u2019x", "a non-ASCII character at position 10 of 11"),
        ("sk-canary\x07x", "a control character at position 10 of 11"),
        ("sk-canary x", "a blank at position 10 of 11"),
        ("sk-canary\nx", "a blank at position 10 of 11"),
    ],
)
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(pasted, what):
    with pytest.raises(ValueError, match=what) as refusal:
        clean_key(pasted)

    assert "canary" not in str(refusal.value)
