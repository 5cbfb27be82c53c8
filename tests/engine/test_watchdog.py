"""Beats in silence. Times are a few milliseconds of the loop's clock."""

import asyncio

from qwen_gateway.engine.watchdog import Watchdog


async def test_silence_gets_a_beat_and_then_one_in_each_pause() -> None:
    beats: list[float] = []
    loop = asyncio.get_running_loop()
    start = loop.time()
    watchdog = Watchdog(lambda: beats.append(loop.time() - start), first=0.02, pause=0.005)

    await asyncio.sleep(0.06)
    watchdog.stop()

    assert beats[0] >= 0.019
    assert 3 <= len(beats) <= 9


async def test_a_touch_puts_the_beat_off() -> None:
    beats: list[int] = []
    watchdog = Watchdog(lambda: beats.append(1), first=0.02, pause=0.02)

    for _ in range(20):
        await asyncio.sleep(0.002)
        watchdog.touch()
    watchdog.stop()

    assert beats == []


async def test_nothing_beats_after_the_end() -> None:
    beats: list[int] = []
    watchdog = Watchdog(lambda: beats.append(1), first=0.002, pause=0.002)
    watchdog.stop()
    watchdog.stop()

    await asyncio.sleep(0.01)

    assert beats == []


async def test_a_beat_may_end_it() -> None:
    beats: list[int] = []

    def beat() -> None:
        beats.append(1)
        watchdog.stop()

    watchdog = Watchdog(beat, first=0.001, pause=0.001)
    await asyncio.sleep(0.01)

    assert beats == [1]
