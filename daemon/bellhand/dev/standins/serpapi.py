"""A stand-in of serpapi.com: /search.json with the engines google_local, google_maps and google."""

from __future__ import annotations

import hashlib
from typing import Any

from aiohttp import web

from . import businesses
from .businesses import Business
from .faults import Fault
from .sites import Sites

PAGE = 20
ADS_MAX = 4
ANYWHERE = "United States"
SUCCESS = "Success"
NO_RESULTS = "Google hasn't returned any results for this query."


async def search(request: web.Request, sites: Sites) -> web.Response:
    """The answer to a search, as SerpApi words it."""
    query = request.query
    if query.get("api_key", "").startswith("bad") or not query.get("api_key"):
        return failed(Fault("refused"))
    words = query.get("q", "").strip()
    if not words:
        return web.json_response({"error": "Missing query `q` parameter."}, status=400)
    engine = query.get("engine", "google")
    # A search of the web may leave its place out; the engines of places may not.
    place = query.get("location", ANYWHERE if engine == "google" else "")
    if engine == "google_maps":
        words, _, place = words.partition(" in ")
    if not businesses.known(place):
        error = f"Unsupported `{place}` location - location parameter."
        return web.json_response({"error": error}, status=400)
    found = businesses.found(words, place)
    start = int(query.get("start") or 0)
    body: dict[str, Any] = {"search_metadata": _metadata(request, SUCCESS), "search_parameters": {
        name: value for name, value in query.items() if name != "api_key"}}  # fmt: skip
    if engine == "google":
        body |= await _ads(found, sites)
    elif not found[start:]:
        body["error"] = NO_RESULTS
    elif len(found) == 1 and engine == "google_maps":
        body["place_results"] = await _row(1, found[0], engine, sites)
    else:
        page = found[start : start + PAGE]
        body["local_results"] = [
            await _row(start + n, one, engine, sites) for n, one in enumerate(page, start=1)
        ]
        if found[start + PAGE :]:
            link = request.url.origin() / "search.json" % {"engine": engine, "q": words, "start": str(start + PAGE)}  # fmt: skip
            body["serpapi_pagination"] = {"next": str(link)}
    return web.json_response(body)


def failed(fault: Fault) -> web.Response:
    """An error, as SerpApi words it."""
    headers = {"Retry-After": f"{fault.seconds:g}"} if fault.seconds else {}
    metadata = {"search_metadata": {"status": "Error"}}
    status, body = {
        "rate": (429, {"error": "You have exceeded the hourly throughput limit of your plan."}),
        "quota": (429, {"error": "Your account has run out of searches."}),
        "refused": (401, {"error": "Invalid API key. Your API key should be here: https://serpapi.com/manage-api-key"}),
        "error": (500, {"error": "Something went wrong on our end."}),
        "unavailable": (503, {**metadata, "error": "We couldn't get valid results for this search. Please try again later."}),
    }[fault.name]  # fmt: skip
    return web.json_response(body, status=status, headers=headers)


def _metadata(request: web.Request, status: str) -> dict[str, Any]:
    made = hashlib.sha256(request.query_string.encode()).hexdigest()[:24]
    return {"id": made, "status": status, "total_time_taken": 0.5}


async def _row(position: int, one: Business, engine: str, sites: Sites) -> dict[str, Any]:
    digits = one.phone
    name, _, short = one.street
    row: dict[str, Any] = {
        "position": position,
        "title": one.name,
        "place_id": str(one.number),  # not the number that Places knows it by
        "rating": one.rating,
        "reviews": one.reviews,
        "type": one.trade,
        "address": f"{one.house} {name} {short}, {one.place}",
        "phone": f"({digits[:3]}) {digits[3:6]}-{digits[6:]}",
        "gps_coordinates": {"latitude": one.latitude, "longitude": one.longitude},
    }
    website = await sites.address(one)
    if website and engine == "google_maps":
        row["website"] = website
    elif website:
        row["links"] = {"website": website}
    return row


async def _ads(found: list[Business], sites: Sites) -> dict[str, Any]:
    shown = [one for one in found if one.has_website and one.number % 3 == 0][:ADS_MAX]
    ads = []
    for n, one in enumerate(shown, start=1):
        link = await sites.address(one)
        ads.append(
            {
                "position": n,
                "block_position": "top" if n <= 2 else "bottom",
                "title": f"{one.name} - Call Now",
                "link": link,
                "displayed_link": link,
                "source": f"{one.name} {one.legal}",
            }
        )
    organic = [{"position": n, "title": one.name} for n, one in enumerate(found[:10], start=1)]
    return ({"ads": ads} if ads else {}) | {"organic_results": organic}
