"""A site on loopback in a process of its own: a folder of files, or as many made-up pages as asked for.

It writes down who asked for what: a line a request with the client's name, the status, the type, the path.
"""

from __future__ import annotations

import asyncio
import mimetypes
import os
import sys
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

CHILDREN = 12
WORDS = ["queue", "worker", "lease", "bell", "epoch", "settle", "claim", "retry", "lane", "history"]
MENU = "".join(f'<li><a href="/page/{n}.html">Chapter {n}</a></li>' for n in range(1, 41))


class Site:
    """Answers, and remembers in `log` what it answered."""

    def __init__(self, what: str, log: Path) -> None:
        self.folder = None if what.isdecimal() else Path(what).resolve()
        self.pages = int(what) if what.isdecimal() else 0
        self.log = log.open("w", buffering=1 << 16)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        found = self._made_up(request.path) if self.folder is None else self._file(request)
        client = request.headers.get("User-Agent", "-").partition("/")[0].split()[0]
        kind = found.headers.get("Content-Type", "-").partition(";")[0]
        print(client, request.method, found.status, kind, request.path, file=self.log)
        return found

    def flush(self) -> None:
        self.log.flush()

    def _file(self, request: web.Request) -> web.StreamResponse:
        assert self.folder is not None
        path = Path(os.path.normpath(self.folder / unquote(request.path).lstrip("/")))
        if not path.is_relative_to(self.folder):
            return web.Response(status=404)
        if path.is_dir() and not request.path.endswith("/"):
            return web.Response(status=301, headers={"Location": request.path + "/"})
        if path.is_dir():
            path /= "index.html"
        if not path.is_file():
            return web.Response(status=404, text="<h1>Not here</h1>", content_type="text/html")
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return web.Response(body=path.read_bytes(), content_type=kind)

    def _made_up(self, path: str) -> web.Response:
        """Page n leads to the pages below it in a tree, to its neighbours and to a menu."""
        text = path.removeprefix("/page/").removesuffix(".html")
        n = 0 if path == "/" else int(text) if text.isdecimal() else -1
        if not 0 <= n < self.pages:
            return web.Response(status=404)
        below = range(CHILDREN * n + 1, min(CHILDREN * n + CHILDREN + 1, self.pages))
        near = [m for m in (n - 1, n + 1, n // CHILDREN) if 0 < m < self.pages]
        anchors = "".join(f'<a href="{m}.html">Section {m}</a> ' for m in (*below, *near))
        prose = " ".join(WORDS[(n * 7 + k * k) % len(WORDS)] + str(n % (k + 2)) for k in range(900))
        body = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Section {n}</title>'
            f'<base href="/page/"><meta name="description" content="What section {n} says">'
            f'<link rel="canonical" href="{n}.html"></head><body><nav><ul>{MENU}</ul></nav>'
            f"<main><h1>Section {n}</h1><p>{prose}</p>{anchors}</main></body></html>"
        )
        return web.Response(text=body, content_type="text/html")


async def serve(what: str, log: str) -> None:
    """Serve until standard input ends; the port is said first."""
    site = Site(what, Path(log))
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", site.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    site.flush()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2]))
