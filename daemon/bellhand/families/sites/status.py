"""How a website fares, in one word and the facts behind it."""

import ssl
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from bellhand.clients.dns import Addresses, MailRoute
from bellhand.clients.domains import registrable
from bellhand.clients.errors import BadAnswer, Forbidden, WebError
from bellhand.clients.web import Page

from .markup import Markup, read
from .parked import parked
from .shells import needs_browser
from .technologies import technologies

_GONE = (404, 410)
_TURNED_AWAY = (401, 402, 403, 407, 423, 429, 451)
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_EVERYWHERE = "the site answers any address with this page, so there is none"


@dataclass(frozen=True, slots=True)
class Status:
    """A website's state; `word` is one of ok, redirected, parked, unreachable, bad_certificate,
    not_found, refused, blocked and error. `passing` says that another look may well see better.

    `mail` is a MailRoute's state, `parked` what gives a stand-in away, `soft_404` whether the site
    answers 200 for pages that do not exist (None: not known).
    """

    word: str
    final_url: str | None = None
    http_status: int | None = None
    redirects: tuple[str, ...] = ()
    title: str | None = None
    ip: str | None = None
    response_seconds: float | None = None
    tls_expires: float | None = None
    addresses: tuple[str, ...] = ()
    mail: str = "unknown"
    mail_hosts: tuple[str, ...] = ()
    parked: str | None = None
    soft_404: bool | None = None
    technologies: tuple[str, ...] = ()
    needs_browser: bool | None = None
    error: str | None = None
    passing: bool = False


def of_page(website: str, page: Page) -> Status:
    """What an answer says about the website; `redirected` means to somebody else's domain."""
    facts = Status(
        word=_word(website, page),
        final_url=page.final_url,
        http_status=page.status,
        redirects=page.redirects,
        ip=page.ip,
        response_seconds=page.elapsed_seconds,
        tls_expires=ssl.cert_time_to_seconds(page.tls_expires) if page.tls_expires else None,
        error=f"HTTP status {page.status}" if page.status >= 400 else None,
        passing=is_passing(page.status),
    )
    return _with_content(facts, page, read(page.text)) if page.is_html else facts


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


def with_names(facts: Status, addresses: Addresses, mail: MailRoute) -> Status:
    """The status with what the domain name system says beside it."""
    return replace(facts, addresses=addresses.addresses, mail=mail.state, mail_hosts=mail.hosts)


def with_probe(facts: Status, page: Page, probe: Page) -> Status:
    """The status with what a page that cannot exist was answered.

    A site that has every page has none of them: a website that is such a page is not_found, unless
    scripts are what tells pages of this site apart.
    """
    if probe.status in _GONE:
        return replace(facts, soft_404=False)
    if not 200 <= probe.status < 300:
        return facts
    below = urlsplit(page.final_url).path not in ("", "/")
    same = page.final_url == probe.final_url or _essence(page) == _essence(probe)
    if below and same and not facts.needs_browser and facts.word == "ok":
        return replace(facts, word="not_found", soft_404=True, error=_EVERYWHERE)
    return replace(facts, soft_404=True)


def is_passing(status: int) -> bool:
    """Whether the answer is one of those that pass: busy, starting, out of order for now."""
    return status in _PASSING


def _word(website: str, page: Page) -> str:
    if page.status in _GONE:
        return "not_found"
    if page.status in _TURNED_AWAY:
        return "refused"
    if page.status >= 400 or page.status < 200:
        return "error"
    return "redirected" if _domain(website) != _domain(page.final_url) else "ok"


def _with_content(facts: Status, page: Page, markup: Markup) -> Status:
    sign = parked(markup, page.final_url) if page.status < 400 else None
    return replace(
        facts,
        word="parked" if sign else facts.word,
        title=markup.title or None,
        parked=sign,
        technologies=tuple(technologies(markup, page.text, page.headers)),
        needs_browser=needs_browser(markup, page.text),
    )


def _essence(page: Page) -> str:
    """The page without what merely repeats its own address."""
    path = urlsplit(page.final_url).path
    return page.text.replace(page.final_url, "").replace(path, "")


def _domain(url: str) -> str:
    return registrable(urlsplit(url).hostname or "")
