"""An item of a catalogue, and what comparing needs of it: words, codes, sizes, colours, a price."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

TEXT_CHARS_MAX = 2_000  # of one field; what comes behind adds nothing to a comparison
CODE_CHARS_MIN = 3

# Every way a unit is written, and its one name here.
_UNITS = {
    "gb": "gb gig gigabyte gigabytes", "mb": "mb megabyte megabytes", "tb": "tb terabyte terabytes",
    "in": "in inch inches ''", "ft": "ft foot feet", "mm": "mm", "cm": "cm", "m": "meter meters metre metres",
    "w": "w watt watts", "v": "v volt volts", "hz": "hz", "mhz": "mhz", "ghz": "ghz", "mp": "mp megapixel megapixels",
    "oz": "oz ounce ounces", "lb": "lb lbs pound pounds", "kg": "kg", "g": "gram grams", "l": "liter liters litre litres",
    "ml": "ml", "cuft": "cuft", "btu": "btu btus", "mah": "mah", "pk": "pk pack packs pks", "x": "x",
    "ch": "channel channels", "rpm": "rpm", "sheet": "sheet sheets", "port": "port ports", "dpi": "dpi",
}  # fmt: skip
_UNIT_OF = {way: unit for unit, ways in _UNITS.items() for way in ways.split()}
_WAYS = "|".join(sorted(map(re.escape, _UNIT_OF), key=len, reverse=True))
_SIZE = re.compile(rf"(?<![a-z0-9.])(\d+(?:\.\d+)?)[\s-]*({_WAYS})(?![a-z0-9])")
_QUOTE = re.compile(r"(?<=\d)\s*(?:\"|''|”|″|'(?=\s|$))")
_CUBIC = re.compile(r"\bcu(?:bic)?\s*\.?\s*(?:ft\b\.?|feet\b|foot\b)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_WORD = re.compile(r"\d+\.\d+[a-z]*|[a-z0-9]+")
_CODE = re.compile(r"[a-z0-9]+(?:[-/.+#][a-z0-9]+)*")
_NOT_CODE = re.compile(r"[^a-z0-9]+")
_PRICE = re.compile(r"\d+(?:\.\d+)?")
_COLOURS = (
    "black white silver red blue green pink purple gray grey orange yellow brown gold beige bronze titanium charcoal"
    " champagne copper burgundy navy teal ivory cream maroon violet stainless bisque"
)
COLOURS = frozenset(_COLOURS.split())


@dataclass(frozen=True)
class Item:
    """One item as its owner describes it; only the title has to be there."""

    title: str
    sku: str = ""
    brand: str = ""
    price: float | None = None
    description: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def title_text(self) -> str:
        """The title with its brand before it, plain."""
        title, brand = plain(self.title), plain(self.brand)
        return title if not brand or brand in title else f"{brand} {title}"

    @cached_property
    def whole_text(self) -> str:
        """Everything it says about itself, plain."""
        more = (plain(part) for part in (self.sku, self.description, *self.attributes.values()))
        return " ".join([self.title_text, *(part for part in more if part)])

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of the title, in order."""
        return tuple(_WORD.findall(self.title_text))

    @cached_property
    def whole_words(self) -> frozenset[str]:
        """The words of everything."""
        return frozenset(_WORD.findall(self.whole_text))

    @cached_property
    def sizes(self) -> dict[str, frozenset[str]]:
        """Numbers with a unit, by unit: {"gb": {"16"}}."""
        return sizes_of(self.title_text)

    @cached_property
    def whole_sizes(self) -> dict[str, frozenset[str]]:
        """The same of everything it says."""
        return sizes_of(self.whole_text)

    @cached_property
    def numbers(self) -> frozenset[str]:
        """The numbers of the title that stand alone or before a unit."""
        return frozenset(word for word in self.words if word[0].isdigit() and not _mixed(word))

    @cached_property
    def codes(self) -> frozenset[str]:
        """What looks like a model number in sku and title, without its punctuation."""
        return codes_of(self.title_text) | self.sku_codes

    @cached_property
    def sku_codes(self) -> frozenset[str]:
        """The identifier, and its halves where a slash or a space parts it."""
        parts = re.split(r"[/,;\s]+", plain(self.sku)) if self.sku else []
        found = {compact(part) for part in parts} | ({compact(self.sku)} if self.sku else set())
        return frozenset(code for code in found if len(code) >= CODE_CHARS_MIN)

    @cached_property
    def whole_codes(self) -> frozenset[str]:
        """The same of everything it says."""
        return codes_of(self.whole_text) | self.codes

    @cached_property
    def joined(self) -> str:
        """Everything without spaces and punctuation, to look codes up in."""
        return compact(self.whole_text)

    @cached_property
    def colours(self) -> frozenset[str]:
        """Colours of title and description."""
        found = COLOURS & self.whole_words
        return frozenset("gray" if colour == "grey" else colour for colour in found)

    @cached_property
    def maker(self) -> str:
        """The brand, or where none is given the first word of the title, which it mostly is."""
        given = compact(self.brand)
        return given or (self.words[0] if self.words else "")


def plain(text: str) -> str:
    """Lower case without accents, one space between words, units joined to their numbers: "16gb"."""
    text = unicodedata.normalize("NFKD", text[:TEXT_CHARS_MAX]).casefold()
    text = "".join(char for char in text if not unicodedata.combining(char))
    text = _THOUSANDS.sub("", text)
    text = _CUBIC.sub("cuft", text)
    text = _QUOTE.sub("in", text)
    text = _SIZE.sub(lambda m: f"{_number(m[1])}{_UNIT_OF[m[2]]}", text)
    return " ".join(text.split())


def compact(text: str) -> str:
    """Letters and digits only, in lower case: how identifiers are compared."""
    return _NOT_CODE.sub("", plain(text))


def codes_of(text: str) -> frozenset[str]:
    """Model numbers in plain text: letters with digits, or four digits and more, but no sizes."""
    found = set()
    for raw in _CODE.findall(text):
        for part in {raw, *(raw.split("/") if "/" in raw else ())}:
            code = _NOT_CODE.sub("", part)
            if len(code) < CODE_CHARS_MIN or _SIZE.fullmatch(part):
                continue
            digits = sum(char.isdigit() for char in code)
            if digits and (digits < len(code) or digits >= 4):
                found.add(code)
    return frozenset(found)


def sizes_of(text: str) -> dict[str, frozenset[str]]:
    """Numbers with a unit in plain text, by unit."""
    found: dict[str, set[str]] = {}
    for number, way in _SIZE.findall(text):
        found.setdefault(_UNIT_OF[way], set()).add(_number(number))
    return {unit: frozenset(numbers) for unit, numbers in found.items()}


def price_of(text: str | None) -> float | None:
    """A price as people write it ("$1,299.00"), or None; nothing costs 0."""
    found = _PRICE.search(_THOUSANDS.sub("", text or ""))
    return (float(found[0]) or None) if found else None


def _number(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _mixed(word: str) -> bool:
    return not word.replace(".", "").isdigit() and _SIZE.fullmatch(word) is None


def item_from(row: Mapping[str, Any]) -> Item:
    """An item from a row of bellhand_matching.items."""
    attributes = row.get("attributes") or {}
    return Item(
        title=row["title"],
        sku=row.get("sku") or "",
        brand=row.get("brand") or "",
        price=row.get("price") or None,
        description=row.get("description") or "",
        attributes={name: str(value) for name, value in attributes.items() if value is not None},
    )


def words_of(text: str) -> frozenset[str]:
    """The words of plain text."""
    return frozenset(_WORD.findall(text))
