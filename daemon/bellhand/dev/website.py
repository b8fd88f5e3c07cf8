"""A small website for the sites family to look at: no network is needed to see it work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1>{body}
<p><a href="/">Home</a> <a href="/contact">Contact</a> <a href="/about">About us</a></p>
</body></html>"""
PAGES = {
    "/": (
        "Harbour Bakery",
        '<p>Bread since 1921. <a href="mailto:orders@harbour-bakery.org">Order by mail</a>.</p>'
        '<p><a href="https://www.instagram.com/harbourbakery">Instagram</a></p>',
    ),
    "/contact": (
        "Contact",
        "<p>Office: office [at] harbour-bakery.org, closed on Mondays.</p>"
        '<p><a href="https://www.facebook.com/harbourbakery">Facebook</a></p>',
    ),
    "/about": ("About us", "<p>Our baker is Ida. Write to ida@harbour-bakery.org.</p>"),
}
STOP_SECONDS = 0.5


@asynccontextmanager
async def served() -> AsyncIterator[int]:
    """Serves it on a free port of loopback, which it yields."""
    app = web.Application()
    app.router.add_get("/{name:.*}", _page)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _page(request: web.Request) -> web.Response:
    found = PAGES.get(request.path)
    if found is None:
        return web.Response(text="There is no such page.", status=404)
    title, body = found
    return web.Response(text=PAGE.format(title=title, body=body), content_type="text/html")
