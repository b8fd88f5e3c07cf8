"""What the families brought: leads, matches to review, sites, reports, mail."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from asyncpg import Record

from bellhand.callers import caller_of
from bellhand.dashboard.search import is_number
from bellhand.dashboard.site import Site, local
from bellhand.problems import not_found

ROWS = 50
SUMMED_MAX = 20_000  # mails of seven days, by purpose
LOOKED_AT_MAX = 5_000
CRAWLS = 50
PROJECTS = 50
VERDICTS = ("accepted", "rejected", "locked")
MATCH_STATES = ("proposed", *VERDICTS)
SITE_STATES = ("ok", "redirected", "parked", "unreachable", "bad_certificate", "not_found", "refused", "blocked", "error")  # fmt: skip
MAIL_STATES = ("sending", "sent", "deferred", "bounced", "unsure")
# A report brings its own style and nothing else: no script of it runs, and it can reach nothing here.
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox allow-popups"


class Results:
    """One page a family; each reads a page of its newest rows."""

    def __init__(self, site: Site) -> None:
        self.site = site

    async def leads(self, request: web.Request) -> web.Response:
        """GET /leads: the newest, on a table and as dots on a map."""
        q, excluded = _text(request, "q"), "excluded" in request.query
        rows = await self.site.look.fetch(
            "page_leads", _before(request), q, excluded, ROWS, LOOKED_AT_MAX
        )
        return await self.site.page(
            request, "leads.html", title="Leads", live=False, leads=rows, words=q or "", excluded=excluded,
            dots=dots(rows), older=_older(request, rows), web=web_address, files=files(q, excluded),
        )  # fmt: skip

    async def matching(self, request: web.Request) -> web.Response:
        """GET /matching: matches of a project, to be accepted, rejected or locked."""
        projects = await self.site.look.fetch("page_projects", PROJECTS)
        known = [row["id"] for row in projects]
        project = request.query.get("project") or (known[0] if known else None)
        status = _choice(request, "status", MATCH_STATES) or "proposed"
        after = _number(request, "after") or 0
        rows = await self.site.look.fetch("page_matches", project, status, after, ROWS) if project else []  # fmt: skip
        here = {"project": project or "", "status": status}
        older = f"/matching?{urlencode(here | {'after': rows[-1]['id']})}" if len(rows) == ROWS else ""  # fmt: skip
        matches = [dict(row) | {"evidence": json.loads(row["evidence"])} for row in rows]
        return await self.site.page(
            request, "matching.html", title="Matching", live=False, projects=projects, project=project, wanted=status,
            statuses=MATCH_STATES, matches=matches, older=older, verdicts=VERDICTS,
        )  # fmt: skip

    async def review(self, request: web.Request) -> web.Response:
        """POST /matching/{match}/{verdict}."""
        form = await request.post()
        verdict = request.match_info["verdict"]
        if verdict not in VERDICTS:
            raise not_found(f"a match cannot be {verdict[:50]}", f"there are {', '.join(VERDICTS)}")
        number = int(request.match_info["match"])
        await self.site.look.fetch("page_review", number, verdict, actor=caller_of(request).actor)
        return self.site.done(local(str(form.get("back", "/matching"))), verdict)

    async def sites(self, request: web.Request) -> web.Response:
        """GET /sites: what the checks found out about each business."""
        q, status = _text(request, "q"), _choice(request, "status", SITE_STATES)
        rows = await self.site.look.fetch(
            "page_sites", _before(request), q, status, ROWS, LOOKED_AT_MAX
        )
        return await self.site.page(
            request, "sites.html", title="Sites", live=False, sites=rows, words=q or "", wanted=status, statuses=SITE_STATES,
            older=_older(request, rows), web=web_address,
        )  # fmt: skip

    async def seo(self, request: web.Request) -> web.Response:
        """GET /seo: the newest crawls with their scores and reports."""
        rows = [
            dict(row) | {"issues": json.loads(row["issues"] or "{}")}
            for row in await self.site.look.fetch("cli_seo_crawls", CRAWLS)
        ]
        return await self.site.page(request, "seo.html", title="SEO", crawls=rows)

    async def seo_report(self, request: web.Request) -> web.StreamResponse:
        """GET /seo/{crawl}: the newest report of a crawl, part by part."""
        word = request.match_info["crawl"]
        crawl = int(word) if is_number(word) else 0
        found = await self.site.look.row("cli_seo_report", crawl, "html")
        if found is None or found["report"] is None:
            raise not_found(f"crawl {word[:20]} has no report yet", "see /seo, or queue seo.report")
        parts: list[bytes] = []
        while part := await self.site.look.row("cli_seo_report_part", found["report"], len(parts)):
            parts.append(part["body"])
        headers = {"Content-Security-Policy": REPORT_POLICY}
        return web.Response(
            body=b"".join(parts), content_type="text/html", charset="utf-8", headers=headers
        )

    async def mail(self, request: web.Request) -> web.Response:
        """GET /crm: what was sent to whom, and how it fared."""
        state = _choice(request, "state", MAIL_STATES)
        rows = await self.site.look.fetch(
            "page_mails", _before(request), state, ROWS, LOOKED_AT_MAX
        )
        sums = await self.site.often("page_mail_sums", SUMMED_MAX)
        return await self.site.page(
            request, "crm.html", title="Mail", live=False, mails=rows, sums=sums, summed_max=SUMMED_MAX, state=state, states=MAIL_STATES, older=_older(request, rows)
        )  # fmt: skip


def dots(rows: list[Record]) -> list[dict[str, Any]]:
    """The leads that have a place, in a picture of 1000 by 500 that just holds them all."""
    placed = [row for row in rows if row["latitude"] is not None and row["longitude"] is not None]
    if not placed:
        return []
    west, east = (f(row["longitude"] for row in placed) for f in (min, max))
    south, north = (f(row["latitude"] for row in placed) for f in (min, max))
    # One scale for both, so that distances look alike; a lone dot stands in the middle.
    span = max((east - west) / 900, (north - south) / 430, 1e-5)
    return [
        {
            "x": round(500 + (row["longitude"] - (west + east) / 2) / span, 1),
            "y": round(250 - (row["latitude"] - (south + north) / 2) / span, 1),
            "name": row["name"],
            "id": row["id"],
        }
        for row in placed
    ]


def files(words: str | None, excluded: bool) -> list[tuple[str, str]]:
    """The downloads of what the search finds, of all pages: how each is called and where it is."""
    given = ({"q": words} if words else {}) | ({"excluded": "only"} if excluded else {})
    query = f"?{urlencode(given)}" if given else ""
    return [(sort.upper(), f"/v1/leads/export.{sort}{query}") for sort in ("csv", "json")]


def web_address(url: str | None) -> str | None:
    """The address if it is one of the web: nothing else becomes a link."""
    return url if url and url.lower().startswith(("http://", "https://")) else None


def _text(request: web.Request, name: str) -> str | None:
    return request.query.get(name, "").strip()[:200] or None


def _choice(request: web.Request, name: str, among: tuple[str, ...]) -> str | None:
    word = request.query.get(name, "")
    return word if word in among else None


def _number(request: web.Request, name: str) -> int | None:
    word = request.query.get(name, "")
    return int(word) if is_number(word) else None


def _before(request: web.Request) -> int | None:
    return _number(request, "before")


def _older(request: web.Request, rows: list[Record]) -> str:
    if len(rows) < ROWS:
        return ""
    kept = {k: v for k, v in request.query.items() if k != "before"}
    return f"{request.path}?{urlencode(kept | {'before': rows[-1]['id']})}"
