import os
import time

from qwen_gateway.codec.ids import POOL, ordered_hex, random_hex


def test_names_have_their_length_and_never_come_twice():
    names = [random_hex(16) for _ in range(POOL)]  # many times what is fetched at once

    assert {len(name) for name in names} == {32}
    assert len(set(names)) == len(names)


def test_every_length_is_served():
    assert [len(random_hex(size)) for size in (1, 12, POOL, POOL * 3)] == [2, 24, POOL * 2, POOL * 6]


def test_a_forked_process_goes_its_own_way():
    random_hex(1)
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, random_hex(16).encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reading, 32).decode() != random_hex(16)


def test_ordered_names_sort_by_the_time_they_were_made():
    names = []
    for _ in range(5):
        names.append(ordered_hex())
        time.sleep(0.002)

    assert names == sorted(names)
    assert {len(name) for name in names} == {32}
    assert abs(int(names[0][:12], 16) / 1000 - time.time()) < 60


def test_ordered_names_of_one_moment_never_come_twice():
    assert len({ordered_hex() for _ in range(10_000)}) == 10_000
