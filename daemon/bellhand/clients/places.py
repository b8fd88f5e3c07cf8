"""Google's Places API (New), text search: businesses by words such as "dentist in Austin, Texas".

Wire format: https://developers.google.com/maps/documentation/places/web-service/text-search. Answers of the older API are
read as well, whose status stands inside of HTTP 200; gateways and recordings still speak it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter

from ..settings_services import Places as PlacesSettings
from .answers import body_of, number, refused, text
from .errors import ServiceError
from .service import Service
from .usage import Used
from .wire import Answer, Request

PAGE_SIZE = 20
FIELDS = (
    *("id", "displayName", "formattedAddress", "nationalPhoneNumber", "internationalPhoneNumber", "websiteUri"),
    *("primaryTypeDisplayName", "primaryType", "types", "rating", "userRatingCount", "location", "businessStatus"),
)  # fmt: skip
KEY_REASONS = {"API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "SERVICE_DISABLED", "BILLING_DISABLED"}
GONE = "CLOSED_PERMANENTLY"
# The status that the older API puts into HTTP 200, as code, and whether the account is to wait.
LEGACY = {
    "OVER_QUERY_LIMIT": ("quota", True),
    "OVER_DAILY_LIMIT": ("quota", True),
    "REQUEST_DENIED": ("key_refused", True),
    "INVALID_REQUEST": ("bad_request", False),
    "NOT_FOUND": ("bad_request", False),
    "UNKNOWN_ERROR": ("unavailable", False),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A business as a search service tells of it; what it does not tell is None. `source` is serpapi or places."""

    title: str
    address: str | None = None
    phone: str | None = None
    website: str | None = None
    category: str | None = None
    rating: float | None = None
    reviews: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    place_id: str | None = None
    source: str = "places"


@dataclass(frozen=True, slots=True)
class PlacesPage:
    """Some places, and how to ask for more."""

    places: list[Place]
    next_page_token: str | None = None


class Places:
    """Text search; see Service.ask for what it raises."""

    def __init__(self, service: Service, settings: PlacesSettings) -> None:
        self.service = service
        self.take(settings)
        self._page = TypeAdapter(PlacesPage)

    def take(self, settings: PlacesSettings) -> None:
        """Search as these settings say from now on."""
        self._language = settings.language
        cost = round(settings.dollars_per_search * 1e6)
        self._used = Used(units_in=1, cost_microdollars=cost)

    async def search(self, text: str, *, page_token: str | None = None) -> PlacesPage:
        """Up to 20 places for these words, and the token of the next page, which goes with the same words."""
        question = {"textQuery": text, "languageCode": self._language, "pageSize": PAGE_SIZE}
        if page_token:
            question["pageToken"] = page_token
        fields = [*(f"places.{field}" for field in FIELDS), "nextPageToken"]
        request = Request(
            "POST",
            "/places:searchText",
            {},
            {"Content-Type": "application/json", "X-Goog-FieldMask": ",".join(fields)},
            json.dumps(question).encode(),
        )

        async def fetch() -> PlacesPage:
            return await self.service.ask("search", request, read_page, self._used)

        return await self.service.remembered(["search", question], self._page, fetch)


def sign(key: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The key goes into a header."""
    return {"X-Goog-Api-Key": key}, {}


def read_page(answer: Answer) -> PlacesPage:
    """The places of an answer; raises ServiceError for an answer that is an error."""
    body = body_of("places", answer)
    if answer.status != 200:
        raise _error(answer, body)
    if "status" in body and "results" in body:
        return _legacy_page(body)
    found = [_place(row) for row in body.get("places") or [] if isinstance(row, dict)]
    places = [place for place in found if place is not None]
    return PlacesPage(places, text(body.get("nextPageToken")))


def _place(row: dict[str, Any]) -> Place | None:
    title = text(_in(row, "displayName", "text"))
    if title is None or row.get("businessStatus") == GONE:
        return None
    kinds = row.get("types")
    category = text(_in(row, "primaryTypeDisplayName", "text")) or text(row.get("primaryType"))
    if category is None and isinstance(kinds, list) and kinds:
        category = text(kinds[0])
    reviews = number(row.get("userRatingCount"))
    return Place(
        title=title,
        address=text(row.get("formattedAddress")),
        # With its country, or nobody could call it from elsewhere.
        phone=text(row.get("internationalPhoneNumber")) or text(row.get("nationalPhoneNumber")),
        website=text(row.get("websiteUri")),
        category=category,
        rating=number(row.get("rating")),
        reviews=None if reviews is None else int(reviews),
        latitude=number(_in(row, "location", "latitude")),
        longitude=number(_in(row, "location", "longitude")),
        place_id=text(row.get("id")),
    )


def _legacy_page(body: dict[str, Any]) -> PlacesPage:
    status = text(body.get("status")) or "UNKNOWN_ERROR"
    if status not in ("OK", "ZERO_RESULTS"):
        code, pause = LEGACY.get(status, ("bad_answer", False))
        sick = code in ("unavailable", "bad_answer")
        why = text(body.get("error_message")) or status
        raise ServiceError(
            code, f"the search ended as {status}", why, service="places", retryable=sick or pause, sick=sick, pause=pause,
        )  # fmt: skip
    places = []
    for row in body["results"] or []:
        place = isinstance(row, dict) and _place(
            {
                **row,
                "displayName": {"text": row.get("name")},
                "formattedAddress": row.get("formatted_address") or row.get("vicinity"),
                "internationalPhoneNumber": row.get("international_phone_number"),
                "nationalPhoneNumber": row.get("formatted_phone_number"),
                "websiteUri": row.get("website"),
                "userRatingCount": row.get("user_ratings_total"),
                "businessStatus": row.get("business_status"),
                "id": row.get("place_id"),
            }
        )
        if place:
            spot = _in(row, "geometry", "location")
            spot = spot if isinstance(spot, dict) else {}
            lat, lng = number(spot.get("lat")), number(spot.get("lng"))
            places.append(replace(place, latitude=lat, longitude=lng))
    return PlacesPage(places, text(body.get("next_page_token")))


def _error(answer: Answer, body: dict[str, Any]) -> ServiceError:
    told = body.get("error")
    told = told if isinstance(told, dict) else {}
    status, message = text(told.get("status")) or "", text(told.get("message")) or ""
    details = told.get("details")
    rows = details if isinstance(details, list) else []
    reasons = {text(row.get("reason")) for row in rows if isinstance(row, dict)}
    # A quota of the minute passes by itself, one of the day is spent.
    spent = status == "RESOURCE_EXHAUSTED" and "per day" in message.lower()
    bad_key = bool(reasons & KEY_REASONS)
    return refused("places", answer, message or status, key_refused=bad_key, quota=spent)


def _in(row: dict[str, Any], outer: str, inner: str) -> Any:
    found = row.get(outer)
    return found.get(inner) if isinstance(found, dict) else None
