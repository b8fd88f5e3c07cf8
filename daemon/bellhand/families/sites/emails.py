"""E-mail addresses of a page, also those written to be seen by people only."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from urllib.parse import parse_qsl, unquote

from email_validator import EmailNotValidError, validate_email

from bellhand.clients.domains import domain_parts

from .markup import Link, Markup
from .words import (
    FILE_ENDINGS,
    NO_NAMES,
    PLACEHOLDER_DOMAINS,
    PLACEHOLDER_HOSTS,
    PLACEHOLDER_NAMES,
    PLACEHOLDER_SUFFIXES,
    ROLES,
    VAGUE_DOMAINS,
    VAGUE_NAMES,
)

ADDRESSES_MAX = 500
_DISGUISES_MAX = 5000

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_SPACES = re.compile(r"[^\S\n]+")
_KEY = re.compile(r"[0-9a-f]{24,}")
_LOCAL_END = re.compile(r"[A-Za-z0-9_.+'-]{1,64}\Z")
_DOMAIN_START = re.compile(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:xn--[a-zA-Z0-9-]{1,59}|[^\W\d_]{2,63})"
)
_GLUED = re.compile(r"([a-z]{2,})[^\x00-@[-\x7f]")

# What stands for @ and for a dot when people write around robots. Bare words count only where
# the dots are words too: "look at acme.com" is an address of another sort.
_AT = re.compile(r" ?(?:[\[({<] ?(?:at|ät|arroba|chiocciola|@) ?[\])}>]|_at_) ?", re.IGNORECASE)
_DOT = re.compile(r" ?(?:[\[({<] ?(?:dot|punkt|punto|ponto|\.) ?[\])}>]|_dot_) ?", re.IGNORECASE)
_WORDED = re.compile(
    r"(?<![\w.+-])([a-z0-9][\w.+-]{0,63}) (?:at|ät|arroba) "
    r"((?:[a-z0-9-]{1,63} (?:dot|punkt|punto|ponto) ){1,4}[a-z]{2,24})(?![\w-])",
    re.IGNORECASE,
)
_WORDED_DOT = re.compile(r" (?:dot|punkt|punto|ponto) ", re.IGNORECASE)
_SPACED = re.compile(
    r"(?:(mail ?:?)|^|[:>|,;(]) ?([a-z0-9][\w.+-]{0,63}) ?@ ?"
    r"((?:[a-z0-9-]{1,63} ?\. ?){1,4}[a-z]{2,24})(?![\w-])",
    re.IGNORECASE | re.MULTILINE,
)
_SHIELD = re.compile(r"/cdn-cgi/l/email-protection#([0-9a-fA-F]+)")


@dataclass(frozen=True, slots=True)
class Email:
    """An address in lower case; `how` is link, text, disguised, shielded or data.

    `role` marks a mailbox of the firm rather than of a person. `aliases` are addresses that stand
    behind this one: the page shows this one in a link that leads to them.
    """

    address: str
    how: str
    role: bool
    aliases: tuple[str, ...] = ()


def find_emails(page: Markup) -> list[Email]:
    """Every distinct address of a page, the most trusted places first."""
    text = plain(page.text)
    in_sight = list(in_text(text))
    mail_links = [pair for link in page.links if (pair := _mail_link(link))]
    aliases: dict[str, str] = {}
    for targets, shown in mail_links:
        for target in targets:
            # What the visitor reads counts: a template's address often lingers in the link.
            # A link text that is the beginning of the address is a link around half of it.
            if shown and target not in shown and not target.startswith(shown[0]):
                aliases.setdefault(target, shown[0])
    for address in in_sight:
        aliases.pop(address, None)
    places: tuple[tuple[str, Iterable[str]], ...] = (
        ("link", (target for targets, _ in mail_links for target in targets)),
        ("text", in_sight),
        ("disguised", in_disguise(text)),
        ("shielded", _shielded(page)),
        ("data", _in_data(page)),
    )
    found: dict[str, str] = {}
    for how, addresses in places:
        for address in addresses:
            if address not in aliases:
                found.setdefault(address, how)
    return [
        Email(
            address, how, is_role(address), tuple(a for a, of in aliases.items() if of == address)
        )
        for address, how in list(found.items())[:ADDRESSES_MAX]
    ]


def plain(text: str) -> str:
    """Text with full-width letters made plain and invisible ones dropped."""
    if text.isascii():
        return text
    return _SPACES.sub(" ", _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)))


def in_text(text: str) -> Iterator[str]:
    """Addresses written plainly; every @ is looked at once, so no text is slow."""
    at = text.find("@")
    while at >= 0:
        local = _LOCAL_END.search(text, max(0, at - 64), at)
        domain = _DOMAIN_START.match(text, at + 1)
        if local and domain and (address := clean(local.group(), domain.group())):
            yield address
        at = text.find("@", at + 1)


def in_disguise(text: str) -> Iterator[str]:
    """Addresses written around robots: info [at] acme (dot) com, info at acme dot com, spaced."""
    for match in islice(_AT.finditer(text), _DISGUISES_MAX):
        around = text[max(0, match.start() - 64) : match.start()]
        behind = _DOT.sub(".", text[match.end() : match.end() + 300])
        local = _LOCAL_END.search(_DOT.sub(".", around))
        domain = _DOMAIN_START.match(behind)
        if local and domain and (address := clean(local.group(), domain.group())):
            yield address
    for match in _WORDED.finditer(text):
        name, host = match.group(1), _WORDED_DOT.sub(".", match.group(2))
        if name.lower() not in NO_NAMES and (address := clean(name, host)):
            yield address
    for match in _SPACED.finditer(text):
        cue, name, host = match.groups()
        # "Greg @ acme.com" is as often a place as a mailbox.
        if (cue or is_role(name.lower())) and (address := clean(name, host.replace(" ", ""))):
            yield address


@lru_cache(maxsize=10_000)
def clean(local: str, domain: str) -> str | None:
    """The address in lower case, or None for what looks like one and is none."""
    local = local.lstrip(".'-").lower()
    host = _host(domain)
    if not local or not host or host.startswith("www."):
        return None
    parts = domain_parts(host, private=False)
    if parts.domain in PLACEHOLDER_DOMAINS and parts.suffix in PLACEHOLDER_SUFFIXES:
        return None
    if local in PLACEHOLDER_NAMES or f"{parts.domain}.{parts.suffix}" in PLACEHOLDER_HOSTS:
        return None
    if local in VAGUE_NAMES and parts.domain in VAGUE_DOMAINS | VAGUE_NAMES:
        return None
    if _KEY.fullmatch(local) or set(local + parts.domain) == {"x"}:
        return None
    try:
        return validate_email(f"{local}@{host}", check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        return None


def is_role(address: str) -> bool:
    """Whether the mailbox is a function, such as info@ or sales-uk@."""
    local = address.partition("@")[0]
    return local in ROLES or re.split(r"[\d._+-]", local)[0] in ROLES


def decode_shield(hexadecimal: str) -> str:
    """Undo the exclusive-or that Cloudflare puts over addresses; empty for what is none."""
    try:
        key, *rest = bytes.fromhex(hexadecimal)
    except ValueError:
        return ""
    return bytes(byte ^ key for byte in rest).decode("utf-8", "replace")


def _host(domain: str) -> str | None:
    """The domain up to its public suffix, freed from the word that was typed onto it."""
    labels = domain.split(".")
    while len(labels) > 1:
        parts = domain_parts(".".join(labels).lower(), private=False)
        if parts.suffix and parts.domain:
            return ".".join(labels).lower()
        if labels[-1].lower() in FILE_ENDINGS:
            return None
        glued = _GLUED.match(labels[-1])
        labels[-1:] = [glued.group(1)] if glued else []
    return None


def _mail_link(link: Link) -> tuple[list[str], list[str]] | None:
    """Where a mailto link leads and which addresses its text shows."""
    href = link.href
    if href[:7].lower() == "mailto:":
        path, _, query = href[7:].partition("?")
        fields = [v for k, v in parse_qsl(query) if k.lower() in ("to", "cc", "bcc")]
        target = " , ".join([unquote(path), *fields])
    elif "@" in href and "/" not in href and ":" not in href:
        target = href
    else:
        return None
    return _all_in(target), _all_in(link.text)


def _all_in(raw: str) -> list[str]:
    text = plain(raw)
    return list(dict.fromkeys([*in_text(text), *in_disguise(text)]))


def _shielded(page: Markup) -> Iterator[str]:
    fragments = [m.group(1) for link in page.links if (m := _SHIELD.search(link.href))]
    for hexadecimal in (*page.shields, *fragments):
        yield from in_text(decode_shield(hexadecimal))


def _in_data(page: Markup) -> Iterator[str]:
    for thing in page.data:
        value = thing.get("email")
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield from in_text(plain(one))
