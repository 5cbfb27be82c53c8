"""What a key may still use up here: allowances fetched from the ledger in portions, and what calls reserve of them.

    held       what the ledger has set aside for this gateway: nobody else can use it up
    reserved   what calls under way may use at most
    spent      what ended calls did use, and the ledger has not been told yet

A call starts when it finds room, `held - reserved - spent`, for the most that it may use. So no number of calls, here
or in other gateways, uses up more than the limit; and the ledger is asked only when a portion is used up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from qwen_gateway.keys.grants import Grant, Limit, Unit
from qwen_gateway.keys.spans import Span, begin_of, end_of

PORTION = 32
"""A portion is for so many calls like the one that asks for it, …"""

SHARE = 20
"""… but for no more than this part of the limit: other gateways want some too."""

SPANS: tuple[Span, ...] = ("minute", "day", "month")

Amounts = Mapping[Unit, float]


@dataclass(slots=True, eq=False)
class Pocket:
    """One limit in one span."""

    limit: Limit
    begins: int
    held: float = 0.0
    reserved: float = 0.0
    spent: float = 0.0
    used: bool = False

    @property
    def room(self) -> float:
        return self.held - self.reserved - self.spent

    @property
    def resets(self) -> int:
        """When the next span begins."""
        return end_of(self.limit.span, self.begins)


@dataclass(frozen=True, slots=True)
class Ask:
    """To the ledger: set more aside, and take back what is no longer held.

    Attributes:
        back: what was held and has been spent, or is not needed.
    """

    limit: Limit
    begins: int
    want: float
    back: float


@dataclass(frozen=True, slots=True)
class Answer:
    """From the ledger: what was set aside, and what is spent for good, by all gateways."""

    granted: float
    spent: float


@dataclass(slots=True)
class Used:
    """What calls used up; `money` in the currency of the operator's prices."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    money: float = 0.0

    def add(self, other: "Used") -> None:
        self.calls += other.calls
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens
        self.money += other.money

    def amounts(self) -> Amounts:
        return {"calls": self.calls, "tokens": self.prompt_tokens + self.completion_tokens, "money": self.money}


@dataclass(slots=True, eq=False)
class Reservation:
    """What one call may use at most, of each pocket."""

    parts: list[tuple[Pocket, float]]


@dataclass(slots=True)
class Report:
    """What the ledger is told at once: what was used in each span, and what is asked for."""

    used: dict[tuple[Span, int], Used] = field(default_factory=dict)
    asks: list[tuple[Pocket, Ask]] = field(default_factory=list)
    counted: list[tuple[Pocket, float]] = field(default_factory=list)


class Purse:
    """The pockets of one key."""

    def __init__(self) -> None:
        self._pockets: list[Pocket] = []
        self._used: dict[tuple[Span, int], Used] = {}

    @property
    def idle(self) -> bool:
        """Whether the ledger need not be told anything, and nothing is set aside."""
        return not self._used and not any(pocket.held or pocket.spent or pocket.reserved for pocket in self._pockets)

    def pockets(self, grant: Grant, now: float) -> list[Pocket]:
        """One for each limit of the key, in the span of now; others live on until they are settled."""
        found = []
        for limit in grant.limits:
            begins = begin_of(limit.span, now)
            for pocket in self._pockets:
                if pocket.begins == begins and (pocket.limit.span, pocket.limit.unit) == (limit.span, limit.unit):
                    pocket.limit = limit
                    break
            else:
                pocket = Pocket(limit, begins)
                self._pockets.append(pocket)
            found.append(pocket)
        return found

    def reserve(self, needs: Iterable[tuple[Pocket, float]]) -> Reservation | None:
        """Set aside what a call may use; None when there is no room for it in one of the pockets."""
        parts = list(needs)
        if any(pocket.room < need for pocket, need in parts):
            return None
        for pocket, need in parts:
            pocket.reserved += need
            pocket.used = True
        return Reservation(parts)

    def settle(self, reservation: Reservation, used: Used, now: float) -> None:
        """The call has ended, and used so much."""
        amounts = used.amounts()
        begun: dict[Span, int] = {span: begin_of(span, now) for span in SPANS}
        for pocket, need in reservation.parts:
            pocket.reserved -= need
            pocket.spent += amounts[pocket.limit.unit]
            begun[pocket.limit.span] = pocket.begins  # what began in a span is counted there
        for span, begins in begun.items():
            self._used.setdefault((span, begins), Used()).add(used)

    def report(self, needs: Iterable[tuple[Pocket, float]] = ()) -> Report:
        """What to tell the ledger now. Without needs, what nobody uses any more goes back."""
        wanted = dict(needs)
        report = Report(self._used)
        self._used = {}
        for pocket in self._pockets:
            spare = max(0.0, pocket.room) if not wanted and not pocket.used else 0.0
            back = min(pocket.held, pocket.spent + spare)
            short = wanted.get(pocket, 0.0) - pocket.room
            want = short + portion(pocket.limit, wanted[pocket]) if pocket in wanted and short > 0 else 0.0
            report.counted.append((pocket, pocket.spent))
            if want or back:
                report.asks.append((pocket, Ask(pocket.limit, pocket.begins, want, back)))
            pocket.used = False
            pocket.held -= back
            pocket.spent = 0.0
        return report

    def answered(self, report: Report, answers: Iterable[Answer]) -> dict[Pocket, Answer]:
        """The ledger has done it."""
        found = {}
        for (pocket, _), answer in zip(report.asks, answers, strict=True):
            pocket.held += answer.granted
            found[pocket] = answer
        return found

    def failed(self, report: Report) -> None:
        """The ledger could not do it: all is as it was."""
        for key, used in report.used.items():
            self._used.setdefault(key, Used()).add(used)
        for pocket, ask in report.asks:
            pocket.held += ask.back
        for pocket, spent in report.counted:
            pocket.spent += spent

    def forget(self, now: float) -> None:
        """Drop pockets of spans that are over, once nothing is in them."""
        self._pockets = [
            pocket
            for pocket in self._pockets
            if pocket.resets > now or pocket.reserved > 1e-9 or pocket.spent or pocket.held
        ]


def portion(limit: Limit, need: float) -> float:
    """What to fetch beyond what is needed now."""
    return min(need * PORTION, limit.most / SHARE)
