"""What comes with the program for whoever is woken: a list of its runbooks, and the alert rules that lead to them."""

from __future__ import annotations

import asyncio

from aiohttp import web

from bellhand.alert_rules import alert_rules
from bellhand.callers import needs
from bellhand.dashboard.site import Site
from bellhand.runbooks import runbook, runbooks


class Runbooks:
    """GET /runbooks and /system/rules.yml; the runbooks themselves are beside the documents of the API."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.firsts: dict[str, str] = {}

    async def list(self, request: web.Request) -> web.Response:
        """All of them, with the sentence that each begins with."""
        self.firsts = self.firsts or await asyncio.to_thread(_first_sentences)
        return await self.site.page(request, "runbooks.html", title="Runbooks", live=False, pages=self.firsts)  # fmt: skip

    @needs("read")
    async def rules(self, request: web.Request) -> web.Response:
        """The alert rules, to be put under rule_files; their links lead to where this was asked for."""
        text = await asyncio.to_thread(alert_rules, f"{request.scheme}://{request.host}")
        headers = {"Content-Disposition": 'attachment; filename="bellhand-rules.yml"'}
        return web.Response(text=text, content_type="application/yaml", headers=headers)


def _first_sentences() -> dict[str, str]:
    found = {}
    for name in runbooks():
        lines = [line for line in (runbook(name) or "").splitlines() if line and not line.startswith("#")]  # fmt: skip
        found[name] = lines[0].partition(". ")[0].rstrip(".") if lines else ""
    return found
