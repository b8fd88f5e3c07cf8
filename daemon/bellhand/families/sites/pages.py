"""Which address is a business's site, and which of its pages are worth a visit."""

import re
from urllib.parse import unquote, urljoin, urlsplit

from w3lib.url import canonicalize_url

from bellhand.clients.domains import registrable

from .markup import Markup
from .words import FILE_ENDINGS, words

_CONTACT = words("""
    ansprechpartner anfahrt contact contact-us contactanos contactar contacter contactez-nous
    contactform contacto contacts contactus contatti contattaci contato enquiries find-us
    get-in-touch kapcsolat kontakt kontakt-os kontakta-oss kontaktformular kontakty ota-yhteytta
    reach-us talk-to-us visit-us yhteystiedot
""")
_IMPRINT = words("""
    anbieterkennzeichnung aviso-legal colofon datenschutz dsgvo impressum imprint legal legal-notice
    legal-notices mentions-legales note-legali privacy privacy-policy
""")
_ABOUT = words("""
    a-propos about about-us aboutus chi-siamo company impressionen leadership management o-nas
    om-oss our-company our-people our-team over-ons people qui-sommes-nous quem-somos quienes-somos
    sobre-nosotros staff team ueber-uns uber-uns unternehmen who-we-are wir wir-ueber-uns
""")
_CLASSES = (_CONTACT, _ABOUT, _IMPRINT)
_ENDING = re.compile(r"\.(\w{2,5})\Z")
_GAP = re.compile(r"[\W_]+")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:(?!\d)", re.IGNORECASE)


def website_url(text: str) -> str:
    """What people write into a website field as an address: acme.com means http://acme.com."""
    cleaned = text.strip().strip("<>\"'")
    if cleaned.startswith("//"):
        return "http:" + cleaned
    return cleaned if _SCHEME.match(cleaned) else "http://" + cleaned


def worth_visiting(page: Markup, url: str, pages_max: int) -> list[str]:
    """Pages of the same site that may tell how to reach it, best first.

    Frames and refreshes of the page come first, then contact, about and imprint pages.
    """
    base = urljoin(url, page.base) if page.base else url
    candidates: dict[str, tuple[int, int, str]] = {}
    for href in page.onward:
        _offer(candidates, base, url, href, rank=0)
    for link in page.links:
        rank = _rank(link.href, link.text)
        if rank:
            _offer(candidates, base, url, link.href, rank=rank)
    candidates.pop(_key(url), None)
    return [address for _, _, address in sorted(candidates.values())[:pages_max]]


def _offer(
    candidates: dict[str, tuple[int, int, str]], base: str, url: str, href: str, *, rank: int
) -> None:
    try:
        address = urljoin(base, href).partition("#")[0]
        parts, home = urlsplit(address), urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return
        if registrable(parts.hostname) != registrable(home.hostname or ""):
            return
        key = _key(address)
    except ValueError:
        return
    candidates[key] = min((rank, len(parts.path), address), candidates.get(key, (9, 0, "")))


def _rank(href: str, text: str) -> int:
    """1 for contact, 2 for about, 3 for imprint; 0 for a page of another sort."""
    path = unquote(href.partition("#")[0].partition("?")[0])
    ending = _ENDING.search(path)
    if ending:
        if ending.group(1).lower() in _FILES_THAT_ARE_NO_PAGES:
            return 0
        path = path[: ending.start()]
    names = {_slug(text)} | {_slug(segment) for segment in path.split("/")[-3:]}
    for rank, known in enumerate(_CLASSES, start=1):
        if names & known:
            return rank
    opening = {name.partition("-")[0] for name in names if name.count("-") <= 2}
    for rank, known in enumerate(_CLASSES, start=1):
        if opening & known:
            return rank
    return 0


_FILES_THAT_ARE_NO_PAGES = FILE_ENDINGS - words("asp aspx htm html php")


def _slug(text: str) -> str:
    lowered = text[:60].lower()
    for letter, plain in ("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("é", "e"), ("à", "a"), ("ñ", "n"):
        lowered = lowered.replace(letter, plain)
    return _GAP.sub("-", lowered).strip("-")


def _key(address: str) -> str:
    """One key for spellings of one page."""
    parts = urlsplit(canonicalize_url(address))
    host = (parts.hostname or "").removeprefix("www.")
    return f"{host}:{parts.port or ''}{parts.path.rstrip('/')}?{parts.query}"
