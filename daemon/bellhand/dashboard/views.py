"""Searches with a name: saved for all who look, since the state of a list is in its address."""

from __future__ import annotations

from aiohttp import web

from bellhand.callers import caller_of
from bellhand.dashboard.site import Site, local
from bellhand.problems import HttpProblem

NAME_CHARS_MAX = 80
PATH_CHARS_MAX = 2000


class Views:
    """POST /views and /views/remove; every page knows those there are by its frame."""

    def __init__(self, site: Site) -> None:
        self.site = site

    async def save(self, request: web.Request) -> web.Response:
        """Gives the search of an address a name; one that had the name is changed."""
        form = await request.post()
        name, path = str(form.get("name", "")).strip(), local(str(form.get("path", "")))
        if not 0 < len(name) <= NAME_CHARS_MAX or not name.isprintable():
            raise HttpProblem("invalid-value", detail=f"a name has 1 to {NAME_CHARS_MAX} characters", hint="say in a few words what it finds")  # fmt: skip
        if path == "/" or len(path) > PATH_CHARS_MAX:
            raise HttpProblem("invalid-value", detail="this is no search of the dashboard")
        await self.site.look.fetch("page_save_view", name, path, actor=caller_of(request).actor)
        self.site.forget("page_frame")
        return self.site.done(path, "save_view")

    async def remove(self, request: web.Request) -> web.Response:
        """Removes a search by its name; the jobs that it finds stay."""
        form = await request.post()
        name, actor = str(form.get("name", "")), caller_of(request).actor
        await self.site.look.fetch("page_remove_view", name, actor=actor)
        self.site.forget("page_frame")
        return self.site.done(local(str(form.get("back", "/jobs"))), "remove_view")
