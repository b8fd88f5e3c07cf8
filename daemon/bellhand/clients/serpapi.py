"""Google's search by serpapi.com: businesses of a place, and the ads that a search shows.

Wire format: https://serpapi.com/google-local-api, /google-maps-api, /search-api, /api-status-and-error-codes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import TypeAdapter

from ..settings_services import SerpApi as SerpApiSettings
from .answers import body_of, number, refused, text
from .errors import ServiceError
from .places import Place
from .service import Service
from .usage import Used
from .wire import Answer, Request

T = TypeVar("T")

QUOTA_WORDS = ("run out of searches", "credit is too low", "exceeded your monthly", "plan limit")
START_MAX = 1_000  # nobody has so many local results; a `next` that never ends stops here


@dataclass(frozen=True, slots=True)
class LocalPage:
    """Some places; `next_start` asks for more, `raw_count` is how many rows the answer had, also those of no use."""

    places: list[Place]
    next_start: int | None = None
    raw_count: int = 0


@dataclass(frozen=True, slots=True)
class Ad:
    """One ad of a search; `domain` is the host it leads to, `block` is top, bottom, right or local."""

    title: str
    link: str | None = None
    displayed_link: str | None = None
    domain: str | None = None
    advertiser: str | None = None
    position: int | None = None
    block: str | None = None


@dataclass(frozen=True, slots=True)
class WebResult:
    """One result of a web search that nobody paid for."""

    title: str
    link: str | None = None
    snippet: str | None = None
    position: int | None = None


class SerpApi:
    """Searches; see Service.ask for what they raise."""

    def __init__(self, service: Service, settings: SerpApiSettings) -> None:
        self.service = service
        self.take(settings)
        self._page = TypeAdapter(LocalPage)
        self._ads = TypeAdapter(list[Ad])
        self._results = TypeAdapter(list[WebResult])

    def take(self, settings: SerpApiSettings) -> None:
        """Search as these settings say from now on."""
        self._engine = settings.engine
        self._language = settings.language
        cost = round(settings.dollars_per_search * 1e6)
        self._used = Used(units_in=1, cost_microdollars=cost)

    async def local(self, query: str, location: str, *, start: int = 0) -> LocalPage:
        """Businesses for these words at this place, from the `start`th on."""
        params = {"engine": self._engine, "q": query, "hl": self._language}
        if self._engine == "google_maps":
            params |= {"type": "search", "q": f"{query} in {location}"}
        else:
            params["location"] = location
        if start:
            params["start"] = str(start)

        async def fetch() -> LocalPage:
            return await self._ask("local", params, lambda answer: read_local(answer, start))

        return await self.service.remembered(["local", params], self._page, fetch)

    async def ads(self, query: str, location: str) -> list[Ad]:
        """The ads that Google shows somebody at this place who searches for these words."""
        params = {"engine": "google", "q": query, "location": location, "hl": self._language}

        async def fetch() -> list[Ad]:
            return await self._ask("ads", params, read_ads)

        return await self.service.remembered(["ads", params], self._ads, fetch)

    async def search(self, query: str) -> list[WebResult]:
        """What the web says about these words: the first page of results."""
        params = {"engine": "google", "q": query, "hl": self._language}

        async def fetch() -> list[WebResult]:
            return await self._ask("search", params, read_results)

        return await self.service.remembered(["search", params], self._results, fetch)

    async def _ask(self, operation: str, params: dict[str, str], read: Callable[[Answer], T]) -> T:
        request = Request("GET", "/search.json", params, {"Accept": "application/json"})
        return await self.service.ask(operation, request, read, self._used)


def sign(key: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The key is a parameter of the address, which is why no address is ever shown."""
    return {}, {"api_key": key}


def read_local(answer: Answer, start: int = 0) -> LocalPage:
    """The places of an answer; raises ServiceError for an answer that is an error."""
    body = _found(answer)
    rows = body.get("local_results")
    if isinstance(rows, dict):  # as a part of a web search it is one level deeper
        rows = rows.get("places")
    one = body.get("place_results")
    if not isinstance(rows, list):
        # A search that fits one business alone shows its page.
        rows = [one] if isinstance(one, dict) else one if isinstance(one, list) else []
    places = [place for row in rows if isinstance(row, dict) and (place := _place(row)) is not None]
    return LocalPage(places, _next_start(body, start) if rows else None, len(rows))


def read_ads(answer: Answer) -> list[Ad]:
    """The ads of an answer; raises ServiceError for an answer that is an error."""
    body = _found(answer)
    local = body.get("local_ads")
    blocks = [(body.get("ads"), None), (local.get("ads") if isinstance(local, dict) else None, "local")]  # fmt: skip
    ads = []
    for rows, block in blocks:
        for row in rows if isinstance(rows, list) else []:
            ad = _ad(row, block) if isinstance(row, dict) else None
            if ad is not None:
                ads.append(ad)
    return ads


def read_results(answer: Answer) -> list[WebResult]:
    """The organic results of an answer; raises ServiceError for an answer that is an error."""
    rows = _found(answer).get("organic_results")
    found = []
    for row in rows if isinstance(rows, list) else []:
        title = text(row.get("title")) if isinstance(row, dict) else None
        if title is not None:
            position = number(row.get("position"))
            found.append(
                WebResult(
                    title=title,
                    link=text(row.get("link")),
                    snippet=text(row.get("snippet")),
                    position=None if position is None else int(position),
                )
            )
    return found


def _found(answer: Answer) -> dict[str, Any]:
    """The body, if the search was made; one that found nothing says so in `error`, and is a success."""
    body = body_of("serpapi", answer)
    message = text(body.get("error")) or ""
    metadata = body.get("search_metadata")
    status = text(metadata.get("status")) if isinstance(metadata, dict) else None
    spent = any(words in message.lower() for words in QUOTA_WORDS)
    if answer.status != 200 or spent:
        raise refused("serpapi", answer, message, key_refused="invalid api key" in message.lower(), quota=spent)  # fmt: skip
    if status == "Error":
        raise ServiceError(
            "unavailable", "the search failed over there", message or status, service="serpapi", retryable=True, sick=True,
        )  # fmt: skip
    return body


def _place(row: dict[str, Any]) -> Place | None:
    title = text(row.get("title"))
    if title is None:
        return None
    links = row.get("links")
    spot = row.get("gps_coordinates")
    spot = spot if isinstance(spot, dict) else {}
    kind = row.get("type")
    reviews = number(row.get("reviews"))
    website = row.get("website") or (links.get("website") if isinstance(links, dict) else None)
    return Place(
        title=title,
        address=text(row.get("address")),
        phone=text(row.get("phone")),
        website=text(website),
        category=text(kind[0] if isinstance(kind, list) and kind else kind),
        rating=number(row.get("rating")),
        reviews=None if reviews is None else int(reviews),
        latitude=number(spot.get("latitude")),
        longitude=number(spot.get("longitude")),
        place_id=text(row.get("place_id")) or text(row.get("data_id")),
        source="serpapi",
    )


def _next_start(body: dict[str, Any], start: int) -> int | None:
    pagination = body.get("serpapi_pagination")
    link = text(pagination.get("next")) if isinstance(pagination, dict) else None
    if link is None:
        return None
    asked = parse_qs(urlsplit(link).query).get("start", [""])[0]
    if not asked.isdecimal() or len(asked) > 6:
        return None
    return int(asked) if start < int(asked) <= START_MAX else None


def _ad(row: dict[str, Any], block: str | None) -> Ad | None:
    title = text(row.get("title"))
    if title is None:
        return None
    link = text(row.get("link"))
    position = number(row.get("position"))
    displayed = text(row.get("displayed_link"))
    advertiser = text(row.get("source")) or text(row.get("advertiser"))
    return Ad(
        title=title,
        link=link,
        displayed_link=displayed,
        domain=_host(link) or _host(displayed),
        advertiser=advertiser,
        position=None if position is None else int(position),
        block=block or text(row.get("block_position")),
    )


def _host(link: str | None) -> str | None:
    """The host of an address, which may come without its scheme and with crumbs behind it."""
    if not link:
        return None
    try:
        host = urlsplit(link if "://" in link else f"https://{link.split()[0]}").hostname
    except ValueError:
        return None
    return host.removeprefix("www.") if host and "." in host else None
