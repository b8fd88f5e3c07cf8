"""What rules look at: a page with its links, and the outline of a whole site in little memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import UUID

from .facts import Facts
from .urls import address

Evidence = dict[str, Any]
EXAMPLES_MAX = 10


class Target(NamedTuple):
    """Where a link of the page leads, when that is no good: `status` None where no answer came."""

    url: str
    kind: str
    role: str
    status: int | None
    error: str | None
    moved_to: str | None

    @property
    def broken(self) -> bool:
        """Whether there is nothing to be had."""
        return self.status is None or self.status >= 400

    def shown(self) -> str:
        """The address and what it answers, as evidence."""
        return f"{self.url} ({self.status or self.error or 'no answer'})"


@dataclass(frozen=True, slots=True)
class Page:
    """One address of the site that was asked; `facts` is None for what is no HTML."""

    id: int
    url: str
    key: UUID
    depth: int | None = 0
    status: int | None = 200
    redirects: tuple[str, ...] = ()
    content_type: str = "text/html"
    body_bytes: int = 0
    response_seconds: float = 0.0
    truncated: bool = False
    in_sitemap: bool = False
    error_code: str | None = None
    error: str | None = None
    inlinks: int = 1
    inlinks_followed: int = 1
    targets: tuple[Target, ...] = ()
    facts: Facts | None = None

    @property
    def html(self) -> Facts | None:
        """The facts of a page that a visitor gets: HTML, answered with a status below 300."""
        return self.facts if self.status is not None and self.status < 300 else None

    @property
    def canonical_key(self) -> UUID:
        """The key of the canonical address; the page's own where there is none that can be read."""
        named = key_of(self.facts.canonical) if self.facts and self.facts.canonical else None
        return named or self.key

    @property
    def indexable(self) -> Facts | None:
        """The facts of a page that search engines may show: found, not kept out, its own original."""
        found = self.html
        if found is None or found.robots.noindex or self.canonical_key != self.key:
            return None
        return found


def key_of(url: str) -> UUID | None:
    """The key that all spellings of an address share."""
    found = address(url.partition("#")[0])
    return found.key if found else None


@dataclass(slots=True)
class Outline:
    """What is kept of a page while the others are read: about half a kilobyte."""

    id: int
    url: str
    key: UUID
    status: int | None
    html: bool
    indexable: bool
    noindex: bool
    in_sitemap: bool
    depth: int | None
    inlinks: int
    redirects: tuple[str, ...]
    title: bytes
    description: bytes
    h1: bytes
    text_hash: str
    simhash: int
    words: int
    canonical: UUID
    hreflangs: tuple[tuple[str, UUID | None, str], ...]

    @property
    def broken(self) -> bool:
        """Whether the address answers with nothing of use."""
        return self.status is None or self.status >= 400


class SitemapFile(NamedTuple):
    """A sitemap that was read: how many addresses it lists, and why it could not be read."""

    url: str
    urls: int | None
    error: str | None


class Unvisited(NamedTuple):
    """An address of the site that was not asked, and what is known of it."""

    id: int
    url: str
    state: str
    in_sitemap: bool
    inlinks: int


@dataclass(slots=True)
class Site:
    """The outlines of all pages, and what no page knows."""

    pages: dict[int, Outline] = field(default_factory=dict)
    by_key: dict[UUID, Outline] = field(default_factory=dict)
    sitemaps: Sequence[SitemapFile] = ()
    unvisited: Sequence[Unvisited] = ()
    # (page, fragment that its target lacks, as an address)
    fragments_missing: list[tuple[int, str]] = field(default_factory=list)

    def add(self, page: Page) -> None:
        """Keep the outline of a page."""
        found = page.html
        outline = Outline(
            id=page.id, url=page.url, key=page.key, status=page.status, html=found is not None,
            indexable=page.indexable is not None, noindex=bool(found and found.robots.noindex),
            in_sitemap=page.in_sitemap, depth=page.depth, inlinks=page.inlinks, redirects=page.redirects,
            title=_mark(found and found.title), description=_mark(found and found.description),
            h1=_mark(found and found.h1s and found.h1s[0]),
            text_hash=found.text_hash if found else "", simhash=found.simhash if found else 0,
            words=found.words if found else 0, canonical=page.canonical_key,
            hreflangs=tuple((code.lower(), key_of(url), url) for code, url in found.hreflangs) if found else (),
        )  # fmt: skip
        self.pages[page.id] = outline
        self.by_key[page.key] = outline

    def groups(self, field_name: str) -> Iterator[list[Outline]]:
        """Pages that may be shown and have the same title, description, h1 or text."""
        found: dict[Any, list[Outline]] = {}
        for page in self.pages.values():
            value = getattr(page, field_name)
            if page.indexable and value:
                found.setdefault(value, []).append(page)
        return (group for group in found.values() if len(group) > 1)


def _mark(text: Any) -> bytes:
    """A short stand-in for a text, to be compared; empty for none."""
    if not text:
        return b""
    return blake2b(
        " ".join(str(text).lower().split()).encode("utf-8", "replace"), digest_size=8
    ).digest()


def others(group: Sequence[Outline], page: Outline) -> Mapping[str, Any]:
    """Evidence: which pages share something with this one."""
    urls = [other.url for other in group if other is not page][:EXAMPLES_MAX]
    return {"pages": len(group), "others": urls}
