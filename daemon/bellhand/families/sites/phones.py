"""Phone and fax numbers of a page, each as one international number."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from urllib.parse import unquote

from phonenumbers import (
    Leniency,
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberMatcher,
    format_number,
    is_valid_number,
    parse,
)

from .emails import plain
from .markup import Markup

NUMBERS_MAX = 200
# Each candidate costs a tenth of a millisecond or more, and a page may be made of them.
_TEXT_CHARS_MAX = 200_000
_CANDIDATES_MAX = 500
_TRIES_MAX = 1000

_SCHEMES = ("tel:", "callto:", "fax:")
_FAX = re.compile(
    r"(?<![a-zé])(?:e-?|tele?)?(?:fax|faks|facsimile|télécopie|факс)(?:es|nummer)?(?![a-z])", re.I
)
_CALL = re.compile(
    r"(?<![a-z])(?:telephones?|telefone?|telefono|teléfono|téléphone|phones?|fon|call|mobile?|mob|cell"
    r"|ph|tel|tlf|handy)(?![a-z])|телефон|☎",
    re.I,
)
# A letter alone where a label would stand: "P 770.232.7375 | F 770.814.2740".
_FAX_LETTER = re.compile(r"(?:\A|[\n|,;/(•·])\s*\(?f[.:)]*\s*\Z", re.I)
_BOTH = re.compile(r"\W*\w+\W{0,3}(?:and|und|y|et|e|och|og)?\W{0,3}\w+\W*")
# A label behind a number, unless it belongs to the next one.
_BEHIND = re.compile(r"[^\w\n+]{0,3}(?P<label>\w+)\b(?![^\w\n]{0,4}\d)")
_AROUND_CHARS = 40
_TRUNK_ZERO = re.compile(r"(\+?\d{1,3}[\s.-]*)\(\s*0\s*\)")
# 1-800-FLOWERS: letters are read as on a keypad, only where the number says it is free of charge
# and only as many as it takes.
_VANITY = re.compile(
    r"(?<![\w-])1?[\s.-]?\(?8(?:00|33|44|55|66|77|88)\)?[\s.-]([A-Z0-9-]{7,9})(?![\w-])"
)
# Text that stands close to a number only because markup between them is gone: 555-0100Directions.
_GLUED = re.compile(r"(?<=[\d)][ .-]\d{4})(?=[A-Z]?[a-z]{3})")
_SPLIT_GROUP = re.compile(r"(?<=\d)([-.]) (?=\d{3,4}\b)")


@dataclass(frozen=True, slots=True)
class Phone:
    """A number in E.164, as +14137328702; `how` is link, text or data, `shown` as the page has it.

    `fax` says that only a fax answers there.
    """

    number: str
    fax: bool
    extension: str
    how: str
    shown: str


# A number where it stands, and what its label there says: fax, phone, or nothing.
Seen = tuple[Phone, bool | None]


def find_phones(page: Markup, regions: list[str]) -> list[Phone]:
    """Every distinct number of a page; `regions` say how to read those without a country code."""
    found: dict[str, Phone] = {}
    labels: dict[str, set[bool | None]] = {}
    seen = (*_in_links(page, regions), *_in_text(page, regions), *_in_data(page, regions))
    for phone, fax in seen:
        found.setdefault(phone.number, phone)
        labels.setdefault(phone.number, set()).add(fax)
    # Where it stands without a label says nothing; where it says to call it, somebody answers.
    return [
        replace(phone, fax=True in labels[number] and False not in labels[number])
        for number, phone in list(found.items())[:NUMBERS_MAX]
    ]


def _in_links(page: Markup, regions: list[str]) -> Iterator[Seen]:
    for link in page.links:
        scheme = next((s for s in _SCHEMES if link.href[: len(s)].lower() == s), None)
        if scheme is None:
            continue
        target = unquote(link.href[len(scheme) :]).split("?")[0].lstrip("/ ")
        number = _read(target, regions)
        if number is not None:
            fax = True if scheme == "fax:" else _label(link.text)
            yield _phone(number, "link", link.text or target), fax


def _in_data(page: Markup, regions: list[str]) -> Iterator[Seen]:
    for thing in page.data:
        for key in ("telephone", "faxNumber"):
            value = thing.get(key)
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, str) and (number := _read(one, regions)):
                    yield _phone(number, "data", one), key == "faxNumber"


def _in_text(page: Markup, regions: list[str]) -> Iterator[Seen]:
    """Numbers in what a visitor reads; where two regions could read one, the first does."""
    text = _readable(plain(page.text[:_TEXT_CHARS_MAX]))
    taken: dict[int, int] = {}
    matches = []
    for region in regions or ["ZZ"]:
        matcher = PhoneNumberMatcher(text, region, Leniency.VALID, _TRIES_MAX)
        for match in islice(matcher, _CANDIDATES_MAX):
            if not any(start < match.end and match.start < end for start, end in taken.items()):
                taken[match.start] = match.end
                matches.append(match)
    matches.sort(key=lambda match: match.start)
    end_before = 0
    for match in matches:
        fax = _is_fax(text, end_before, match.start, match.end)
        end_before = match.end
        yield _phone(match.number, "text", match.raw_string), fax
    if "US" in regions or "CA" in regions:
        for vanity in islice(_VANITY.finditer(text), _CANDIDATES_MAX):
            if re.search(r"[A-Z]{3}", vanity.group(1)) and (
                number := _read(vanity.group(), ["US"])
            ):
                yield _phone(number, "text", vanity.group()), False


def _readable(text: str) -> str:
    """The text with what hides a number undone: +44 (0) 20, 888-823- 2633, 555-0100Directions."""
    return _GLUED.sub(" ", _SPLIT_GROUP.sub(r"\1", _TRUNK_ZERO.sub(r"\1", text)))


def _is_fax(text: str, end_before: int, start: int, end: int) -> bool | None:
    """Whether the words around say fax, or phone; None where they say neither."""
    behind = _BEHIND.match(text, end, end + _AROUND_CHARS)
    if behind is not None and (said := _label(behind["label"])) is not None:
        return said
    before = text[max(end_before, start - _AROUND_CHARS) : start]
    if _FAX_LETTER.search(before):
        return True
    *above, line = before.split("\n")
    if re.search(r"\w", line):
        return _label(line)
    # The label may be a cell of its own, which is a line above; what is left of an earlier line
    # belongs to what stood there.
    return _label(above[-1]) if len(above) > 1 else None


def _label(text: str) -> bool | None:
    """True where the last label is fax alone, False where it is phone or both, None for neither."""
    labels = sorted(
        [(m.start(), True) for m in _FAX.finditer(text)]
        + [(m.start(), False) for m in _CALL.finditer(text)]
    )[-2:]
    if not labels:
        return None
    both = (
        len(labels) > 1 and labels[0][1] != labels[1][1] and _BOTH.fullmatch(text[labels[0][0] :])
    )
    return False if both else labels[-1][1]


def _read(text: str, regions: list[str]) -> PhoneNumber | None:
    """The number a text stands for, if a region has such numbers."""
    text = _readable(plain(text))[:60]
    for region in regions or ["ZZ"]:
        try:
            number = parse(text, region)
        except NumberParseException:
            continue
        if is_valid_number(number):
            return number
    return None


def _phone(number: PhoneNumber, how: str, shown: str) -> Phone:
    written = format_number(number, PhoneNumberFormat.E164)
    return Phone(written, False, number.extension or "", how, " ".join(shown.split())[:80])
