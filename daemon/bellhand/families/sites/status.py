"""How a website fares, in one word and the facts behind it."""

import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from bellhand.clients.errors import BadAnswer, Forbidden, WebError
from bellhand.clients.web import Page

from .markup import title_of
from .pages import registrable

_GONE = (404, 410)
_TURNED_AWAY = (401, 402, 403, 407, 423, 429, 451)
_PASSING = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Status:
    """A website's state; `word` is one of ok, redirected, unreachable, bad_certificate, not_found,
    refused, blocked and error. `passing` says that another look may well see something better.
    """

    word: str
    final_url: str | None = None
    http_status: int | None = None
    redirects: tuple[str, ...] = ()
    title: str | None = None
    ip: str | None = None
    response_seconds: float | None = None
    tls_expires: float | None = None
    error: str | None = None
    passing: bool = False


def of_page(website: str, page: Page) -> Status:
    """What an answer says about the website; `redirected` means to somebody else's domain."""
    if page.status in _GONE:
        word = "not_found"
    elif page.status in _TURNED_AWAY:
        word = "refused"
    elif page.status >= 400 or page.status < 200:
        word = "error"
    else:
        moved = _domain(website) != _domain(page.final_url)
        word = "redirected" if moved else "ok"
    return Status(
        word=word,
        final_url=page.final_url,
        http_status=page.status,
        redirects=page.redirects,
        title=(title_of(page.text) or None) if page.is_html else None,
        ip=page.ip,
        response_seconds=page.elapsed_seconds,
        tls_expires=ssl.cert_time_to_seconds(page.tls_expires) if page.tls_expires else None,
        error=f"HTTP status {page.status}" if page.status >= 400 else None,
        passing=is_passing(page),
    )


def of_error(error: WebError) -> Status:
    """What the lack of an answer says about the website."""
    if isinstance(error, Forbidden):
        word = "blocked"
    elif isinstance(error, BadAnswer):
        word = "error"
    elif error.code == "tls" and not error.retryable:
        word = "bad_certificate"
    else:
        word = "unreachable"
    return Status(word=word, final_url=error.url, error=str(error), passing=error.retryable)


def is_passing(page: Page) -> bool:
    """Whether the answer is one of those that pass: busy, starting, out of order for now."""
    return page.status in _PASSING


def _domain(url: str) -> str:
    return registrable(urlsplit(url).hostname or "")
