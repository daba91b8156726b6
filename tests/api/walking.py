"""A client that walks through the pages of an answer."""

from typing import Any

import httpx


def walk(client: httpx.Client, **params: Any) -> list[dict[str, Any]]:
    """All items of a walk, page after page."""
    items: list[dict[str, Any]] = []
    while True:
        response = client.get("/api/v1/twaps", params=params)
        assert response.status_code == 200, response.text
        page = response.json()
        items += page["twaps"]
        if page["next_cursor"] is None:
            return items
        params["cursor"] = page["next_cursor"]
