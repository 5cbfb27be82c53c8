"""Time that tests move."""

from qwen_auth.oauth import Clock


class FakeTime:
    """`pass_(60)` lets a minute go by; `jump(60)` sets the wall clock only."""

    def __init__(self, wall=1_780_000_000.0):
        self.wall = wall
        self.monotonic = 5000.0
        self.clock = Clock(lambda: self.wall, lambda: self.monotonic)

    def pass_(self, seconds):
        self.wall += seconds
        self.monotonic += seconds

    def jump(self, seconds):
        self.wall += seconds
