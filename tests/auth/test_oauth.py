import dataclasses
import random

import pytest

from qwen_auth.credentials import Credentials
from qwen_auth.errors import AccountError
from qwen_auth.oauth import OAuthCredentials, Timing, oauth_account
from qwen_auth.qwen_store import LoginFile
from qwen_auth.token import Token
from tests.auth.clocks import FakeTime

HOUR = 3600.0


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def login(tmp_path, time):
    """Credentials that expire in six hours, with a lead of 20 minutes."""

    def login(life=6 * HOUR, **changes):
        token = Token("canary-a", "canary-r", (time.wall + life) * 1000, resource_url="portal.qwen.ai")
        file = LoginFile(tmp_path / "oauth_creds_work.json")
        return OAuthCredentials(
            file, token, None, clock=time.clock, uniform=lambda low, high: (low + high) / 2, **changes
        )

    return login


def test_a_login_is_credentials(login):
    assert isinstance(login(), Credentials)


def test_it_goes_into_the_authorization_header(login):
    headers = {"accept": "*/*"}

    login().apply(headers)

    assert headers == {"accept": "*/*", "Authorization": "Bearer canary-a"}


def test_it_never_shows_its_tokens(login):
    credentials = login()

    assert "canary" not in repr(credentials) + str(credentials) + repr(oauth_account("work", credentials))
    assert credentials.secrets() == ("canary-a", "canary-r")


def test_it_knows_where_it_is_for(login):
    assert login().endpoint == "https://portal.qwen.ai/v1"


@pytest.mark.parametrize(
    ("before_expiry", "state"),
    [(2 * HOUR, "fresh"), (1231, "fresh"), (1229, "stale"), (31, "stale"), (29, "expired"), (-1, "expired")],
)
def test_a_token_grows_stale_twenty_minutes_and_expires_thirty_seconds_ahead(login, time, before_expiry, state):
    credentials = login()

    time.pass_(6 * HOUR - before_expiry)

    assert credentials.state == state


def test_the_margin_is_the_variable_of_the_seed_in_milliseconds(login, time):
    credentials = login(timing=Timing.from_environment({"TOKEN_REFRESH_BUFFER": "60000"}))

    time.pass_(6 * HOUR - 59)

    assert credentials.state == "expired"
    assert Timing.from_environment({}).margin == 30.0


@pytest.mark.parametrize("said", ["soon", "-1", "1.5", "99999999999"])
def test_a_margin_that_is_none_is_refused(said):
    with pytest.raises(AccountError, match="give milliseconds"):
        Timing.from_environment({"TOKEN_REFRESH_BUFFER": said})


def test_logins_made_together_are_not_stale_together(tmp_path, time):
    token = Token("a", "r", (time.wall + 6 * HOUR) * 1000)
    uniform, file = random.Random(1).uniform, LoginFile(tmp_path / "x")
    logins = [OAuthCredentials(file, token, None, clock=time.clock, uniform=uniform) for _ in range(40)]
    stale = []
    for _ in range(4):
        time.pass_(6 * HOUR - 1830 if not stale else 410)
        stale.append(sum(each.state == "stale" for each in logins))

    assert stale[0] < 10
    assert stale == sorted(set(stale))
    assert stale[3] == 40


def test_a_clock_that_jumps_ahead_makes_a_token_expire(login, time):
    credentials = login()

    time.jump(24 * HOUR)

    assert credentials.state == "expired"


def test_a_clock_that_is_set_back_does_not_make_a_token_live_longer(login, time):
    credentials = login()

    time.jump(-24 * HOUR)
    time.pass_(6 * HOUR - 20)

    assert credentials.state == "expired"


def test_a_granted_token_of_a_short_life_is_fresh_at_first(login, time):
    """Neither the margin nor the lead may make each call renew it."""
    credentials = login()
    short = dataclasses.replace(credentials.token, access_token="b", expiry_date=(time.wall + 60) * 1000)

    credentials.granted(short)
    states = []
    for _ in range(5):
        states.append(credentials.state)
        time.pass_(12)

    assert states == ["fresh", "fresh", "stale", "stale", "expired"]


def test_what_was_granted_is_unsaved_until_it_is_saved(login):
    credentials = login()
    assert (credentials.unsaved, credentials.age) == (False, None)

    credentials.granted(dataclasses.replace(credentials.token, access_token="b"))
    assert (credentials.unsaved, credentials.age) == (True, 0.0)

    credentials.saved((1, 2, 3))
    assert (credentials.unsaved, credentials.stamp) == (False, (1, 2, 3))


def test_the_file_s_old_content_does_not_undo_a_grant(login):
    credentials = login()
    old = credentials.token
    credentials.granted(dataclasses.replace(old, access_token="b"))

    credentials.adopt(old, (1, 2, 3))

    assert credentials.token.access_token == "b"
    assert credentials.unsaved


def test_a_new_login_in_the_file_ends_every_problem(login):
    credentials = login()
    credentials.problem = "was refused a new token"

    credentials.adopt(dataclasses.replace(credentials.token, access_token="b"), (1, 2, 3))

    assert credentials.problem is None
    assert credentials.token.access_token == "b"


def test_an_account_follows_the_token_to_another_endpoint(login):
    credentials = login()
    account = oauth_account("work", credentials, proxy="http://p:1", models=("coder-model",))

    credentials.granted(dataclasses.replace(credentials.token, resource_url="other.example"))

    assert account.endpoint == "https://other.example/v1"
    assert (account.kind, account.plan, account.flavour) == ("oauth", "qwen-oauth", "portal")
    assert (account.proxy, account.models) == ("http://p:1", ("coder-model",))
    assert account.source.endswith("oauth_creds_work.json")
