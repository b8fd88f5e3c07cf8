"""A real Chromium renders pages of local sites, and reaches nothing that the guard would refuse.

Skipped where Chromium or the extra `browser` is missing; `make test-browser` installs both.
"""

import asyncio
import json
import os
import shutil
from dataclasses import replace

import pytest
from aiohttp import web

from bellhand.clients.browser import Browser, BrowserLimits, Unrendered
from bellhand.clients.web import Web, WebLimits
from bellhand.errors import Problem
from businesses import all_over, business, daemon, enter
from support import eventually
from websites import html, raw_server, serving

CHROMIUM = os.environ.get("BELLHAND_TEST_CHROMIUM") or shutil.which("chromium") or ""
SHELL = "<title>Acme</title><div id=root></div><script src=/main.js></script>"
SCRIPT = """
    fetch('/api/contact').then(r => r.json()).then(c => {
      document.getElementById('root').innerHTML =
        '<p>Write to ' + c.mail + '</p><a href="/team">Our team</a>'
        + '<a href="https://www.facebook.com/acmeglass">f</a>'
    })"""


@pytest.fixture
def chromium() -> str:
    """The program's path."""
    pytest.importorskip("playwright", reason="needs: pip install 'bellhand[browser]'")
    if not CHROMIUM:
        pytest.skip("there is no chromium; make test-browser installs it")
    return CHROMIUM


# As slow as a busy machine is: pages that come to rest take no longer for it.
PATIENT = {"seconds_max": 60, "quiet_seconds_max": 30}


def rendering(chromium: str, *ports: int, **limits) -> Web:
    """A fetcher that may visit loopback at these ports only, with a browser."""
    own = WebLimits(ports=ports, allow_networks=("127.0.0.0/8",))
    return Web(own, browser=BrowserLimits(chromium, **(PATIENT | limits)))


def script(text: str):
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type="text/javascript")

    return answer


async def contact(_: web.Request) -> web.Response:
    return web.json_response({"mail": "info@acme-glass.com"})


async def test_an_empty_shell_is_filled_by_its_scripts(chromium):
    routes = (("/", html(SHELL)), ("/main.js", script(SCRIPT)), ("/api/contact", contact))
    async with serving(*routes) as port, rendering(chromium, port) as fetcher:
        page = await fetcher.get(f"http://127.0.0.1:{port}/")
        assert "info@" not in page.text
        assert "info@acme-glass.com" in await fetcher.browser.render(page)


# Every way out that a page has, tried at once; whoever listens there must hear nothing.
ESCAPES = """
    const inside = '127.0.0.1:PORT', tries = [
      () => fetch('http://' + inside + '/fetch', {mode: 'no-cors'}),
      () => fetch('http://' + inside + '/post', {mode: 'no-cors', method: 'POST', body: 'x'}),
      () => fetch('http://localhost:PORT/name', {mode: 'no-cors'}),
      () => fetch('http://[::ffff:127.0.0.1]:PORT/mapped', {mode: 'no-cors'}),
      () => navigator.sendBeacon('http://' + inside + '/beacon', 'x'),
      () => new WebSocket('ws://' + inside + '/socket'),
      () => new EventSource('http://' + inside + '/events'),
      () => new Worker(URL.createObjectURL(new Blob(
              ["fetch('http://" + inside + "/worker', {mode: 'no-cors'})"]))),
      () => navigator.serviceWorker && navigator.serviceWorker.register('/sw.js'),
      () => { const x = new XMLHttpRequest(); x.open('GET', 'http://' + inside + '/xhr'); x.send() },
      () => window.open('http://' + inside + '/popup'),
      () => { const p = new RTCPeerConnection({iceServers: [
                {urls: 'stun:' + inside}, {urls: 'turn:' + inside + '?transport=tcp',
                 username: 'a', credential: 'b'}]});
              p.createDataChannel('x'); p.createOffer().then(o => p.setLocalDescription(o)) },
    ];
    for (const attempt of tries) { try { attempt() } catch (e) {} }
    for (const [tag, key] of [['img', 'src'], ['iframe', 'src'], ['video', 'src'], ['link', 'href'],
                              ['script', 'src'], ['object', 'data'], ['embed', 'src']]) {
      for (const rel of ['stylesheet', 'prefetch', 'preconnect', 'dns-prefetch', 'modulepreload']) {
        const e = document.createElement(tag);
        if (tag === 'link') e.rel = rel;
        e[key] = 'http://' + inside + '/' + tag + '-' + rel;
        document.body.append(e);
      }
    }
    document.title = 'all tried'"""


async def test_a_page_reaches_nothing_that_the_fetcher_may_not(chromium):
    heard = []

    async def canary(reader, writer):
        heard.append(await reader.read(200))

    async with (
        raw_server(canary) as inside,
        serving(
            ("/", html(f"<body><script>{ESCAPES.replace('PORT', str(inside))}</script>")),
            ("/sw.js", script(f"fetch('http://127.0.0.1:{inside}/sw')")),
        ) as port,
        rendering(chromium, port) as fetcher,
    ):
        page = await fetcher.get(f"http://127.0.0.1:{port}/")
        rendered = await fetcher.browser.render(page)
        assert "<title>all tried</title>" in rendered
        assert heard == []
        # The canary itself is alive.
        _, writer = await asyncio.open_connection("127.0.0.1", inside)
        writer.write(b"x")
        await writer.drain()
        writer.close()
        await eventually(lambda: heard)


async def test_a_page_that_never_rests_or_never_ends_is_bounded(chromium):
    busy = "<div id=root></div><script>setInterval(() => fetch('/x' + Math.random()), 50)</script>"
    stuck = "<div id=root></div><script>while (true) {}</script>"
    routes = (("/busy", html(busy)), ("/stuck", html(stuck)), ("/{any:.*}", html("x")))
    limits = {"quiet_seconds_max": 0.3, "requests_max": 20}
    async with serving(*routes) as port, rendering(chromium, port, **limits) as fetcher:
        page = await fetcher.get(f"http://127.0.0.1:{port}/busy")
        assert 'id="root"' in await fetcher.browser.render(page)
        page = await fetcher.get(f"http://127.0.0.1:{port}/stuck")
        fetcher.browser.limits = replace(fetcher.browser.limits, seconds_max=3)  # it is up by now
        with pytest.raises(Unrendered, match="seconds_max"):
            await fetcher.browser.render(page)


async def test_a_browser_that_was_killed_is_started_anew(chromium):
    async with serving(("/", html("<p>hello"))) as port, rendering(chromium, port) as fetcher:
        page = await fetcher.get(f"http://127.0.0.1:{port}/")
        await fetcher.browser.render(page)
        await fetcher.browser._chromium.close()
        assert "hello" in await fetcher.browser.render(page)


async def test_a_business_whose_site_is_a_shell_is_read_with_the_browser(dsn, conn, chromium):
    routes = (
        ("/", html(SHELL)), ("/main.js", script(SCRIPT)), ("/api/contact", contact),
        ("/team", html("<p>jane@acme-glass.com")),
    )  # fmt: skip
    async with serving(*routes) as port:
        found = {}
        for program in ("", chromium):
            async with daemon(
                dsn, port, browser={"executable": program, **PATIENT}, seconds_max=30
            ):
                number = await enter(conn, f"http://127.0.0.1:{port}/?{program}", auto_check=False)
                await conn.execute(
                    "insert into bellhand.jobs (kind, payload) values ('sites.emails', $1)",
                    json.dumps({"business_id": number}),
                )
                rows = await all_over(conn, len(found) + 1)
                row = await business(conn, number)
                result = json.loads(rows[-1]["result"])
                found[program] = (row["emails"], result["needs_browser"])
    assert found == {
        "": ([], True),
        chromium: (["info@acme-glass.com", "jane@acme-glass.com"], False),
    }


def test_a_program_that_is_not_there_is_said_at_the_start():
    async def never(_):
        raise AssertionError

    with pytest.raises(Problem, match="cannot be rendered"):
        Browser(never, BrowserLimits("/nowhere/chromium"))
