"""What a refresher makes of refusals and nonsense."""

import httpx
import pytest

from qwen_auth.errors import NeedsLoginError, UnreachableError
from qwen_auth.refresher import Refresher
from qwen_auth.token import Token
from tests.auth.authority import HTML, json_answer

HOUR = 3600.0
REFUSED = json_answer(400, {"error": "invalid_request", "error_description": "Invalid refresh token or client_id"})


async def test_a_refused_refresh_token_needs_its_owner_and_costs_no_file(refresher, authority, make, warnings):
    account = make(-1)
    before = account.credentials.file.path.read_bytes()
    authority.next_answers = [REFUSED]

    with pytest.raises(NeedsLoginError, match=r"'work' was refused a new token .* run `qwen-auth login work`"):
        await refresher.ready(account)

    assert account.credentials.file.path.read_bytes() == before
    assert "qwen-auth login work" in warnings[-1]


async def test_a_login_that_needs_its_owner_asks_the_server_only_once(refresher, authority, make, time):
    account = make(-1)
    authority.next_answers = [REFUSED]
    for _ in range(3):
        with pytest.raises(NeedsLoginError):
            await refresher.ready(account)
        with pytest.raises(NeedsLoginError):
            await refresher.renew(account, "access-0")
        time.pass_(600)

    assert len(authority.forms) == 1


async def test_until_it_expires_a_token_serves_in_spite_of_a_dead_refresh_token(refresher, authority, make, time):
    account = make(600)
    authority.next_answers = [REFUSED]
    await refresher.ready(account)
    await refresher.aclose()
    assert account.credentials.problem

    await refresher.ready(account)

    time.pass_(600)
    with pytest.raises(NeedsLoginError):
        await refresher.ready(account)


async def test_signing_in_again_ends_the_problem_without_a_restart(refresher, authority, make, time):
    account = make(-1)
    authority.next_answers = [REFUSED]
    with pytest.raises(NeedsLoginError):
        await refresher.ready(account)

    account.credentials.file.write(Token("new", "refresh-x", (time.wall + HOUR) * 1000))
    time.pass_(5)
    await refresher.ready(account)

    assert account.credentials.token.access_token == "new"
    assert account.credentials.problem is None


async def test_a_refresh_token_used_up_by_someone_who_keeps_no_lock_is_no_problem(refresher, authority, make, time):
    """Seed A refreshes without the lock: its successor is in the file when ours is refused."""
    account = make(-1)

    def steal(request):
        account.credentials.file.write(Token("theirs", "refresh-x", (time.wall + HOUR) * 1000))
        return httpx.Response(400, json={"error": "invalid_grant"}, request=request)

    thief = Refresher(
        connect=lambda _: httpx.AsyncClient(transport=httpx.MockTransport(steal)), clock=time.clock, warn=print
    )

    await thief.ready(account)

    assert account.credentials.token.access_token == "theirs"


@pytest.mark.parametrize(
    "nonsense",
    [
        json_answer(200, {"error": "server_busy"}),
        json_answer(200, {"access_token": None}),
        (200, "application/json", ""),
        (200, "text/html", "<html>sign in</html>"),
        HTML,
        json_answer(429, {"error": "slow_down"}),
    ],
)
async def test_nonsense_is_never_stored_and_never_needs_the_owner(refresher, authority, make, nonsense, time):
    account = make(-1)
    before = account.credentials.file.path.read_bytes()
    authority.next_answers = [nonsense]

    with pytest.raises(UnreachableError):
        await refresher.ready(account)

    assert account.credentials.file.path.read_bytes() == before
    time.pass_(2)
    await refresher.ready(account)
    assert account.credentials.token.access_token == "access-1"


async def test_after_a_fault_the_next_calls_fail_at_once_for_growing_pauses(refresher, authority, make, time):
    account = make(-1)
    authority.next_answers = [HTML] * 10
    asked = []
    for _ in range(62):
        with pytest.raises(UnreachableError):
            await refresher.ready(account)
        asked.append(len(authority.forms))
        time.pass_(1)

    assert [asked.index(count) for count in range(1, 6)] == [0, 2, 6, 14, 30]


async def test_a_fault_in_the_background_does_not_hurt_a_call(refresher, authority, make, warnings):
    account = make(600)
    authority.next_answers = [HTML]

    await refresher.ready(account)
    await refresher.aclose()
    await refresher.ready(account)

    assert account.credentials.token.access_token == "access-0"
    assert "account 'work' could not be renewed: chat.qwen.ai answered 504" in warnings[0]
    assert len(authority.forms) == 1
