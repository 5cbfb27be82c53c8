"""A video's task is asked after until it is done."""

from typing import Any

import pytest

from qwen_gateway.codec.deltas import Fault, Finish, Text
from qwen_gateway.codec.json import dumps
from qwen_gateway.upstreams.web.video import MOST, RUNNING, VideoTask, task_of, watch


def read(body: bytes) -> list[Any]:
    done: list[str] = []
    decoder = VideoTask(lambda: done.append("whole"))
    return [*decoder.feed(body[:3]), *decoder.feed(body[3:]), *decoder.close(), *done]


def test_a_film_is_a_link() -> None:
    assert read(dumps({"task_status": "success", "content": "https://x/1.mp4"})) == [
        Text("[video](https://x/1.mp4)"), Finish("stop"), "whole",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (dumps({"task_status": "running", "content": ""}), RUNNING),
        (dumps({"task_status": "failed"}), "VideoFailed"),
        (dumps({"task_status": "success", "content": "javascript:1"}), "VideoFailed"),
        (dumps({"ret": ["FAIL_SYS_USER_VALIDATE"]}), "FAIL_SYS_USER_VALIDATE"),
        (b"[1]", "VideoFailed"),
        (b"", ""),
    ],
)
def test_anything_else_is_a_fault(body: bytes, code: str) -> None:
    (fault,) = read(body)

    assert isinstance(fault, Fault)
    assert fault.code == code


def test_it_is_asked_after_until_it_is_done_or_long_enough() -> None:
    steps = watch("t-1", "https://chat.qwen.ai")
    asked = [next(steps)]
    running = Fault(0, RUNNING, "", origin="stream")
    asked += [steps.send(running) for _ in range(MOST - 1)]

    with pytest.raises(StopIteration) as ended:
        steps.send(running)

    assert {(request.method, request.final) for request in asked} == {("GET", True)}
    assert ended.value.value.origin == "timeout"


@pytest.mark.parametrize(
    ("data", "task"),
    [
        ({"messages": [{"extra": {"wanx": {"task_id": "a-1"}}}]}, "a-1"),
        ({"messages": [{"extra": {"wanx": {"task_id": "../x"}}}]}, None),
        ({"messages": []}, None),
        ({}, None),
    ],
)
def test_the_task_of_a_turn(data: dict[str, Any], task: str | None) -> None:
    assert task_of(data) == task
