"""Estimates at once, counts by and by, and a loop that goes on meanwhile."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwen_gateway.tokens.estimator import Estimator
from qwen_gateway.tokens.prompt import OPENING, PER_MESSAGE
from tests.tokens.samples import asked, write_vocabulary

AROUND = PER_MESSAGE + OPENING


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Estimator]:
    """An estimator with a small vocabulary, in which "hello world" is two tokens."""
    estimator = Estimator()
    estimator.use(write_vocabulary(tmp_path / "small.tiktoken"))
    yield estimator
    estimator.close()


def test_without_a_vocabulary_the_bytes_count() -> None:
    estimator = Estimator()
    assert not estimator.counting
    assert estimator.estimate(asked("x" * 400)) == 100 + AROUND


async def test_with_a_vocabulary_its_words_count(counting: Estimator) -> None:
    assert counting.counting
    assert await counting.count(asked("hello world" * 100)) == 200 + AROUND


async def test_a_measure_is_rough_at_once_and_counted_soon(counting: Estimator) -> None:
    call = asked("hello world" * 100)
    measure = counting.measure(call)
    assert measure.rough == 275 + AROUND
    await counting.count(call)  # the thread takes one after the other
    assert measure.tokens == 200 + AROUND


async def test_upstreams_correct_estimates_by_model(counting: Estimator) -> None:
    call = asked("x" * 4_000)
    rough = Estimator()
    for _ in range(20):
        rough.learn(rough.measure(call), "qwen3-max", 1_500)
    assert rough.estimate(call, "qwen3-max") == pytest.approx(1_500, rel=0.05)
    assert rough.estimate(call, "qwen-plus") == 1_000 + AROUND


def test_a_guessed_picture_teaches_nothing() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}
    call = asked({"role": "user", "content": [{"type": "text", "text": "what?"}, picture]})
    estimator = Estimator()
    estimator.learn(estimator.measure(call), "qwen3-vl-plus", 9_000)
    assert estimator.estimate(asked("x" * 400), "qwen3-vl-plus") == 100 + AROUND


async def test_a_broken_vocabulary_leaves_the_bytes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "broken.tiktoken"
    file.write_text("nothing of use\n")
    estimator = Estimator()
    estimator.use(file)
    assert await estimator.count(asked("x" * 400)) == 100 + AROUND
    assert "broken.tiktoken" in caplog.text
    estimator.close()


async def test_a_loop_goes_on_while_a_long_prompt_is_counted(counting: Estimator) -> None:
    """200,000 tokens: while they are counted the loop must come round, again and again.

    On a quiet machine no pause is longer than a millisecond or two. A busy one takes turns of its own, so the bounds
    are wide; whoever counts on the loop, or holds the interpreter, has one long pause and no other.
    """
    await counting.count(asked("hello"))  # loaded
    counted = asyncio.ensure_future(counting.count(asked("hello world" * 100_000)))
    pauses = []
    while not counted.done():
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        pauses.append(time.perf_counter() - before)
    assert await counted == 200_000 + AROUND
    assert len(pauses) >= 5
    assert sorted(pauses)[len(pauses) // 2] < 0.1
    assert max(pauses) < 1.0


def test_an_estimate_of_a_short_prompt_costs_little_on_the_loop() -> None:
    """Under 30 µs a call; the best of many rounds, for others use the processor too."""
    estimator = Estimator()
    call = asked({"role": "system", "content": "You are kind."}, "Say hi to everyone, please. " * 10)
    rounds = []
    for _ in range(50):
        before = time.process_time()
        for _ in range(100):
            estimator.measure(call)
        rounds.append((time.process_time() - before) / 100)
    assert min(rounds) < 30e-6
