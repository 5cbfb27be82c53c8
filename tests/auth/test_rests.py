import pytest

from qwen_auth.rests import Resting, read_rests, rests_path, write_rests

REST = Resting("work", "", "exhausted", 2000.0, "hour allocated quota exceeded")


def test_without_a_file_nothing_rests(tmp_path):
    assert read_rests(tmp_path, 1000.0) == []


def test_what_was_written_is_read_until_it_is_over(tmp_path):
    other = Resting("work", "qwen-plus", "resting", 1500.0)
    write_rests(tmp_path, [REST, other])

    assert read_rests(tmp_path, 1000.0) == [REST, other]
    assert read_rests(tmp_path, 1500.0) == [REST]
    assert read_rests(tmp_path, 2000.0) == []


def test_what_only_a_hand_ends_is_read_for_ever(tmp_path):
    disabled = Resting("work", "", "disabled", None, "disabled by hand")
    write_rests(tmp_path, [disabled])

    assert read_rests(tmp_path, 1e12) == [disabled]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"rests": [1]}', '{"rests": [{"until": "soon"}]}'])
def test_a_file_that_is_none_is_told_and_nothing_rests(tmp_path, content):
    warnings = []
    rests_path(tmp_path).write_text(content)
    rests_path(tmp_path).chmod(0o600)

    assert read_rests(tmp_path, 1000.0, warnings.append) == []
    assert "rests.json is no list of resting accounts" in warnings[0]
