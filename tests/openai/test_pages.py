"""Lists page by page."""

import pytest

from qwen_gateway.openai.errors import BadRequest
from qwen_gateway.openai.pages import cut, parse_page
from tests import referee

ROWS = [{"id": f"chatcmpl-{number}"} for number in range(5)]


def ids(**query: str) -> tuple[list[str], bool]:
    page = cut(ROWS, parse_page(query))
    return [row["id"][-1] for row in page["data"]], page["has_more"]


def test_the_newest_first_unless_asked_otherwise() -> None:
    assert ids() == (list("43210"), False)
    assert ids(limit="2") == (list("43"), True)
    assert ids(limit="2", after="chatcmpl-3") == (list("21"), True)
    assert ids(order="asc", after="chatcmpl-3") == (list("4"), False)
    assert ids(after="chatcmpl-0") == ([], False)


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "101"}, {"limit": "²"}, {"order": "up"}, {"after": "x"}])
def test_what_makes_no_sense_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(BadRequest) as caught:
        cut(ROWS, parse_page(query))

    assert caught.value.param in query


def test_an_empty_page_is_a_list_as_well() -> None:
    referee.assert_valid(cut([], parse_page({})), "response.items")
