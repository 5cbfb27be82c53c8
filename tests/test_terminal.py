"""What waits to be printed must not keep whole calls in memory."""

import gc
import threading
import weakref

from mitmproxy.test import tflow

from qwen_gateway.engine.engine import Engine
from qwen_gateway.scribe import FEW
from qwen_gateway.terminal import Terminal
from tests.test_lines import ended, exchange


def test_calls_are_let_go_while_nobody_reads_the_terminal() -> None:
    stuck, printed = threading.Event(), []

    def write(data: bytes) -> None:
        stuck.wait(20)
        printed.append(data)

    terminal = Terminal(Engine(), write, coloured=False)
    terminal._form, terminal._there = "line", True
    flow = tflow.tflow()
    seen = []
    for _ in range(400):
        call = ended(exchange())
        seen.append(weakref.ref(call))
        terminal.qwen_exchange(flow, call)
        del call
    gc.collect()
    kept = sum(reference() is not None for reference in seen)
    stuck.set()
    terminal.done()
    assert kept <= FEW + 3
    assert len(printed) == 400
    assert all(line.endswith(b"finished\n") for line in printed)
