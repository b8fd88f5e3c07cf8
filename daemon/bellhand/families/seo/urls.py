"""Addresses as a crawl knows them: one spelling to ask for, one key for all spellings, one scope."""

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from urllib.parse import SplitResult, urljoin, urlsplit
from uuid import UUID

from w3lib.url import canonicalize_url

from bellhand.clients.domains import registrable

LENGTH_MAX = 8192
# Sites have paths of a few segments; where the same one comes so often a relative link goes in circles.
_REPEATS_MAX = 3
_CACHED_MAX = 20_000
_PORTS = {"http": 80, "https": 443}
_SPACE = " \x00\t\n\r\x0b\x0c"
# No address has them, and no table takes them all.
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_DROPPED = re.compile(r"[\t\n\r]")
_PATH_SESSION = re.compile(r";(?:jsessionid|sid|phpsessid)=[^/?#;]*", re.IGNORECASE)
# What campaigns and servers append for themselves: the page is the same without it.
_TRACKING = re.compile(
    r"(?:utm_\w+|gclid|gclsrc|dclid|gbraid|wbraid|fbclid|msclkid|yclid|twclid|igshid|mc_cid|mc_eid"
    r"|_ga|_gl|mkt_tok|phpsessid|jsessionid|aspsessionid\w*|cftoken)(?:=|$)",
    re.IGNORECASE,
)
# Short names that often mean something else: a session only where the value looks like one.
_SESSION = re.compile(r"(?:sid|sessionid|session_id|s)=[0-9a-f]{24,}$", re.IGNORECASE)
# Linked to like pages and known to be none.
_FILE = re.compile(
    r"\.(?:7z|aac|apk|avi|avif|bin|bmp|bz2|css|csv|deb|dmg|docx?|epub|exe|flac|gif|gz|ico|iso|jar"
    r"|jpe?g|js|json|m4[av]|mjs|mkv|mov|mp[34]|mpe?g|msi|odt|ods|ogg|ogv|otf|pdf|png|pptx?|ps|rar"
    r"|rpm|rtf|svgz?|swf|t[bgx]z|tar|tiff?|ttf|wav|webm|webp|wmv|woff2?|xlsx?|xz|zip|zst)\Z",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d+")
_DOTS = re.compile(r"(?:^|/)\.\.?(?:/|$)")


@dataclass(frozen=True, slots=True)
class Address:
    """An address to ask for, and the key that its spellings share.

    `pattern` is the same for addresses that differ in numbers and in values of their query; None
    for one that has neither. `circular` says that its path repeats itself, `is_file` that it ends
    like what is no page. `host` is without www, `port` None where it is the scheme's own.
    """

    url: str
    key: UUID
    host: str
    port: int | None
    pattern: UUID | None
    circular: bool
    is_file: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """What belongs to a site: its host, with and without www, at its port, over http and https.

    With `subdomains` every host of the domain that somebody registered, at any port.
    """

    host: str
    port: int | None
    subdomains: bool = False

    def holds(self, to: Address) -> bool:
        """Whether this address is one of the site's."""
        if self.subdomains:
            return to.host == self.host or _registrable(to.host) == self.host
        return to.host == self.host and to.port == self.port


def scope_of(url: str, *, subdomains: bool = False) -> Scope:
    """The scope of a crawl that starts here."""
    parts = urlsplit(url)
    host = _bare(parts)
    return Scope(_registrable(host) if subdomains else host, _odd_port(parts), subdomains)


def same_owner(one: str, other: str) -> bool:
    """Whether both addresses are of one registered domain, so that one may stand in for the other."""
    return _registrable(urlsplit(one).hostname or "") == _registrable(
        urlsplit(other).hostname or ""
    )


def site_url(text: str) -> str:
    """What people write as a site's address, acme.com, as one to ask for: http://acme.com/.

    Raises ValueError with what is wrong with it.
    """
    cleaned = text.strip(_SPACE)
    if not re.match(r"[a-z][a-z0-9+.-]*:(?!\d)", cleaned, re.IGNORECASE):
        cleaned = "http://" + cleaned.removeprefix("//")
    found = resolve(cleaned, cleaned)
    if found is None:
        raise ValueError(f"{text[:200]!r} is no address of a website: write https://example.com/")
    return found[0].url


def resolve(base: str, href: str) -> tuple[Address, str] | None:
    """A link of a page as an address and its fragment; None for what is not fetched over http(s)."""
    text = _DROPPED.sub("", href.strip(_SPACE))
    if len(text) > LENGTH_MAX:
        return None
    plain, _, fragment = text.partition("#")
    if not plain or plain[0] == "?":
        found = _joined(base, plain)
    else:  # the pages of a folder share most of their links
        found = _joined(base.partition("?")[0].rpartition("/")[0] + "/", plain)
    return (found, fragment) if found is not None else None


@lru_cache(_CACHED_MAX)
def _joined(base: str, href: str) -> Address | None:
    try:
        whole = urljoin(base, href)
    except ValueError:
        return None
    if not whole[:8].lower().startswith(("http://", "https://")):
        return None
    return address(whole.partition("#")[0])


@lru_cache(_CACHED_MAX)
def address(url: str) -> Address | None:
    """The address without fragment, default port, tracking and session; None if it cannot be read."""
    parts = None if _UNWRITABLE.search(url) else _parts(url)
    if parts is None or not parts.hostname or parts.scheme not in _PORTS:
        return None
    host = parts.hostname.rstrip(".")
    if not host:
        return None
    if ":" in host:
        host = f"[{host}]"
    port = _odd_port(parts)
    path = _without_dots(_PATH_SESSION.sub("", parts.path)) or "/"
    kept = [one for one in parts.query.split("&") if one and not _is_noise(one)]
    query = "?" + "&".join(kept) if kept else ""
    cleaned = f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{path}{query}"
    if len(cleaned) > LENGTH_MAX:
        return None
    try:
        spelled = canonicalize_url(cleaned)
    except (ValueError, UnicodeError):
        return None
    segments = [segment for segment in path.split("/") if segment]
    repeats = max((segments.count(one) for one in set(segments)), default=0)
    return Address(
        cleaned, _hash(spelled), _bare(parts), port, _pattern(host, path, kept),
        circular=repeats > _REPEATS_MAX, is_file=_FILE.search(path) is not None,
    )  # fmt: skip


def _pattern(host: str, path: str, query: list[str]) -> UUID | None:
    if not query and not _DIGITS.search(path):
        return None
    names = sorted({one.partition("=")[0] for one in query})
    return _hash(f"{host}{_DIGITS.sub('#', path)}?{'&'.join(names)}")


def _is_noise(parameter: str) -> bool:
    return bool(_TRACKING.match(parameter) or _SESSION.match(parameter))


def _without_dots(path: str) -> str:
    """The path with its . and .. taken literally, as every client does before it asks."""
    if not _DOTS.search(path):
        return path
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            if len(kept) > 1:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept)


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (it is read here for the error that a strange one raises)
    except ValueError:
        return None
    return parts


def _odd_port(parts: SplitResult) -> int | None:
    return None if parts.port in (None, _PORTS.get(parts.scheme)) else parts.port


def _bare(parts: SplitResult) -> str:
    return (parts.hostname or "").rstrip(".").removeprefix("www.")


@lru_cache(1000)
def _registrable(host: str) -> str:
    return registrable(host)


def _hash(text: str) -> UUID:
    return UUID(bytes=blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest())
