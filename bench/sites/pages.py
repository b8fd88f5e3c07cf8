"""Serves a folder of pages from memory: `python -m bench.sites.pages FOLDER`; prints its port."""

import asyncio
import sys
from pathlib import Path

from aiohttp import web


async def serve(bodies: dict[str, bytes]) -> None:
    """Until it is killed."""

    async def answer(request: web.Request) -> web.Response:
        body = bodies.get(request.path)
        if body is None:
            return web.Response(status=404)
        return web.Response(body=body, headers={"Content-Type": "text/html"})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    asyncio.run(serve({f"/{path.name}": path.read_bytes() for path in folder.iterdir()}))
