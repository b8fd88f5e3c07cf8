"""Real servers on loopback for the tests of the fetcher and of the sites family."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from bellhand.clients.web import Web, WebLimits

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Names(AbstractResolver):
    """A lookup of our own: a name's answers are used up one by one, the last serves for ever."""

    def __init__(self, **answers: list[str]) -> None:
        self.answers = {name.replace("_", "."): list(found) for name, found in answers.items()}
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        found = self.answers.get(host)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        address = found.pop(0) if len(found) > 1 else found[0]
        return [
            ResolveResult(
                hostname=host,
                host=one,
                port=port,
                family=socket.AF_INET6 if ":" in one else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for one in address.split("+")
        ]

    async def close(self) -> None:
        pass


class StraightHome(Names):
    """A lookup in the hands of an attacker: whatever is asked, the answer is loopback."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.answers = {host: ["127.0.0.1"]}
        return await super().resolve(host, port, family)


@asynccontextmanager
async def serving(*routes: tuple[str, Handler], ssl_context=None) -> AsyncIterator[int]:
    """Serve handlers by path on a free port of loopback; yields the port."""
    app = web.Application()
    for path, handler in routes:
        app.router.add_route("*", path, handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl_context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_server(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """Serve connections with a function that speaks bytes; yields the port."""
    tasks: set[asyncio.Task] = set()

    async def run(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(run, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def local_web(*ports: int, resolver: AbstractResolver | None = None, tls=None, **limits) -> Web:
    """A fetcher that may visit loopback, at these ports only."""
    settings = WebLimits(ports=ports, allow_networks=("127.0.0.0/8",), **limits)
    return Web(settings, resolver=resolver, tls=tls)


def html(text: str, **headers: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type="text/html", headers=headers)

    return answer


def redirect(location: str, status: int = 302, **headers: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": location, **headers})

    return answer
