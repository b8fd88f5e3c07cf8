"""The gate every address passes before a fetch: text in, a URL that may be asked for out."""

import re
from collections.abc import Collection
from ipaddress import ip_address

from yarl import URL

from .errors import Forbidden

LENGTH_MAX = 8192
# Browsers drop these wherever they stand; any other control character is an attempt at something.
_DROPPED = re.compile(r"[\t\n\r]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SPACED = re.compile(r"[a-z]*:?//[^/?#]*\s", re.IGNORECASE)
_BRACKETED = re.compile(r"//[^/?#]*\[[^\[\]/?#]*%")
# A host has 253 characters, three times that when they are percent-encoded; with more, reading the
# name (Unicode to ASCII) is what costs.
_LONG_HOST = re.compile(r"[a-z]*:?/{2,}[^/?#]{801}", re.IGNORECASE)
_HOST = re.compile(r"[0-9a-z_.-]+", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)


def parse(text: str, *, ports: Collection[int], base: URL | None = None) -> URL:
    """Turn text, or a Location header beside its base, into an http(s) URL without fragment.

    Raises Forbidden with code bad_url, bad_scheme or bad_port.
    """
    shown = text[:200].encode("utf-8", "backslashreplace").decode()
    if len(text) > LENGTH_MAX:
        raise Forbidden("bad_url", "the address is too long", f"over {LENGTH_MAX}", url=shown)
    cleaned = _slashes(_DROPPED.sub("", text.strip(" \x00\t\n\r\x0b\x0c")))
    odd = _CONTROL.search(cleaned) or _SPACED.match(cleaned) or _BRACKETED.search(cleaned)
    if odd or _LONG_HOST.match(cleaned):
        what = "the address has control characters, or a host like none"
        raise Forbidden("bad_url", what, repr(shown), url=shown)
    try:
        url = URL(cleaned)
        url = url if base is None else base.join(url)
        host, port = url.raw_host, url.port
    except (ValueError, TypeError, IndexError) as error:
        raise Forbidden("bad_url", "the address cannot be read", str(error), url=shown) from error
    if url.scheme not in ("http", "https"):
        why = f"only http and https are fetched, not {url.scheme or 'a bare name'!r}"
        raise Forbidden("bad_scheme", "the address is of another kind", why, url=shown)
    if not host or not _plausible(host):
        raise Forbidden(
            "bad_url", "the address names no host that can be asked", repr(host), url=shown
        )
    if url.raw_user is not None or url.raw_password is not None:
        why = "a name before @ hides the host; send credentials as a header"
        raise Forbidden("bad_url", "the address carries credentials", why, url=shown)
    if port not in ports:
        why = f"port {port} is not among web.ports {sorted(ports)}"
        raise Forbidden("bad_port", "the port is not allowed", why, url=shown)
    return url.with_fragment(None)


def same_origin(one: URL, other: URL) -> bool:
    """Whether both share scheme, host and port, so that credentials may go along."""
    return (one.scheme, one.raw_host, one.port) == (other.scheme, other.raw_host, other.port)


def _slashes(text: str) -> str:
    """Read backslashes as browsers do: as slashes, up to the query."""
    head, mark, tail = text.partition("?")
    return head.replace("\\", "/") + mark + tail


def _plausible(host: str) -> bool:
    """Refuse hosts that resolvers choke on or read as addresses: numbers in any odd spelling."""
    if ":" in host:
        return _is_address(host)
    labels = host.rstrip(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _is_address(host)
    return (
        len(host) <= 253
        and _HOST.fullmatch(host) is not None
        and all(0 < len(label) <= 63 for label in labels)
    )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
