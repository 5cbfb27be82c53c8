"""Lists that are given out page by page, in the one form that OpenAI has for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qwen_gateway.openai.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted: how many, behind which id, in which order."""

    limit: int = 20
    after: str | None = None
    newest_first: bool = True


def parse_page(query: Mapping[str, str], *, newest_first: bool = True) -> Page:
    """The page that a query asks for.

    Raises:
        BadRequest: a limit beyond 1 to 100, an order that is none.
    """
    limit = query.get("limit", "20")
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= 100:
        raise BadRequest(f"'limit' is '{limit[:20]}'; it must be a number from 1 to 100.", param="limit")
    order = query.get("order", "desc" if newest_first else "asc")
    if order not in ("asc", "desc"):
        raise BadRequest(f"'order' is '{order[:20]}'; it must be 'asc' or 'desc'.", param="order")
    return Page(int(limit), query.get("after") or None, order == "desc")


def cut(rows: Sequence[dict[str, Any]], page: Page) -> dict[str, Any]:
    """One page of rows that are given in the order in which they came.

    Raises:
        BadRequest: there is no row of the id `after`.
    """
    ordered = list(reversed(rows)) if page.newest_first else list(rows)
    if page.after is not None:
        places = [place for place, row in enumerate(ordered) if row["id"] == page.after]
        if not places:
            raise BadRequest(f"'after' is '{page.after[:80]}', which is not in this list.", param="after")
        ordered = ordered[places[0] + 1 :]
    return list_object(ordered[: page.limit], more=len(ordered) > page.limit)


def list_object(rows: Sequence[dict[str, Any]], *, more: bool) -> dict[str, Any]:
    """A list; its first and last id are empty when it is."""
    first, last = (rows[0]["id"], rows[-1]["id"]) if rows else ("", "")
    return {"object": "list", "data": list(rows), "first_id": first, "last_id": last, "has_more": more}
