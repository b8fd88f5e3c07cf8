"""In which country a site's phone numbers are meant to be dialled."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from phonenumbers import SUPPORTED_REGIONS

from .markup import Markup
from .words import words

REGIONS_MAX = 4
# Most sites that give no hint are written in English for one of these.
_LIKELY = ("US", "GB")
# Country domains that are sold as something else.
_SOLD = words("ac ag ai am as bz cc cd co cx dj fm gg gl gs im in io is la li ly me ms mu nu pw re"
              " sc sh so st su tc tk to tv vc vg ws")  # fmt: skip
# Languages that are spoken mostly in one country, as sites go.
_HOME = {
    "bg": "BG", "cs": "CZ", "da": "DK", "de": "DE", "el": "GR", "et": "EE", "fi": "FI", "fr": "FR",
    "ga": "IE", "he": "IL", "hr": "HR", "hu": "HU", "is": "IS", "it": "IT", "ja": "JP", "ko": "KR",
    "lt": "LT", "lv": "LV", "nb": "NO", "nl": "NL", "no": "NO", "pl": "PL", "ro": "RO", "ru": "RU",
    "sk": "SK", "sl": "SI", "sv": "SE", "tr": "TR", "uk": "UA",
}  # fmt: skip
_NAMES = {
    "argentina": "AR", "australia": "AU", "austria": "AT", "österreich": "AT", "azerbaijan": "AZ",
    "belarus": "BY", "belgium": "BE", "belgique": "BE", "brasil": "BR", "brazil": "BR",
    "canada": "CA", "chile": "CL", "china": "CN", "colombia": "CO", "czech republic": "CZ",
    "danmark": "DK", "denmark": "DK", "deutschland": "DE", "england": "GB", "españa": "ES",
    "finland": "FI", "suomi": "FI", "france": "FR", "germany": "DE", "greece": "GR",
    "hong kong": "HK", "hungary": "HU", "india": "IN", "ireland": "IE", "israel": "IL",
    "italia": "IT", "italy": "IT", "japan": "JP", "luxembourg": "LU", "malaysia": "MY",
    "mexico": "MX", "méxico": "MX", "nederland": "NL", "netherlands": "NL", "new zealand": "NZ",
    "norge": "NO", "norway": "NO", "pakistan": "PK", "philippines": "PH", "poland": "PL",
    "polska": "PL", "portugal": "PT", "romania": "RO", "russia": "RU", "россия": "RU",
    "schweiz": "CH", "scotland": "GB", "singapore": "SG", "south africa": "ZA", "spain": "ES",
    "sverige": "SE", "sweden": "SE", "switzerland": "CH", "thailand": "TH", "turkey": "TR",
    "türkiye": "TR", "u.s.a": "US", "uae": "AE", "ukraine": "UA", "united arab emirates": "AE",
    "united kingdom": "GB", "united states": "US", "usa": "US", "wales": "GB",
}  # fmt: skip
_NAME = re.compile(
    r"(?<![\w.-])(?:" + "|".join(map(re.escape, sorted(_NAMES, key=len, reverse=True))) + r")(?!\w)"
)
_WHOLE_NAMES = _NAMES | {"uk": "GB", "us": "US", "america": "US", "eire": "IE"}


def regions(page: Markup, url: str, country: str | None) -> list[str]:
    """Regions (ISO 3166) to read national numbers in, the most trusted first.

    What is known of the business counts most, then what the address, the page's data and its
    language say, then countries that the page names.
    """
    known = [region for region in _known(page, url, country) if region in SUPPORTED_REGIONS]
    spoken = _spoken(page.language)
    named = [_NAMES[match.group()] for match in _NAME.finditer(page.text.lower())]
    often = sorted(set(named), key=lambda region: (-named.count(region), region))
    hints = [*known, *([spoken] if spoken in SUPPORTED_REGIONS else []), *often][:REGIONS_MAX]
    # Languages are often left as the site's builder set them, and countries named by the way.
    return list(dict.fromkeys([*hints, *(() if known else _LIKELY)]))


def _known(page: Markup, url: str, country: str | None) -> Iterator[str]:
    if country:
        yield country.upper()
    ending = (urlsplit(url).hostname or "").rpartition(".")[2]
    if ending not in _SOLD:
        yield {"uk": "GB"}.get(ending, ending.upper())
    for thing in page.data:
        place = thing.get("addressCountry")
        name = place.get("name") if isinstance(place, dict) else place
        if isinstance(name, str):
            yield _WHOLE_NAMES.get(name.strip().lower(), name.strip().upper())


def _spoken(tag: str) -> str:
    """The country of a language tag; en-US is what builders write into sites of all countries."""
    language, _, rest = tag.replace("_", "-").partition("-")
    if (language.lower(), rest.upper()) == ("en", "US"):
        return ""
    return rest.rpartition("-")[2].upper() or _HOME.get(language.lower(), "")
