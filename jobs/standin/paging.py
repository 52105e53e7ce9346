"""Pages of a list, as the API makes them: `limit` entries after or before a certain id."""

from typing import Any

from standin.problems import invalid


def page_of(
    ids: list[str], limit: str | None, after: str | None, before: str | None
) -> tuple[slice, bool]:
    """The slice of `ids` on the page, and whether more follow. Raises `Refused` (400)."""
    size = int(limit) if limit is not None and limit.isdecimal() else 20
    if (limit is not None and not limit.isdecimal()) or not 1 <= size <= 1_000:
        raise invalid("limit: Input should be between 1 and 1000")
    if after and before:
        raise invalid("after_id and before_id cannot be used together")
    anchor = after or before
    if anchor and anchor not in ids:
        raise invalid(f"{'after_id' if after else 'before_id'}: {anchor} is not in the list")
    if before:
        end = ids.index(before)
        return slice(max(0, end - size), end), end - size > 0
    begin = ids.index(after) + 1 if after else 0
    return slice(begin, begin + size), begin + size < len(ids)


def page(data: list[dict[str, Any]], has_more: bool) -> dict[str, Any]:
    """The JSON object of a page with those entries."""
    return {
        "data": data,
        "has_more": has_more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }
