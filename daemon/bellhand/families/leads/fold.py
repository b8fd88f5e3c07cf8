"""Names and addresses in the one spelling they are compared in; what people see stays as it was."""

import re
import unicodedata
from functools import lru_cache

from .words import COMMON, LEGAL

_APART = re.compile(r"[^\w]+|_+")
_APOSTROPHES = re.compile("['`\u00b4\u2018\u2019\u02bc\u2032]")
_INITIALS = re.compile(r"\b(?:\w\.){2,}")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)\b")
# Letters that Unicode does not take apart.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "\u0131": "i"}
)


_STREET = {
    "aly": "alley", "av": "avenue", "ave": "avenue", "avda": "avenida", "blvd": "boulevard", "bldg": "building",
    "cir": "circle", "ct": "court", "ctr": "center", "centre": "center", "dr": "drive", "expy": "expressway",
    "fl": "floor", "ft": "fort", "fwy": "freeway", "hwy": "highway", "jr": "junior", "ln": "lane", "mt": "mount",
    "pkwy": "parkway", "pky": "parkway", "pl": "place", "plz": "plaza", "rd": "road", "rte": "route", "sq": "square",
    "sta": "station", "ste": "suite", "st": "street", "str": "strasse", "ter": "terrace", "tpke": "turnpike",
    "n": "north", "s": "south", "e": "east", "w": "west", "ne": "northeast", "nw": "northwest",
    "se": "southeast", "sw": "southwest",
    "first": "1", "second": "2", "third": "3", "fourth": "4", "fifth": "5", "sixth": "6", "seventh": "7",
    "eighth": "8", "ninth": "9", "tenth": "10", "eleventh": "11", "twelfth": "12",
}  # fmt: skip


@lru_cache(maxsize=20_000)
def fold(text: str) -> str:
    """Lower case, no accents, no punctuation, single spaces; `&` and `+` read "and"."""
    text = unicodedata.normalize("NFKD", text).casefold().translate(_LETTERS)
    text = "".join(c for c in text if not unicodedata.combining(c))
    text = _INITIALS.sub(lambda found: found.group().replace(".", ""), text)
    text = _APOSTROPHES.sub("", text).replace("&", " and ").replace("+", " and ")
    return " ".join(_APART.sub(" ", text).split())


@lru_cache(maxsize=20_000)
def fold_name(name: str) -> str:
    """A business name, folded, without the legal form at its end ("Acme Pvt. Ltd." is "acme")."""
    words = fold(name).split()
    while len(words) > 1 and words[-1] in LEGAL:
        words.pop()
    return " ".join(words)


@lru_cache(maxsize=20_000)
def fold_address(address: str) -> str:
    """An address, folded, its street words and ordinals written out ("3rd Ave." is "3 avenue")."""
    words = _ORDINAL.sub(r"\1", fold(address)).split()
    return " ".join(_STREET.get(word, word) for word in words)


def telling(folded: str) -> list[str]:
    """The words of a folded name that tell it from others; all of them if none does."""
    words = folded.split()
    return [word for word in words if word not in COMMON] or words
