"""A stand-in of Google's Places API (New): places:searchText."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from aiohttp import web

from . import businesses
from .businesses import Business
from .faults import Fault
from .sites import Sites

PAGE_MAX = 20
FOUND_MAX = 60


async def search(request: web.Request, sites: Sites) -> web.Response:
    """The answer to a text search, with the fields that the mask asks for."""
    key = request.headers.get("X-Goog-Api-Key", "")
    if not key or key.startswith("bad"):
        return failed(Fault("refused"))
    mask = [field.strip() for field in request.headers.get("X-Goog-FieldMask", "").split(",") if field.strip()]  # fmt: skip
    if not mask:
        return _error(400, "INVALID_ARGUMENT", "FieldMask is a required parameter.")
    try:
        asked = await request.json()
        words = str(asked["textQuery"])
        start = int(json.loads(base64.urlsafe_b64decode(asked["pageToken"]))[1]) if asked.get("pageToken") else 0  # fmt: skip
    except (ValueError, KeyError, TypeError, binascii.Error):
        return _error(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")
    trade, _, place = words.partition(" in ")
    found = businesses.found(trade, place)[:FOUND_MAX]
    size = min(int(asked.get("pageSize") or PAGE_MAX), PAGE_MAX)
    page = found[start : start + size]
    body: dict[str, Any] = {}
    if page:
        rows = [await _row(one, sites) for one in page]
        body["places"] = [
            {name: value for name, value in row.items() if f"places.{name}" in mask or "*" in mask}
            for row in rows
        ]
    if found[start + size :] and "nextPageToken" in mask:
        token = json.dumps([words, start + size]).encode()
        body["nextPageToken"] = base64.urlsafe_b64encode(token).decode()
    return web.json_response(body)


def failed(fault: Fault) -> web.Response:
    """An error, as Google words it."""
    per = (
        "Quota exceeded for quota metric 'SearchTextRequest' and limit 'SearchTextRequest per {}'."
    )
    status, name, message = {
        "rate": (429, "RESOURCE_EXHAUSTED", per.format("minute")),
        "quota": (429, "RESOURCE_EXHAUSTED", per.format("day")),
        "refused": (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
        "error": (500, "INTERNAL", "An internal error has occurred."),
        "unavailable": (503, "UNAVAILABLE", "The service is currently unavailable."),
    }[fault.name]
    reason = "API_KEY_INVALID" if fault.name == "refused" else None
    answer = _error(status, name, message, reason)
    if fault.seconds:
        answer.headers["Retry-After"] = f"{fault.seconds:g}"
    return answer


def _error(status: int, name: str, message: str, reason: str | None = None) -> web.Response:
    error: dict[str, Any] = {"code": status, "message": message, "status": name}
    if reason:
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}]  # fmt: skip
    return web.json_response({"error": error}, status=status)


async def _row(one: Business, sites: Sites) -> dict[str, Any]:
    digits = one.phone
    name, road, _ = one.street
    row: dict[str, Any] = {
        "id": one.id,
        # Not quite what the other service says of the same business.
        "displayName": {"text": f"{one.name}, {one.legal}", "languageCode": "en"},
        "formattedAddress": f"{one.house} {name} {road}, {one.place}, USA",
        "nationalPhoneNumber": f"({digits[:3]}) {digits[3:6]}-{digits[6:]}",
        "internationalPhoneNumber": f"+1 {digits[:3]}-{digits[3:6]}-{digits[6:]}",
        "primaryType": one.trade.lower().replace(" ", "_"),
        "primaryTypeDisplayName": {"text": one.trade, "languageCode": "en"},
        "types": ["point_of_interest", "establishment"],
        "rating": one.rating,
        "userRatingCount": one.reviews,
        "location": {"latitude": one.latitude, "longitude": one.longitude},
        "businessStatus": "OPERATIONAL",
    }
    website = await sites.address(one)
    return row | ({"websiteUri": website} if website else {})
