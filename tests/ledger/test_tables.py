"""What there is to do with each table, on both databases."""

import threading
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from qwen_gateway.ledger import accounts, chats, conversations, gateways, keys, locks, objects, windows
from qwen_gateway.ledger.chats import Chat
from qwen_gateway.ledger.conversations import Conversation
from qwen_gateway.ledger.database import Database
from qwen_gateway.ledger.identity import Gateway
from qwen_gateway.ledger.keys import GatewayKey, Spent
from qwen_gateway.ledger.known import Known
from qwen_gateway.ledger.objects import Stored
from qwen_gateway.ledger.schema import CONVERSATION_ITEMS, SPEND
from qwen_gateway.ledger.uses import Use

RESPONSE = Stored("resp_1", "response", {"id": "resp_1", "text": "Grüße 文 \u0000"}, 100.0, expires_at=200.0)


def test_an_object_comes_back_as_it_was_stored(database: Database) -> None:
    database.write(lambda connection: objects.keep(connection, RESPONSE))

    assert database.read(lambda connection: objects.find(connection, "resp_1", kind="response", now=150)) == RESPONSE


def test_an_object_is_replaced_by_a_newer_one(database: Database) -> None:
    newer = replace(RESPONSE, content={"id": "resp_1", "status": "completed"})
    database.write(lambda connection: objects.keep(connection, RESPONSE))
    database.write(lambda connection: objects.keep(connection, newer))

    assert database.read(lambda connection: objects.find(connection, "resp_1", kind="response", now=150)) == newer


@pytest.mark.parametrize(
    "asked",
    [
        {"kind": "response", "owner": "someone else"},
        {"kind": "conversation"},
        {"kind": "response", "now": 201.0},
    ],
)
def test_nobody_finds_what_is_not_theirs_or_over(database: Database, asked: dict[str, str]) -> None:
    database.write(lambda connection: objects.keep(connection, RESPONSE))

    assert database.read(lambda connection: objects.find(connection, "resp_1", **asked)) is None  # type: ignore[arg-type]


def test_objects_are_listed_newest_first_and_page_by_page(database: Database) -> None:
    for number in range(5):
        one = Stored(f"resp_{number}", "response", {}, float(number // 2))
        database.write(lambda connection, one=one: objects.keep(connection, one))

    first = database.read(lambda connection: objects.newest(connection, kind="response", limit=2))
    then = database.read(lambda connection: objects.newest(connection, kind="response", limit=9, before=first[-1].id))

    assert [one.id for one in first + then] == ["resp_4", "resp_3", "resp_2", "resp_1", "resp_0"]


def test_an_object_is_removed_once(database: Database) -> None:
    database.write(lambda connection: objects.keep(connection, RESPONSE))

    assert database.write(lambda connection: objects.remove(connection, "resp_1", kind="response"))
    assert not database.write(lambda connection: objects.remove(connection, "resp_1", kind="response"))


def test_objects_whose_time_is_over_are_forgotten(database: Database) -> None:
    database.write(lambda connection: objects.keep(connection, RESPONSE))

    assert database.write(lambda connection: objects.forget_expired(connection, 199)) == 0
    assert database.write(lambda connection: objects.forget_expired(connection, 200)) == 1


def test_a_conversation_grows_in_order(database: Database) -> None:
    one, two, three = ({"id": f"msg_{number}", "n": number} for number in (1, 2, 3))
    database.write(lambda connection: conversations.create(connection, Conversation("conv_1", {"a": "b"}, 1.0)))
    database.write(lambda connection: conversations.append(connection, "conv_1", [one, two], 2.0))
    database.write(lambda connection: conversations.append(connection, "conv_1", [two, three], 3.0))

    assert database.read(lambda c: conversations.items(c, "conv_1")) == [one, two, three]
    assert database.read(lambda c: conversations.items(c, "conv_1", after="msg_1", limit=1)) == [two]
    assert database.read(lambda c: conversations.items(c, "conv_1", after="msg_3", newest_first=True)) == [two, one]
    assert database.read(lambda c: conversations.item(c, "conv_1", "msg_2")) == two


def test_a_conversation_takes_its_items_with_it(database: Database) -> None:
    database.write(lambda connection: conversations.create(connection, Conversation("conv_1", {}, 1.0, "key_1")))
    database.write(lambda connection: conversations.append(connection, "conv_1", [{"id": "msg_1"}], 2.0))

    assert not database.write(lambda connection: conversations.remove(connection, "conv_1"))
    assert database.write(lambda connection: conversations.remove(connection, "conv_1", owner="key_1"))
    assert database.read(lambda c: c.scalar(select(func.count()).select_from(CONVERSATION_ITEMS))) == 0


def test_two_that_append_at_once_both_get_a_place(database: Database) -> None:
    database.write(lambda connection: conversations.create(connection, Conversation("conv_1", {}, 1.0)))

    def append(letter: str) -> None:
        for number in range(20):
            item = [{"id": f"{letter}{number}"}]
            database.write(lambda connection, item=item: conversations.append(connection, "conv_1", item, 2.0))

    together(lambda: append("a"), lambda: append("b"))

    assert len(database.read(lambda connection: conversations.items(connection, "conv_1"))) == 40


def test_a_key_is_found_by_its_hash_and_changed(database: Database) -> None:
    key = GatewayKey("key_1", "ab" * 32, "alice", 1.0, {"calls_per_day": 5})
    database.write(lambda connection: keys.add(connection, key))
    database.write(lambda connection: keys.change(connection, replace(key, disabled=True)))

    assert database.read(lambda connection: keys.find(connection, "ab" * 32)) == replace(key, disabled=True)
    assert database.read(lambda connection: keys.find(connection, "cd" * 32)) is None
    assert [one.name for one in database.read(keys.every)] == ["alice"]


def test_what_keys_spend_adds_up_whoever_counts(database: Database) -> None:
    database.write(lambda connection: keys.add(connection, GatewayKey("key_1", "ab", "alice", 1.0)))

    def spend() -> None:
        for _ in range(25):
            database.write(lambda connection: keys.spend(connection, "key_1", "day", 86400, Spent(1, 10, 5, 0.5)))

    together(spend, spend)

    assert database.read(lambda c: keys.spent_since(c, "key_1", "day", 86400)) == Spent(50, 500, 250, 25.0)
    assert database.read(lambda c: keys.spent_since(c, "key_1", "day", 86401)) == Spent()
    assert database.write(lambda connection: keys.remove(connection, "key_1"))
    assert database.read(lambda c: c.scalar(select(func.count()).select_from(SPEND))) == 0


def test_the_longest_known_history_goes_on_in_its_chat(database: Database) -> None:
    for length in (1, 2):
        chat = Chat("me", f"chain{length}", "chat_1", f"message_{length}")
        database.write(lambda connection, chat=chat: chats.keep(connection, chat, 1.0))

    chains = ["chain3", "chain2", "chain1"]
    taken = database.write(lambda connection: chats.take(connection, chains, "gw", 2.0, 60.0))
    while_busy = database.write(lambda connection: chats.take(connection, ["chain1"], "gw2", 3.0, 60.0))
    database.write(lambda connection: chats.release(connection, "me", "chain2", "gw"))
    again = database.write(lambda connection: chats.take(connection, ["chain1"], "gw2", 4.0, 60.0))
    over = database.write(lambda connection: chats.take(connection, chains, "gw3", 65.0, 60.0))

    assert taken == Chat("me", "chain2", "chat_1", "message_2")
    assert while_busy is None
    assert again == Chat("me", "chain1", "chat_1", "message_1")
    assert over == taken


def test_one_of_many_takes_a_chat(database: Database) -> None:
    database.write(lambda connection: chats.keep(connection, Chat("me", "chain", "chat_1"), 1.0))
    taken: list[Chat | None] = []

    def take(name: str) -> None:
        taken.append(database.write(lambda connection: chats.take(connection, ["chain"], name, 2.0, 60.0)))

    together(*(lambda name=name: take(name) for name in "abcd"))

    assert sum(chat is not None for chat in taken) == 1


def test_a_chat_that_is_gone_upstream_is_forgotten(database: Database) -> None:
    database.write(lambda connection: chats.keep(connection, Chat("me", "chain", "chat_1"), 1.0))

    assert database.read(lambda connection: chats.unused_since(connection, 0.5)) == []
    assert len(database.read(lambda connection: chats.unused_since(connection, 2.0))) == 1
    assert database.write(lambda connection: chats.forget(connection, "chat_1")) == 1


def test_a_lock_has_one_holder_until_its_time_is_over(database: Database) -> None:
    def take(holder: str, now: float) -> bool:
        return database.write(lambda connection: locks.take(connection, "refresh me", holder, now, 10.0))

    assert take("a", 0.0)
    assert not take("b", 9.0)
    assert take("a", 9.0)  # prolonged
    assert not take("b", 12.0)
    assert take("b", 19.0)
    database.write(lambda connection: locks.release(connection, "refresh me", "a"))  # late, and harmless
    assert database.read(lambda connection: locks.holder_of(connection, "refresh me", 20.0)) == "b"
    database.write(lambda connection: locks.release(connection, "refresh me", "b"))
    assert take("a", 20.0)


def test_one_of_many_takes_a_lock(database: Database) -> None:
    got: list[bool] = []

    def take(holder: str) -> None:
        got.append(database.write(lambda connection: locks.take(connection, "one", holder, 1.0, 10.0)))

    together(*(lambda name=name: take(name) for name in "abcdef"))

    assert sorted(got) == [False] * 5 + [True]


def test_states_are_told_to_other_gateways_only(database: Database) -> None:
    state = Known("me", "qwen-plus", "resting", 500.0, "too many calls", "rate", failures=2)
    database.write(lambda connection: accounts.tell(connection, [state], "gw_1", 10.0))

    assert database.read(lambda connection: accounts.told_since(connection, 9.0, but="gw_2")) == [state]
    assert database.read(lambda connection: accounts.told_since(connection, 9.0, but="gw_1")) == []
    assert database.read(lambda connection: accounts.told_since(connection, 10.0, but="gw_2")) == []


def test_counts_of_windows_add_up_whoever_counts(database: Database) -> None:
    use = Use("me", "hour", 3600, 1, 10, 5, 2)
    other = Use("you", "hour", 3600, 1)

    def count() -> None:
        for order in ([use, other], [other, use]) * 10:
            database.write(lambda connection, order=order: windows.add(connection, order))

    together(count, count)

    assert database.read(lambda c: windows.since(c, "hour", 3600)) in (
        [Use("me", "hour", 3600, 40, 400, 200, 80), Use("you", "hour", 3600, 40)],
        [Use("you", "hour", 3600, 40), Use("me", "hour", 3600, 40, 400, 200, 80)],
    )
    database.write(lambda connection: windows.forget(connection, "hour", 3601))
    assert database.read(lambda connection: windows.since(connection, "hour", 0)) == []


@pytest.mark.parametrize(
    ("other", "seen", "dead"),
    [
        (Gateway("gw_2", "here", 77), 100.0, True),  # its process is gone
        (Gateway("gw_2", "here", 88), 100.0, False),
        (Gateway("gw_2", "here", 1), 100.0, True),  # our own id: given anew
        (Gateway("gw_2", "there", 77), 100.0, False),
        (Gateway("gw_2", "there", 77), 30.0, True),  # silent for too long
    ],
)
def test_who_is_dead(database: Database, other: Gateway, seen: float, dead: bool) -> None:
    me = Gateway("gw_1", "here", 1)
    database.write(lambda connection: gateways.begin(connection, me, 90.0))
    database.write(lambda connection: gateways.begin(connection, other, 20.0))
    database.write(lambda connection: gateways.beat(connection, other, seen))

    found = database.write(lambda c: gateways.bury(c, me, 100.0, alive=lambda pid: pid == 88))
    again = database.write(lambda c: gateways.bury(c, me, 100.0, alive=lambda pid: pid == 88))

    assert found == (["gw_2"] if dead else [])
    assert again == []


def together(*works: object) -> None:
    """Do them at the same time."""
    faults: list[BaseException] = []

    def run(work: object) -> None:
        try:
            work()  # type: ignore[operator]
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
