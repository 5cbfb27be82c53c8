"""qwen-gateway: any OpenAI client on Qwen, as a mitmproxy addon."""

from collections.abc import Sequence

from qwen_gateway.version import __version__

__all__ = ["__version__", "default_addons"]


def default_addons() -> Sequence[object]:
    """Every addon, in the order in which mitmproxy asks them, put together around one engine."""
    from qwen_gateway.accounts import Accounts
    from qwen_gateway.archive import Archive
    from qwen_gateway.bookkeeping import Bookkeeping
    from qwen_gateway.cockpit import Cockpit
    from qwen_gateway.conversations import Conversations
    from qwen_gateway.counting import Counting
    from qwen_gateway.debug_files import DebugFiles
    from qwen_gateway.door import Door
    from qwen_gateway.drain import Drain
    from qwen_gateway.engine.engine import Engine
    from qwen_gateway.estimates import Estimates
    from qwen_gateway.gateway import Gateway
    from qwen_gateway.gateway_keys import GatewayKeys
    from qwen_gateway.health import Health
    from qwen_gateway.heap import Heap
    from qwen_gateway.host import Host
    from qwen_gateway.keys.ring import KeyRing
    from qwen_gateway.ledger import Ledger
    from qwen_gateway.ledger.identity import Gateway as Identity
    from qwen_gateway.legs import Legs
    from qwen_gateway.logs import Logs
    from qwen_gateway.metrics import Metrics
    from qwen_gateway.model_lists import ModelLists
    from qwen_gateway.recent import Recent
    from qwen_gateway.recorder import Recorder
    from qwen_gateway.sessions import Sessions
    from qwen_gateway.sharing import Sharing
    from qwen_gateway.shelf.background import Background
    from qwen_gateway.shelf.shelf import Shelf
    from qwen_gateway.signin import SignIn
    from qwen_gateway.storage import Storage
    from qwen_gateway.stored import StoredResponses
    from qwen_gateway.stored_chats import StoredChats
    from qwen_gateway.terminal import Terminal
    from qwen_gateway.web_chats import WebChats
    from qwen_gateway.web_sessions import SessionsInLedger

    engine = Engine()
    ledger = Ledger()
    me = Identity()
    sharing = Sharing(engine, ledger, me)
    engine.sessions = SessionsInLedger(ledger, persistent=lambda: shelf.enabled and not ledger.trouble)
    legs = Legs()
    sessions = Sessions()
    shelf = Shelf(ledger)
    making = Background(shelf)
    ring = KeyRing()
    keys = GatewayKeys(engine, ledger, ring)
    return [
        Host(legs),
        Drain(engine, legs),  # first: it holds back everyone's `done` until the calls have ended
        Accounts(engine, guard=sharing.guard),
        Estimates(engine),
        Bookkeeping(engine),
        sharing,
        Recent(ledger),
        keys,
        Door(legs, ring, keys.look_up),
        Health(engine, sessions, ledger),
        Metrics(engine, sessions, ledger),
        Terminal(engine),
        Logs(engine),
        DebugFiles(engine),
        Cockpit(engine),
        SignIn(engine),
        Archive(ledger),
        ModelLists(engine, ring),
        StoredResponses(shelf, making, legs),
        Counting(engine, shelf),
        Conversations(shelf),
        WebChats(engine),
        StoredChats(shelf),
        Gateway(engine, legs, shelf, making),
        Heap(),
        Recorder(ledger, me),
        Storage(ledger, shelf),  # last: at the end it closes the ledger
    ]
