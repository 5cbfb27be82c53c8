"""The consequences of each class of faults (upstream.md section 6)."""

import pytest

from qwen_gateway.upstreams.faults import ROWS
from qwen_gateway.upstreams.verdicts import VERDICTS, Verdict

EACH = pytest.mark.parametrize("verdict", VERDICTS.values(), ids=VERDICTS.keys())


@EACH
def test_whoever_is_not_tried_again_is_told_why(verdict: Verdict) -> None:
    assert 400 <= verdict.status < 600
    assert verdict.type
    assert verdict.code


@EACH
def test_a_rest_has_an_end(verdict: Verdict) -> None:
    if verdict.effect == "none":
        assert (verdict.rest, verdict.ceiling) == (0, 0)
    else:
        assert 0 < verdict.rest <= (verdict.longest or verdict.ceiling) <= verdict.ceiling


@EACH
def test_faults_of_the_client_stay_with_the_client(verdict: Verdict) -> None:
    if verdict.status == 400:
        assert (verdict.retry, verdict.effect) == ("no", "none")


@EACH
def test_no_upstream_401_reaches_a_client(verdict: Verdict) -> None:
    """It would mean that the client's own key is wrong (openai-surface.md section 6)."""
    assert verdict.status != 401


@EACH
def test_every_class_is_in_the_table(verdict: Verdict) -> None:
    assert verdict.name in {row.verdict for row in ROWS}
