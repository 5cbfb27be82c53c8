"""mitmweb's list of flows, kept to the most recent: mitmproxy itself keeps every flow for good.

A view is there in mitmweb and in mitmproxy's console. Without one, as in mitmdump, no flow is kept and nothing is done.
"""

import asyncio
from collections.abc import Iterator

from mitmproxy import ctx, flow
from mitmproxy.addons.view import View
from mitmproxy.utils import asyncio_utils

from qwen_gateway import flows, options
from qwen_gateway.ledger import Ledger

LOOK = 0.25
"""Seconds between two looks."""

FEW = 20
"""Flows that leave at once: each costs a tenth of a millisecond, and streams wait meanwhile."""


class Recent:
    """Lets the oldest flows go beyond `qwen_keep_flows`, once they are written down."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._keep = 0
        self._task: asyncio.Task[None] | None = None

    def configure(self, updated: set[str]) -> None:
        if "qwen_keep_flows" in updated:
            self._keep = options.read(ctx.options).keep_flows

    def running(self) -> None:
        view = ctx.master.addons.get("view")
        if isinstance(view, View):
            self._task = asyncio_utils.create_task(self._look_after(view), name="keep recent flows", keep_ref=True)

    def done(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _look_after(self, view: View) -> None:
        while True:
            await asyncio.sleep(LOOK)
            for number, found in enumerate(self._over(view), 1):
                view.remove([found])
                if number % FEW == 0:
                    await asyncio.sleep(0)

    def _over(self, view: View) -> Iterator[flow.Flow]:
        """The oldest that may go. The records that still wait belong to the newest, and there are as many of them."""
        excess = view.store_count() - self._keep - self._ledger.waiting if self._keep else 0
        if excess <= 0:
            return
        for found in view.resolve("@all"):
            if may_go(found):
                yield found
                excess -= 1
                if excess <= 0:
                    return


def may_go(found: flow.Flow) -> bool:
    """Not what runs, what somebody holds, or what somebody marked; a failed attempt's mark is our own."""
    ours = flows.ATTEMPT in found.metadata and found.marked == flows.ATTEMPT_MARK
    return not (found.live or found.intercepted or (found.marked and not ours))
