"""Structured data: is the JSON sound, and does each thing have the properties of its type.

What a type needs follows schema.org's types and what the search engines' guides for rich results
ask for. `a|b` means that one of them is enough.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bellhand.outcomes import clean

_THINGS_MAX = 2000
_LISTED_MAX = 20
_DATE = re.compile(
    r"\d{4}(-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?)?)?\Z"
)

# type: (what it must have, what it had better have)
_TYPES = {
    "AggregateRating": ("ratingValue reviewCount|ratingCount", ""),
    "Answer": ("text", ""),
    "Article": ("headline", "author datePublished image"),
    "Book": ("name author", "isbn"),
    "BreadcrumbList": ("itemListElement", ""),
    "Course": ("name description", "provider"),
    "Dataset": ("name description", "license"),
    "Event": ("name startDate location", "endDate image offers"),
    "FAQPage": ("mainEntity", ""),
    "HowTo": ("name step", ""),
    "ImageObject": ("contentUrl|url", ""),
    "ItemList": ("itemListElement", ""),
    "JobPosting": (
        "title description datePosted hiringOrganization jobLocation|applicantLocationRequirements",
        "validThrough employmentType baseSalary",
    ),
    "ListItem": ("position name|item", ""),
    "LocalBusiness": ("name address", "telephone openingHours|openingHoursSpecification url"),
    "Offer": ("price|priceSpecification", "priceCurrency|priceSpecification availability"),
    "Organization": ("name", "url logo"),
    "Person": ("name", ""),
    "Product": ("name offers|review|aggregateRating", "image description brand"),
    "Question": ("name acceptedAnswer|suggestedAnswer", ""),
    "Rating": ("ratingValue", ""),
    "Recipe": ("name image", "recipeIngredient recipeInstructions"),
    "Review": ("author reviewRating", ""),
    "SearchAction": ("target", ""),
    "SoftwareApplication": ("name", "offers aggregateRating|review"),
    "VideoObject": ("name thumbnailUrl uploadDate", "description duration"),
    "WebSite": ("url", "name"),
}
_PARENTS = {
    "Article": "BlogPosting NewsArticle Report ScholarlyArticle SocialMediaPosting TechArticle",
    "Event": "BusinessEvent EducationEvent Festival MusicEvent SportsEvent TheaterEvent",
    "LocalBusiness": "AutoRepair Bakery BarOrPub BeautySalon CafeOrCoffeeShop Dentist Electrician "
    "FoodEstablishment HairSalon Hotel LegalService LodgingBusiness MedicalBusiness Plumber "
    "ProfessionalService RealEstateAgent Restaurant RoofingContractor Store",
    "Organization": "Corporation EducationalOrganization NGO NewsMediaOrganization",
    "SoftwareApplication": "MobileApplication VideoGame WebApplication",
    "Offer": "AggregateOffer",
}
_PARENT = {child: parent for parent, children in _PARENTS.items() for child in children.split()}
# An AggregateOffer has a range instead of a price.
_EXCEPTIONS = {"AggregateOffer": ("lowPrice", "highPrice priceCurrency offerCount")}
_DATES = ("datePublished", "dateModified", "startDate", "endDate", "uploadDate", "datePosted")


@dataclass(slots=True)
class Report:
    """What a page's structured data is, and what is wrong with it; each list has its limit."""

    types: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    advised: list[str] = field(default_factory=list)

    def add_json(self, text: str) -> None:
        """Look at one JSON-LD block."""
        try:
            data = json.loads(text, strict=False)
        except ValueError as error:
            self._note(self.errors, f"not JSON: {str(error)[:150]}")
            return
        except RecursionError:
            self._note(self.errors, "not JSON: it nests too deep")
            return
        tops = data if isinstance(data, list) else [data]
        for top in tops:
            if not isinstance(top, dict):
                self._note(self.errors, "a block holds objects, not bare values")
            elif "@context" not in top:
                self._note(self.errors, "@context is missing: nobody knows whose words these are")
            elif "@type" not in top and "@graph" not in top:
                self._note(self.errors, "@type is missing: nobody knows what this is")
        for thing in _things(data):
            for name in _names(thing.get("@type")):
                self.add_thing(name, thing)

    def add_thing(self, name: str, thing: dict[str, Any]) -> None:
        """Look at one thing of type `name` with these properties."""
        name = clean(name.rstrip("/").rpartition("/")[2].rpartition("#")[2])[:60]
        if name not in self.types:
            self._note(self.types, name)
        if not thing.keys() - {"@type", "@id", "@context"}:
            return  # it points to a thing that stands elsewhere
        needs, wants = _needs(name)
        for wanted, noted in ((needs, self.missing), (wants, self.advised)):
            for choice in wanted.split():
                if not any(_filled(thing.get(one)) for one in choice.split("|")):
                    self._note(noted, f"{name}: {choice.replace('|', ' or ')}")
        for key in _DATES:
            value = thing.get(key)
            if isinstance(value, str) and value and not _DATE.match(value.strip()):
                self._note(self.errors, f"{name}: {key} is no ISO 8601 date: {clean(value)[:40]}")

    def _note(self, noted: list[str], text: str) -> None:
        if text not in noted and len(noted) < _LISTED_MAX:
            noted.append(text)


def _needs(name: str) -> tuple[str, str]:
    return _EXCEPTIONS.get(name) or _TYPES.get(_PARENT.get(name, name), ("", ""))


def _names(value: Any) -> list[str]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def _filled(value: Any) -> bool:
    """Whether a property says something; 0 and false do."""
    return value is not None and value not in ("", [], {})


def _things(data: Any) -> Iterator[dict[str, Any]]:
    """Every object in the data, nested ones too, in order."""
    waiting, seen = [data], 0
    while waiting and seen < _THINGS_MAX:
        value = waiting.pop()
        if isinstance(value, dict):
            seen += 1
            yield value
            waiting.extend(reversed(value.values()))
        elif isinstance(value, list):
            waiting.extend(reversed(value))
