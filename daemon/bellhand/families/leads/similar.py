"""Whether two records are of one business.

The thresholds were chosen on the train and valid pairs of fodors-zagats and are measured on its test
pairs: tests/test_lead_accuracy.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler

from .business import Business
from .fold import fold_address

WORDS_ALIKE = 0.9  # Jaro-Winkler of two words of a name
NAMES_ALIKE = 90.0  # ratio of whole names without spaces: "Shop Smart" and "Shopsmart"
STREETS_ALIKE = 80.0  # token set ratio of the parts of two addresses that have a number
PREFIX_CHARS_MIN = 3
_NUMBER = re.compile(r"\d+")


def same(one: Business, other: Business) -> str | None:
    """What shows that both are one business: place, phone, domain, address or name; None if
    nothing does.

    A place id decides alone. A phone number or an own domain needs a like name beside it: a hotel's
    restaurants share its number. A like name needs the address, or (if no more is known) the whole
    name in the location that was searched, with nothing that speaks against it.
    """
    shared = {key[0] for key in one.keys & other.keys}
    if "i" in shared:
        return "place"
    alike = names_alike(one, other)
    if "p" in shared and (alike or "d" in shared):
        return "phone"
    where = addresses_alike(one, other)
    if "d" in shared and (alike or where):
        return "domain"
    if not alike:
        return None
    if where:
        return "address"
    if "n" in shared and where is None and not _differ("p:", one, other):
        return None if _differ("d:", one, other) else "name"
    return None


def names_alike(one: Business, other: Business) -> bool:
    """Whether one name says no more than the other, or both are spelled nearly alike.

    Words that stand in either address (the city) do not count.
    """
    if one.compact == other.compact:
        return True
    places = set(one.folded_address.split()) | set(other.folded_address.split())
    rest, others = [], list(other.words)
    for word in one.words:
        twin = next((other for other in others if _words_alike(word, other)), None)
        if twin is None:
            rest.append(word)
        else:
            others.remove(twin)
    if len(rest) < len(one.words):  # they agree in something
        rest = [word for word in rest if word not in places]
        others = [word for word in others if word not in places]
        if not rest or not others:
            return True
    return names_equal(one, other)


def names_equal(one: Business, other: Business) -> bool:
    """Whether both names are spelled the same or nearly so, as a whole."""
    return one.compact == other.compact or fuzz.ratio(one.compact, other.compact) >= NAMES_ALIKE


def addresses_alike(one: Business, other: Business) -> bool | None:
    """Whether both addresses are one place; None if one of them is missing."""
    if not one.address or not other.address:
        return None
    if one.folded_address == other.folded_address:
        return True
    street, other_street = _street(one.address), _street(other.address)
    numbers, other_numbers = set(_NUMBER.findall(street)), set(_NUMBER.findall(other_street))
    if (numbers or other_numbers) and not numbers & other_numbers:
        return False
    return fuzz.token_set_ratio(street, other_street) >= STREETS_ALIKE


def _words_alike(one: str, other: str) -> bool:
    if one == other:
        return True
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) >= PREFIX_CHARS_MIN and longer.startswith(shorter):
        return True
    return JaroWinkler.similarity(one, other) >= WORDS_ALIKE


def _street(address: str) -> str:
    """The first part of an address with a number in it, folded; the whole if none has."""
    parts = address.split(",")
    return fold_address(next((part for part in parts if _NUMBER.search(part)), address))


def _differ(kind: str, one: Business, other: Business) -> bool:
    """Whether both have something of the kind, and nothing in common."""
    mine, theirs = _of(kind, one.keys), _of(kind, other.keys)
    return bool(mine and theirs) and not mine & theirs


def _of(kind: str, keys: Iterable[str]) -> set[str]:
    return {key for key in keys if key.startswith(kind)}
