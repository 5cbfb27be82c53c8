"""Qwen on loopback: the simulator that stands for every Qwen service in tests and in the demo.

    async with Simulator() as sim:
        client = AsyncOpenAI(base_url=sim.url("dashscope"), api_key="sk-sim")

See `Simulator` for its settings.
"""

from .faults import FAULTS
from .keys import Key, Limits
from .log import Connection, Received
from .simulator import Simulator

__all__ = ["FAULTS", "Connection", "Key", "Limits", "Received", "Simulator"]
