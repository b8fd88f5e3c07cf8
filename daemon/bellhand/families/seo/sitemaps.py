"""What a sitemap lists: XML, an index of others, a feed or plain text, packed or not."""

import zlib
from dataclasses import dataclass, field

from lxml import etree

from bellhand.clients.body import Unpacker

# The limits of sitemaps.org for one file.
BYTES_MAX = 52_428_800
URLS_MAX = 50_000
# Sitemaps repeat themselves a lot and still unpack to less than so many times their weight.
_RATIO_MAX = 300
_URL_CHARS_MAX = 8192
_DEPTH_MAX = 50
_GZIP = b"\x1f\x8b"
_PIECE_BYTES = 65_536
# Where an address stands: element and what it is directly inside of.
_PAGE = {("loc", "url"), ("link", "item")}
_SITEMAP = {("loc", "sitemap")}


@dataclass(slots=True)
class Sitemap:
    """The addresses of one file, as written: of `pages` and of other `sitemaps`.

    `error` says why there may be more of them; what was read before it counts.
    """

    pages: list[str] = field(default_factory=list)
    sitemaps: list[str] = field(default_factory=list)
    error: str | None = None


def read_sitemap(body: bytes, *, bytes_max: int = BYTES_MAX) -> Sitemap:
    """Read a sitemap whatever it is; never raises, never keeps more than its limits allow."""
    found = Sitemap()
    try:
        text = _unpacked(body, bytes_max, found)
    except (ValueError, zlib.error) as error:
        found.error = f"it cannot be unpacked: {error}"
        return found
    start = text[:1000].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<") or start.startswith((b"\xff\xfe", b"\xfe\xff")):
        _read_xml(text, found)
    else:
        _read_lines(text, found)
    if not found.pages and not found.sitemaps and found.error is None:
        found.error = "it lists no address"
    return found


def _unpacked(body: bytes, bytes_max: int, found: Sitemap) -> bytes:
    if not body.startswith(_GZIP):
        if len(body) > bytes_max:
            found.error = f"only its first {bytes_max} bytes were read"
        return body[:bytes_max]
    unpacker, whole = Unpacker("gzip", ratio_max=_RATIO_MAX), bytearray()
    for start in range(0, len(body), _PIECE_BYTES):
        for piece in unpacker.feed(body[start : start + _PIECE_BYTES]):
            whole += piece
            if len(whole) > bytes_max:
                found.error = f"only its first {bytes_max} bytes were read"
                return bytes(whole[:bytes_max])
    return bytes(whole)


def _read_lines(text: bytes, found: Sitemap) -> None:
    for line in text.decode("utf-8-sig", "replace").splitlines():
        one = line.strip()
        if one[:8].lower().startswith(("http://", "https://")):
            _keep(found, found.pages, one)
        elif one and found.error is None:
            found.error = f"a line of it is no address: {one[:80]!r}"


def _read_xml(text: bytes, found: Sitemap) -> None:
    # A target keeps no tree; entities of the file's own stay unread, and nothing else is opened.
    parser = etree.XMLParser(
        target=_Collector(found), resolve_entities=False, no_network=True, huge_tree=False
    )
    try:
        parser.feed(text)
        parser.close()
    except etree.XMLSyntaxError as error:
        found.error = f"it is broken XML: {str(error)[:200]}"
    except _NoSitemap as error:
        found.error = str(error)


class _NoSitemap(Exception):
    """Its elements say that it is something else."""


class _Collector:
    """Hears an XML file element by element and keeps the addresses."""

    def __init__(self, found: Sitemap) -> None:
        self._found = found
        self._open: list[str] = []
        self._text: list[str] | None = None
        self._chars = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition("}")[2].lower()
        if not self._open and name not in ("urlset", "sitemapindex", "rss", "feed"):
            raise _NoSitemap(f"it is no sitemap: it begins with <{name[:40]}>")
        if len(self._open) > _DEPTH_MAX:
            raise _NoSitemap(f"it is no sitemap: its elements nest more than {_DEPTH_MAX} deep")
        parent = self._open[-1] if self._open else ""
        self._open.append(name)
        if (name, parent) in _PAGE | _SITEMAP:
            self._text, self._chars = [], 0
        elif (name, parent) == ("link", "entry") and attributes.get(
            "rel", "alternate"
        ) == "alternate":
            _keep(self._found, self._found.pages, attributes.get("href", "").strip())

    def data(self, text: str) -> None:
        if self._text is not None and self._chars <= _URL_CHARS_MAX:
            self._text.append(text)
            self._chars += len(text)

    def end(self, _tag: str) -> None:
        name = self._open.pop()
        place = (name, self._open[-1] if self._open else "")
        if self._text is None or place not in _PAGE | _SITEMAP:
            return
        one, self._text = "".join(self._text).strip(), None
        _keep(self._found, self._found.pages if place in _PAGE else self._found.sitemaps, one)

    def close(self) -> None:
        """Called by the parser; there is nothing left to do."""


def _keep(found: Sitemap, where: list[str], one: str) -> None:
    if not one or len(one) > _URL_CHARS_MAX:
        return
    if len(where) >= URLS_MAX:
        found.error = f"it lists more than {URLS_MAX} addresses: the rest was left out"
        return
    where.append(one)
