"""What the tests of the pages share: kinds to look at, a database with something on every page."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import asyncpg
from pydantic import BaseModel, Field
from selectolax.lexbor import LexborHTMLParser

from bellhand import Job, job_kind
from daemons import at_work, insert, until

PATHS = (
    "/", "/jobs", "/failures", "/lanes", "/lanes/pages", "/runbooks", "/kinds", "/kinds/pages.steps", "/schedules", "/workers", "/system", "/leads", "/matching", "/sites",
    "/seo", "/crm",
)  # fmt: skip
GO: dict[str, asyncio.Event] = {}  # what a job waits for, by name


class Steps(BaseModel):
    """How many steps, and what each waits for."""

    names: list[str] = Field(default=["first", "second"], description="The steps, in order.")
    wait_for: str | None = None
    fail: str | None = None
    api_key: str | None = None


@job_kind("pages.steps", lane="pages", attempts_max=1)
async def steps(args: Steps, job: Job) -> dict[str, Any]:
    """Goes through its steps; before each but the first it waits, if told so."""

    async def one(name: str) -> str:
        if args.fail == name:
            raise ValueError(f"{name} cannot be done")
        return f"did {name}"

    for number, name in enumerate(args.names):
        if number and args.wait_for:
            await GO.setdefault(f"{args.wait_for}.{number}", asyncio.Event()).wait()
        await job.step(name, one, name)
        job.progress(done=number + 1, total=len(args.names), message=f"after {name}")
    return {"steps": len(args.names)}


@job_kind("pages.plain", lane="pages", attempts_max=1)
async def plain(args: dict[str, Any], job: Job) -> dict[str, Any]:
    """Ends as it is told: returns its payload, or raises what is in it."""
    if "raise" in args:
        raise RuntimeError(args["raise"])
    return args


HANDLERS = (steps, plain)
FAMILIES = """
    insert into bellhand_leads.leads (name, phone, phone_shown, website, domain, address, country, category, rating, reviews, latitude, longitude)
      select 'Business ' || n, '+4930123456' || n, '030 123456' || n, 'https://b' || n || '.example/', 'b' || n || '.example', n || ' High Street', 'DE', 'bakery',
        4.5, n, 52.5 + n / 100.0, 13.4 + n / 50.0 from generate_series(1, 9) n;
    insert into bellhand_sites.businesses (name, website, auto_check, website_status, website_http_status, website_title, website_checked_at, emails, phones)
      values ('Harbour Bakery', 'https://harbour.example/', false, 'ok', 200, 'Fresh bread', bellhand.now(), '{info@harbour.example}', '{+4930123}'),
        ('Gone Ltd', 'https://gone.example/', false, 'not_found', 404, null, bellhand.now(), '{}', '{}');
    insert into bellhand_matching.projects (id, name) values ('p', 'Spring catalogue');
    insert into bellhand_matching.items (id, project_id, side, title, brand, price) overriding system value
      values (1, 'p', 'source', 'Kettle 1.7 l steel', 'Acme', 29.90), (2, 'p', 'catalogue', 'Acme steel kettle, 1.7 litres', 'Acme', 31);
    insert into bellhand_matching.matches (project_id, source_id, target_id, exclusive, confidence, method, evidence)
      values ('p', 1, 2, true, 0.93, 'fuzzy', '{"title": 0.93}');
    insert into bellhand_seo.sites (id, url) overriding system value values (1, 'https://harbour.example/');
    insert into bellhand_seo.crawls (id, site_id, job_id, job_key, epoch, url, options, state, pages) overriding system value
      values (1, 1, 1, gen_random_uuid(), 1, 'https://harbour.example/', '{}', 'completed', 12);
    insert into bellhand_seo.analyses (id, crawl_id, job_id, state, pages, score, details) overriding system value
      values (1, 1, 1, 'completed', 12, 87.5, '{"severities": {"error": 1, "warning": 4}}');
    insert into bellhand_seo.reports (id, crawl_id, analysis_id, job_id, format, completed) overriding system value values (1, 1, 1, 1, 'html', true);
    insert into bellhand_seo.report_parts values (1, 0, convert_to('<!doctype html><title>Report</title><h1>Report</h1>', 'UTF8'));
    insert into bellhand_crm.customers (id, email) values ('c', 'ada@example.org');
    insert into bellhand_crm.messages (customer_id, purpose, key, promotional, address, subject, state, said, job_id)
      values ('c', 'notification', 'k', false, 'ada@example.org', 'Your order', 'sent', '250 ok', 1);
    insert into bellhand.schedules (name, cron, kind, next_at) values ('nightly', '0 3 * * *', 'pages.steps', bellhand.now() + interval '5 hours');
"""


async def fill(conn: asyncpg.Connection) -> dict[str, int]:
    """Something on every page, and the ids of a job of each sort; a daemon must be at work."""
    await conn.execute(FAMILIES)
    jobs = {
        "completed": await insert(
            conn, "pages.steps", '{"api_key": "sk-very-secret"}', owner="u_17"
        ),
        "partial": await insert(conn, "pages.plain", json.dumps({"big": 12345678901234567890})),
        "failed": await insert(conn, "pages.steps", '{"fail": "second"}'),
        "running": await insert(conn, "pages.steps", '{"wait_for": "never"}'),
    }
    jobs["later"] = await conn.fetchval(
        "insert into bellhand.jobs (kind, run_at) values ('pages.plain', bellhand.now() + interval '1 hour') returning id"
    )
    jobs["blocked"] = await conn.fetchval(
        "insert into bellhand.jobs (kind, depends_on) values ('pages.plain', array[$1::bigint]) returning id",
        jobs["running"],
    )
    await until(conn, jobs["completed"], "completed")
    await until(conn, jobs["partial"], "completed")
    await until(conn, jobs["failed"], "failed")
    await until(conn, jobs["running"], "running")
    return jobs


HTML = {"Accept": "text/html"}


class Browser:
    """Asks as a browser without scripts does, and follows where it is sent."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.session = session

    async def get(self, path: str) -> tuple[int, LexborHTMLParser, aiohttp.ClientResponse]:
        async with self.session.get(self.base + path, headers=HTML) as answer:
            return answer.status, LexborHTMLParser(await answer.text()), answer

    async def post(
        self, path: str, form: Any = (), **headers: str
    ) -> tuple[int, LexborHTMLParser, str]:
        given = HTML | {"Origin": self.base} | headers
        async with self.session.post(self.base + path, data=form, headers=given) as answer:
            return answer.status, LexborHTMLParser(await answer.text()), str(answer.url.relative())


@asynccontextmanager
async def browsing(dsn: str, **sections: Any) -> AsyncIterator[Browser]:
    GO.clear()
    async with (
        at_work(dsn, *HANDLERS, **sections) as daemon,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        yield Browser(daemon.status.port, session)
        for event in GO.values():
            event.set()


def text_of(page: LexborHTMLParser, selector: str = "main") -> str:
    found = page.css_first(selector)
    assert found, f"no {selector}"
    return " ".join(found.text().split())


def rows_of(page: LexborHTMLParser) -> list[int]:
    return [int(row.attributes["data-row"] or 0) for row in page.css("tr[data-row]")]
