"""One look at a website: its page, its name, and a page that cannot exist."""

import asyncio
from ipaddress import ip_address
from urllib.parse import urlsplit

from bellhand.clients.dns import Addresses, MailRoute
from bellhand.clients.domains import registrable
from bellhand.clients.errors import Busy, WebError
from bellhand.clients.retry_after import retry_after_seconds
from bellhand.clients.web import Page
from bellhand.job import Job

from . import status
from .reading import LARGE_CHARS, put_off

PROBE_SECONDS = 10.0
PROBE_BYTES_MAX = 500_000


async def look(job: Job, url: str) -> tuple[status.Status, float | None]:
    """How the website fares, and how long it asks us to stay away; Snooze if it is not our turn.

    Costs two requests, and the site's robots.txt, which is often known. The first page is asked
    for as a visitor would, whatever robots.txt says; the page that cannot exist is not.
    """
    answer, (addresses, mail) = await asyncio.gather(_page(job, url), _names(job, url))
    if isinstance(answer, Busy):
        raise put_off(answer)
    if isinstance(answer, WebError):
        return status.with_names(status.of_error(answer), addresses, mail), answer.after_seconds
    if len(answer.text) > LARGE_CHARS:
        facts = await asyncio.to_thread(status.of_page, url, answer)
    else:
        facts = status.of_page(url, answer)
    if facts.word == "ok" and answer.is_html:
        probe = await _probe(job, answer)
        facts = status.with_probe(facts, answer, probe) if probe else facts
    return status.with_names(facts, addresses, mail), retry_after_seconds(answer.headers)


async def _page(job: Job, url: str) -> Page | WebError:
    try:
        return await job.web.get(url, html_only=True)
    except WebError as error:
        return error


async def _names(job: Job, url: str) -> tuple[Addresses, MailRoute]:
    """The host's addresses and where mail for its domain goes; an address is no name."""
    host = _host(url)
    try:
        ip_address(host)
    except ValueError:
        dns = job.web.dns
        return await asyncio.gather(dns.addresses(host), dns.mail_route(registrable(host)))
    return Addresses("found", (host,)), MailRoute("unknown")


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "invalid"
    except ValueError:
        return "invalid"  # the fetch says what is wrong with the address


async def _probe(job: Job, page: Page) -> Page | None:
    """What the site answers for a page that nobody can have made; None if that is not to be known."""
    parts = urlsplit(page.final_url)
    address = f"{parts.scheme}://{parts.netloc}/{job.step_key('a page that cannot exist').hex}"
    try:
        return await job.web.get(
            address, html_only=True, obey_robots=True, seconds_max=PROBE_SECONDS,
            body_bytes_max=PROBE_BYTES_MAX,
        )  # fmt: skip
    except WebError:
        return None
