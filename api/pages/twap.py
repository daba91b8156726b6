"""What the page of a TWAP shows."""

import json
from collections.abc import Mapping

from starlette.requests import Request

from api.certificate import read_together
from api.errors import ApiError
from api.json_text import written_list
from api.pages import View
from api.pages.form import TWAP_FORM
from api.query_string import required


async def twap_view(request: Request, given: Mapping[str, str]) -> View:
    """Return every event of a TWAP, and where each comes from.

    Raises ApiError (404, 422, 503).
    """
    twap_id = required(TWAP_FORM["id"], given)
    (found, overdue), coverage = await read_together(
        request,
        ("twap_events", {"twap_id": twap_id, "with_provenance": True}),
        ("twap_overdue", {"twap_id": twap_id}),
    )
    if found.rows is None:
        raise ApiError(404, "not_found", "No TWAP has this id.", field="id")
    events = json.loads(written_list(found.rows))
    values = {
        "twap_id": twap_id,
        "wallets": sorted({event["wallet"] for event in events}),
        "overdue_wallets": overdue.wallets or [],
        "events": events,
    }
    return View("twap.html", values, coverage)
