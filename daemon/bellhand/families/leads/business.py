"""One business as it is compared and stored, made of what a search service told."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bellhand.outcomes import clean

from .contact import phone_of, website_of
from .country import country_in, country_of
from .fold import fold, fold_address, fold_name, telling

if TYPE_CHECKING:
    from bellhand.clients.places import Place

NAME_CHARS_MAX = 500
ADDRESS_CHARS_MAX = 1000
CATEGORY_CHARS_MAX = 200
PHONE_CHARS_MAX = 100
KEY_CHARS_MAX = 200
DIGITS_MIN = 6  # of a number that cannot be read as a phone number of any country

_NUMBER = re.compile(r"\d+")
_SPACES = re.compile(r"\s+")
# Controls, and marks that turn the direction of what follows; joiners stay, some scripts need them.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")


@dataclass(slots=True)
class Business:
    """What is known of one business; `id` is that of its lead, None before it has one.

    `phone` is E.164, `phone_shown` what the service wrote. `website` is its own, `listing` a page it has elsewhere. `keys` is what it can
    be found by: see keys_of.
    """

    name: str
    phone: str | None = None
    phone_shown: str | None = None
    website: str | None = None
    domain: str | None = None
    listing: str | None = None
    address: str | None = None
    country: str | None = None
    category: str | None = None
    rating: float | None = None
    reviews: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    place_id: str | None = None
    keys: frozenset[str] = frozenset()
    id: int | None = None
    excluded: bool = False
    exclusion: int | None = None  # the rule's row; None with excluded: by hand

    # What comparing needs, computed once.
    words: list[str] = field(init=False, compare=False)
    compact: str = field(init=False, compare=False)
    folded_address: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        folded = fold_name(self.name)
        self.words = telling(folded)
        self.compact = folded.replace(" ", "")
        self.folded_address = fold_address(self.address or "")


def business_of(place: Place, location: str, country: str | None) -> Business | None:
    """The business behind a search result; None for one without a name.

    `location` is what was searched for; `country` overrides what location and address tell.
    """
    name = _line(place.title, NAME_CHARS_MAX)
    if not name or not fold_name(name):
        return None
    address = _line(place.address, ADDRESS_CHARS_MAX)
    country = country or country_in(address or "") or country_of(location)
    phone = phone_of(place.phone, country)
    site = website_of(place.website)
    found = Business(
        name=name,
        phone=phone,
        phone_shown=_line(place.phone, PHONE_CHARS_MAX),
        website=site.url if site and site.own else None,
        domain=site.domain if site else None,
        listing=site.url if site and not site.own else None,
        address=address,
        country=country,
        category=_line(place.category, CATEGORY_CHARS_MAX),
        rating=place.rating,
        reviews=place.reviews,
        latitude=place.latitude,
        longitude=place.longitude,
        place_id=_line(place.place_id, KEY_CHARS_MAX),
    )
    found.keys = keys_of(found, location)
    return found


def keys_of(business: Business, location: str) -> frozenset[str]:
    """What another record of the same business would share at least one of.

    p: phone, d: own domain, i: place id, n: whole name and the location searched, w: beginning of a
    telling word of the name and a number of the address. The first three are evidence, the others
    only bring candidates together.
    """
    keys = {f"n:{business.compact}:{fold(location)}"}
    if business.phone:
        keys.add(f"p:{business.phone}")
    elif len(digits := "".join(_NUMBER.findall(business.phone_shown or ""))) >= DIGITS_MIN:
        keys.add(f"p:{digits}")
    if business.domain:
        keys.add(f"d:{business.domain}")
    if business.place_id:
        keys.add(f"i:{business.place_id}")
    for number in _NUMBER.findall(business.folded_address)[:2]:
        keys |= {f"w:{word[:4]}:{number}" for word in business.words[:3]}
    return frozenset(key[:KEY_CHARS_MAX] for key in keys)


def _line(text: Any, chars_max: int) -> str | None:
    """Text of a service on one line, storable, cut; None for nothing."""
    if text is None:
        return None
    shown = _UNSEEN.sub(" ", clean(str(text)))
    return _SPACES.sub(" ", shown).strip()[:chars_max] or None
