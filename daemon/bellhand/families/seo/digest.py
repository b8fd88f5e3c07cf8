"""What a fetched page means for a crawl: the row to store, the addresses it names, the links."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from bellhand.clients.errors import WebError
from bellhand.clients.web import Page
from bellhand.outcomes import clean

from . import facts
from .urls import Address, Scope, resolve, same_owner

ATTEMPTS_MAX = 3
TEXT_CHARS_MAX = 200
_ERROR_CHARS_MAX = 1000
_REDIRECTS = (301, 302, 303, 307, 308)
# Answers that pass: busy, starting, out of order for now.
_PASSING = (408, 425, 429, 500, 502, 503, 504)
# What a link leads to: a page to read, or something that a page is made of. A form is for people.
_TO_PAGES = frozenset(
    ["a", "iframe", "canonical", "hreflang", "next", "prev", "amphtml", "refresh"]
)
_TO_RESOURCES = frozenset(
    ["img", "script", "stylesheet", "icon", "media", "manifest", "alternate", "link"]
)
_REFRESH = re.compile(r"\s*[\d.]*\s*[;,]?\s*(?:url\s*=)?\s*['\"]?([^'\"]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Policy:
    """How far a crawl goes: what belongs to it, what it follows and what it looks after."""

    scopes: tuple[Scope, ...]
    depth_max: int
    follow_nofollow: bool
    check_resources: bool
    check_external: bool

    def holds(self, to: Address) -> bool:
        """Whether the address is one of the site's."""
        return any(scope.holds(to) for scope in self.scopes)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An address that is to be asked for: its row, and how often that was tried."""

    id: int
    url: str
    role: str
    depth: int | None
    attempts: int


@dataclass(slots=True)
class Target:
    """An address that something leads to, as it is to be known."""

    address: Address
    role: str
    state: str
    depth: int | None


@dataclass(slots=True)
class LinkRow:
    """A link to the address with this key; `times`: how often the page has it."""

    to: UUID
    kind: str
    rel: str | None
    text: str | None
    fragment: str | None
    times: int


@dataclass(slots=True)
class Digest:
    """One address, asked for: the columns of its row, and what it leads to."""

    row: dict[str, Any]
    targets: dict[UUID, Target] = field(default_factory=dict)
    links: list[LinkRow] = field(default_factory=list)
    # The site could not be reached at all, as opposed to an answer that is no page.
    unreachable: bool = False
    # It asked to be left alone for so long; the address was not tried.
    rest_seconds: float | None = None


def of_page(asked: Waiting, page: Page, policy: Policy) -> Digest:
    """What an answer says; a redirect, a page, or something that is no HTML."""
    found = _answered(asked, page)
    if page.status in _REDIRECTS and page.headers.get("Location"):
        _redirect(found, asked, page.headers["Location"], policy)
    elif page.is_html and page.status < 400:
        _read(found, asked, page, policy)
    return found


def of_check(asked: Waiting, page: Page) -> Digest:
    """What the answer for a resource or for another site says; redirects were followed."""
    found = _answered(asked, page)
    if page.redirects:
        found.row |= {"redirects": list(page.redirects), "final_url": page.final_url}
    return found


def of_error(asked: Waiting, error: WebError) -> Digest:
    """What the lack of an answer says: not now, not allowed, or an error that stays."""
    row = _row(asked)
    if error.code == "host_busy":
        row |= {"state": "waiting", "attempts": asked.attempts, "first": False}
        return Digest(row, rest_seconds=error.after_seconds or 1.0)
    if error.code == "robots":
        row |= {"state": "robots", "attempts": 0, "first": False}
        return Digest(row)
    again = error.retryable and row["attempts"] < ATTEMPTS_MAX
    row |= {
        "state": "waiting" if again else "done",
        "failed": not again,
        "error_code": error.code,
        "error": clean(str(error))[:_ERROR_CHARS_MAX],
    }
    return Digest(row, unreachable=error.retryable)


def of_fault(asked: Waiting, error: Exception) -> Digest:
    """A page that our own reading broke on: it is noted, and the crawl goes on."""
    said = f"it could not be read: {type(error).__name__}: {error}"
    row = _row(asked) | {"failed": True, "error_code": "unreadable"}
    return Digest(row | {"error": clean(said)[:_ERROR_CHARS_MAX]})


def _row(asked: Waiting) -> dict[str, Any]:
    first = asked.role == "page" and asked.attempts == 0
    return {"id": asked.id, "state": "done", "attempts": asked.attempts + 1, "first": first}


def _answered(asked: Waiting, page: Page) -> Digest:
    row = _row(asked)
    again = page.status in _PASSING and row["attempts"] < ATTEMPTS_MAX
    length = page.headers.get("Content-Length", "")
    row |= {
        "state": "waiting" if again else "done",
        "failed": page.status >= 400 and not again,
        "status": page.status,
        "content_type": clean(page.content_type)[:200] or None,
        "body_bytes": len(page.body) or (int(length) if length.isdecimal() else 0),
        "truncated": page.truncated,
        "response_seconds": round(page.elapsed_seconds, 4),
    }
    return Digest(row)


def _redirect(found: Digest, asked: Waiting, location: str, policy: Policy) -> None:
    raw = location.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    joined = resolve(asked.url, raw)
    if joined is None:
        found.row |= {
            "failed": True,
            "error_code": "bad_redirect",
            "error": f"it redirects to what is no address: {clean(raw)[:200]!r}",
        }
        return
    to, _ = joined
    # The start page decides what the site is called: acme.com may send us to shop.acme.com.
    moved = asked.depth == 0 and same_owner(asked.url, to.url)
    role = "page" if moved or policy.holds(to) else "external"
    found.row["redirect_key"] = str(to.key)
    found.targets[to.key] = Target(
        to, role, _state(role, to, asked.depth, True, policy), asked.depth
    )


def _read(found: Digest, asked: Waiting, page: Page, policy: Policy) -> None:
    read = facts.read(page.text, asked.url, page.headers)
    canonical = resolve(read.base, read.canonical) if read.canonical else None
    found.row |= {
        "canonical": canonical[0].url if canonical else None,
        "noindex": read.robots.noindex,
        "nofollow": read.robots.nofollow,
        "text_hash": read.text_hash or None,
        "simhash": read.simhash if read.text_hash else None,
        "facts": read.as_json(),
    }
    links = list(read.links)
    refresh = _REFRESH.fullmatch(read.refresh) if "url" in read.refresh.lower() else None
    if refresh:
        links.append(facts.Link(refresh.group(1), "", "", "refresh"))
    depth = None if asked.depth is None else asked.depth + 1
    times = Counter((link.href, link.kind, "nofollow" in link.rel) for link in links)
    rows: dict[tuple[UUID, str, str], LinkRow] = {}
    for link in links:
        hinted = "nofollow" in link.rel
        often = times.pop((link.href, link.kind, hinted), 0)
        if not often or link.kind not in _TO_PAGES | _TO_RESOURCES:
            continue
        joined = resolve(read.base, link.href)
        if joined is None:
            continue
        to, fragment = joined
        hinted = hinted or (link.kind == "a" and read.robots.nofollow)
        _aim(found, to, link.kind, depth, policy.follow_nofollow or not hinted, policy)
        known = rows.get((to.key, link.kind, fragment))
        if known is not None:
            known.times += often
            continue
        rows[to.key, link.kind, fragment] = LinkRow(
            to.key, link.kind, link.rel or None, link.text[:TEXT_CHARS_MAX] or None,
            fragment[:500] or None, often,
        )  # fmt: skip
    found.links = list(rows.values())


def _aim(
    found: Digest, to: Address, kind: str, depth: int | None, followed: bool, policy: Policy
) -> None:
    """Note where a link leads; the nearest and most inviting link to an address decides."""
    if not policy.holds(to):
        role = "external"
    elif kind in _TO_RESOURCES or to.is_file:
        role = "resource"
    else:
        role = "page"
    new = Target(to, role, "", depth if role == "page" else None)
    new.state = _state(role, to, depth, followed, policy)
    old = found.targets.get(to.key)
    if old is None or (old.role == "resource" and role == "page") or old.state == "nofollow":
        found.targets[to.key] = new


def _state(role: str, to: Address, depth: int | None, followed: bool, policy: Policy) -> str:
    if role == "external":
        return "waiting" if policy.check_external else "unchecked"
    if role == "resource":
        return "waiting" if policy.check_resources else "unchecked"
    if not followed:
        return "nofollow"
    if depth is not None and depth > policy.depth_max:
        return "too_deep"
    return "trap" if to.circular else "waiting"


def merged(digests: list[Digest]) -> dict[UUID, Target]:
    """The targets of several pages, each address once: nearest, and to be fetched if any says so."""
    all_targets: dict[UUID, Target] = {}
    for digest in digests:
        for key, target in digest.targets.items():
            old = all_targets.get(key)
            if old is None or _before(target, old):
                all_targets[key] = target
    return all_targets


_RANKS: Mapping[str, int] = {"page": 0, "external": 1, "resource": 2}


def _before(one: Target, other: Target) -> bool:
    def rank(target: Target) -> tuple[int, bool, bool, int]:
        far = target.depth is None
        return _RANKS[target.role], target.state != "waiting", far, target.depth or 0

    return rank(one) < rank(other)
