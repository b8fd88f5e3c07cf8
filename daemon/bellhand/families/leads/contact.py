"""Phone numbers and websites in the one form they are stored and compared in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

import phonenumbers
from w3lib.url import safe_url_string, url_query_cleaner
from yarl import URL

from bellhand.clients.domains import domain_parts

from .words import BUILDERS, ELSEWHERE, ELSEWHERE_ANYWHERE

WEBSITE_BYTES_MAX = 8192

# With private suffixes: acme.wixsite.com is a site of its own, wixsite.com is nobody's.
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_TRACKING = re.compile(r"utm_\w+|gclid|fbclid|msclkid|gad_source|y_source|mc_[ce]id|_ga|igshid")


def phone_of(text: str | None, country: str | None) -> str | None:
    """The number in E.164 form, or None unless it is a valid one; `country` is ISO 3166, for
    numbers without a country code."""
    if not text or len(text) > 100:
        return None
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@dataclass(frozen=True, slots=True)
class Website:
    """Where a business is on the web; `domain` is the registrable one, None for an IP address.

    `own` is false on others' ground: a directory, a social network. There the domain is None too.
    """

    url: str
    domain: str | None
    own: bool


def website_of(text: str | None) -> Website | None:
    """The address with a scheme, a host in lower case and nothing that tracks; None for no http(s) address."""
    text = (text or "").strip()
    if not text or len(text) > WEBSITE_BYTES_MAX:
        return None
    if not _SCHEME.match(text):
        text = "http://" + text.removeprefix("//")
    try:
        url = URL(safe_url_string(text))
        host = (url.raw_host or "").rstrip(".")
        bare = str(url.with_host(host).with_fragment(None).with_user(None)) if host else ""
    except (ValueError, UnicodeError):
        return None
    if url.scheme not in ("http", "https") or not (_is_ip(host) or _is_name(host)):
        return None
    if url.raw_path == "/" and not url.query:
        bare = bare.rstrip("/") + "/"
    tracked = [name for name in url.query if _TRACKING.fullmatch(name)]
    if tracked:
        bare = url_query_cleaner(bare, tracked, remove=True)
    if len(bare) > WEBSITE_BYTES_MAX:
        return None
    domain = own_domain(host)
    return Website(bare, domain, own=domain is not None or _is_ip(host))


def host_of(url: str) -> str:
    """The host of an address that website_of made, without www."""
    return (URL(url).raw_host or "").removeprefix("www.")


@lru_cache(maxsize=20_000)
def own_domain(host: str) -> str | None:
    """The registrable domain of a host, None for an IP address and for directories and networks."""
    parts = domain_parts(host)
    domain = parts.top_domain_under_public_suffix
    if domain in BUILDERS:
        below = parts.subdomain.rpartition(".")[2]
        return f"{below}.{domain}" if below not in ("", "www") else None
    if not domain or domain in ELSEWHERE or parts.domain in ELSEWHERE_ANYWHERE:
        return None
    return domain


def _is_name(host: str) -> bool:
    return "." in host and bool(domain_parts(host).suffix)


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
