"""Local businesses that do not exist: the same for the same words and place, some of them found by several searches."""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass

NAMES = (
    *("Abbott", "Barlow", "Castillo", "Delgado", "Ellis", "Fontaine", "Grady", "Holloway", "Ibarra", "Jensen"),
    *("Kowalski", "Lindgren", "Marsh", "Novak", "Okafor", "Pruitt", "Quigley", "Romero", "Sandoval", "Thorpe"),
    *("Ueda", "Vance", "Whitaker", "Xiong", "Yates", "Zielinski"),
)  # fmt: skip
FIRST = (
    "Anchor",
    "Bluebird",
    "Cedar",
    "Dockside",
    "Evergreen",
    "Foundry",
    "Granite",
    "Hilltop",
    "Ironwood",
    "Juniper",
)
LAST = ("& Sons", "Brothers", "Company", "Group", "Partners", "Works", "Collective", "Co")
LEGAL = ("LLC", "Inc.", "Ltd")
STREETS = (
    "Alder",
    "Bridge",
    "Chestnut",
    "Depot",
    "Elm",
    "Ferry",
    "Garden",
    "Harbor",
    "Mill",
    "Orchard",
    "Station",
)
ROADS = (("Street", "St"), ("Avenue", "Ave"), ("Road", "Rd"), ("Boulevard", "Blvd"))
AREA_CODES = (206, 303, 312, 404, 415, 503, 512, 602, 615, 617, 702, 713, 718, 803, 919)
OF_ITS_OWN_MAX = 45  # found by one search alone
SHARED = 8  # found by every search at their place
UNKNOWN_PLACES = ("atlantis", "nowhere", "el dorado")


@dataclass(frozen=True, slots=True)
class Business:
    """One of them; `number` makes its website's address, when it has one."""

    id: str
    name: str
    legal: str
    trade: str
    house: int
    street: tuple[str, str, str]
    place: str
    phone: str  # ten digits
    rating: float
    reviews: int
    latitude: float
    longitude: float
    number: int
    has_website: bool

    @property
    def slug(self) -> str:
        """Its name as a host has it."""
        return (
            re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")[:50] + f"-{self.number % 1000}"
        )

    @property
    def address_ip(self) -> str:
        """Its own address in 127.0.0.0/8, for a website on this machine."""
        low = self.number
        return f"127.{64 + low // 65536 % 64}.{low // 256 % 256}.{1 + low % 254}"


def known(place: str) -> bool:
    """Whether anybody knows the place."""
    place = place.strip().lower()
    return bool(place) and not any(place.startswith(unknown) for unknown in UNKNOWN_PLACES)


def found(words: str, place: str) -> list[Business]:
    """What a search for these words at this place finds, the best first; always the same."""
    words, place = " ".join(words.lower().split()), " ".join(place.split())
    if not known(place) or words.startswith("nothing"):
        return []
    chance = _chance("search", words, place.lower())
    own = [_business(words, place, n) for n in range(chance.randint(3, OF_ITS_OWN_MAX))]
    shared = [_business("", place, n) for n in range(SHARED)]
    both = own + shared
    chance.shuffle(both)
    return both


def _chance(*seed: str) -> random.Random:
    return random.Random(hashlib.sha256("\0".join(seed).encode()).digest())


def _business(words: str, place: str, n: int) -> Business:
    chance = _chance("business", words, place.lower(), str(n))
    trade = (words or "general services").removesuffix("s").title()
    who = chance.choice(
        (
            f"{chance.choice(NAMES)} {chance.choice(LAST)}",
            f"{chance.choice(FIRST)} {chance.choice(NAMES)}",
        )
    )
    kind = chance.choice(ROADS)
    center = _chance("place", place.lower())
    area = center.choice(AREA_CODES)
    return Business(
        id=f"standin-{chance.randbytes(8).hex()}",
        name=f"{who} {trade}",
        legal=chance.choice(LEGAL),
        trade=trade,
        house=chance.randint(1, 9900),
        street=(chance.choice(STREETS), *kind),
        place=place,
        phone=f"{area}555{chance.randint(0, 9999):04}",
        rating=round(chance.uniform(2.5, 5.0), 1),
        reviews=int(chance.expovariate(1 / 80)),
        latitude=round(center.uniform(27, 47) + chance.uniform(-0.1, 0.1), 6),
        longitude=round(center.uniform(-120, -75) + chance.uniform(-0.1, 0.1), 6),
        number=chance.getrandbits(22),
        has_website=chance.random() < 0.8,
    )
