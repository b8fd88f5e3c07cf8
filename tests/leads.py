"""Records of businesses for the tests of the leads family, and places as search services tell them."""

from dataclasses import replace
from typing import Any

from bellhand.clients.places import Place
from bellhand.families.leads.business import Business, business_of

ACME = Place(
    title="Acme Glass LLC",
    address="12 Main St, Austin, TX 78701",
    phone="(512) 555-0142",
    website="https://www.acme-glass.com/?utm_source=maps",
    category="Glazier",
    rating=4.5,
    reviews=31,
    place_id="place-acme",
    source="serpapi",
)


def place(**fields: Any) -> Place:
    """Acme, or a business like it."""
    return replace(ACME, **fields)


def other(title: str, **fields: Any) -> Place:
    """A business that has only what is given."""
    return Place(title=title, **fields)


def record(given: Place, location: str = "Austin, TX", country: str | None = None) -> Business:
    """The place as it is compared."""
    made = business_of(given, location, country)
    assert made is not None
    return made


def business(title: str, location: str = "Austin, TX", **fields: Any) -> Business:
    """A business that has only what is given, as it is compared."""
    return record(other(title, **fields), location)
