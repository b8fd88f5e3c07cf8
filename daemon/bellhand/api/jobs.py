"""One job as it stands."""

from __future__ import annotations

from aiohttp import web

from bellhand.api.naming import job_row
from bellhand.api.operations import answer
from bellhand.look import Look
from bellhand.resource import resource
from bellhand.states import OVER


class Jobs:
    """/v1/jobs/{job}."""

    def __init__(self, look: Look) -> None:
        self.look = look

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/jobs/{job}", self._job)]

    async def _job(self, request: web.Request) -> web.Response:
        found = await job_row(self.look, request)
        job = resource(found, await self.look.row("status_position", found["id"]))
        return answer(job, headers={} if job["state"] in OVER else {"Retry-After": "1"})
