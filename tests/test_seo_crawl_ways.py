"""Which ways a crawl takes: sitemaps, redirects, depth, robots, nofollow, scope, traps."""

import gzip

import pytest
from aiohttp import web

from seo_sites import crawl, crawler, links, pages, site, states

NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"


def urlset(*urls: str) -> bytes:
    entries = "".join(f"<url><loc>{url}</loc></url>" for url in urls)
    return f'<?xml version="1.0"?><urlset xmlns="{NAMESPACE}">{entries}</urlset>'.encode()


def moved(to: str, status: int = 301) -> web.Response:
    return web.Response(status=status, headers={"Location": to})


async def test_sitemaps_of_robots_txt_are_read_index_and_all(dsn, conn):
    """Packed ones, indexes and text; pages that only they know have no depth and come last."""
    async with site({}) as acme, crawler(dsn, acme.port):
        inner = f"{acme.url}/inner.xml.gz</loc></sitemap><sitemap><loc>{acme.url}/lost.xml"
        index = f"<sitemapindex><sitemap><loc>{inner}</loc></sitemap></sitemapindex>"
        acme.pages |= {
            "/": links("/linked"),
            "/linked": "x",
            "/robots.txt": f"Sitemap: {acme.url}/index.xml\nSitemap: /urls.txt".encode(),
            "/index.xml": index.encode(),
            "/inner.xml.gz": gzip.compress(
                urlset(f"{acme.url}/linked", f"{acme.url}/orphan", "http://other.example/")
            ),
            "/urls.txt": f"{acme.url}/from-text\n".encode(),
            "/orphan": links("/below"),
            "/from-text": "x",
            "/below": "x",
        }
        result = await crawl(conn, acme.url)
        found = await pages(conn, acme.url)
        sitemaps = await conn.fetch("select * from bellhand_seo.sitemaps order by id")
        shown = {s["url"].removeprefix(acme.url): (s["level"], s["urls"]) for s in sitemaps}
    assert {path: (row["depth"], row["in_sitemap"]) for path, row in found.items()} == {
        "/": (0, False), "/linked": (1, True), "/orphan": (None, True), "/from-text": (None, True),
        "/below": (None, False),
    }  # fmt: skip
    assert shown == {
        "/index.xml": (0, 2), "/urls.txt": (0, 1), "/inner.xml.gz": (1, 3), "/lost.xml": (1, 0),
    }  # fmt: skip
    assert sitemaps[-1]["error"] == "HTTP status 404"
    assert result["pages"] == 5
    assert max(acme.asked.values()) == 1


async def test_a_sitemap_that_is_a_bomb_says_so_and_the_crawl_goes_on(dsn, conn):
    bomb = gzip.compress(urlset() + b"\0" * 60_000_000)
    async with site({"/": "x", "/sitemap.xml": bomb}) as acme, crawler(dsn, acme.port):
        result = await crawl(conn, acme.url)
        error = await conn.fetchval("select error from bellhand_seo.sitemaps")
    assert "unpack" in error
    assert result["pages"] == 1


async def test_redirects_are_followed_hop_by_hop_and_kept_as_chains(dsn, conn):
    served = {
        "/": links("/1", "/circle", "/out", "/bad", "/self"),
        "/1": moved("/2"),
        "/2": moved("/3?utm_source=x", 302),
        "/3": "<title>Here</title>",
        "/circle": moved("/back"),
        "/back": moved("/circle"),
        "/self": moved("/self"),
        "/out": moved("https://elsewhere.example/page"),
        "/bad": moved("http://[broken"),
    }
    async with site(served) as acme, crawler(dsn, acme.port):
        await crawl(conn, acme.url)
        found = await pages(conn, acme.url)
        outside = await states(conn, role="external")
    chains = {path: row["redirects"] for path, row in found.items() if row["redirects"]}
    assert {p: [u.removeprefix(acme.url) for u in chain] for p, chain in chains.items()} == {
        "/1": ["/2", "/3"],
        "/2": ["/3"],
        "/circle": ["/back", "/circle"],
        "/back": ["/circle", "/back"],
        "/self": ["/self"],
        "/out": ["https://elsewhere.example/page"],
    }
    looping = {path for path, row in found.items() if row["error_code"] == "redirect_loop"}
    assert looping == {"/circle", "/back", "/self"}
    assert found["/bad"]["error_code"] == "bad_redirect"
    assert found["/3"]["depth"] == 1
    assert outside == {"https://elsewhere.example/page": "unchecked"}
    assert max(acme.asked.values()) == 1


async def test_the_start_page_may_send_the_crawl_to_another_host_of_the_same_owner(dsn, conn):
    async with site({"/": links("/a"), "/a": "x"}) as new, site({"/": moved("{new}")}) as old:
        old.pages["/"] = moved(new.url + "/")
        async with crawler(dsn, old.port, new.port):
            result = await crawl(conn, old.url)
            found = await states(conn, new.url)
    assert (result["pages"], found["/a"]) == (3, "done")


async def test_depth_counts_clicks_by_the_shortest_way(dsn, conn):
    served = {f"/{n}": links(f"/{n + 1}") for n in range(1, 6)} | {"/": links("/1", "/short")}
    served["/short"] = links("/4")
    async with site(served) as acme, crawler(dsn, acme.port):
        result = await crawl(conn, acme.url, depth_max=3)
        found = await pages(conn, acme.url)
    assert {path: (row["depth"], row["state"]) for path, row in found.items()} == {
        "/": (0, "done"), "/1": (1, "done"), "/short": (1, "done"), "/2": (2, "done"),
        "/4": (2, "done"), "/3": (3, "done"), "/5": (3, "done"), "/6": (4, "too_deep"),
    }  # fmt: skip
    assert result["left_out"] == {"too_deep": 1}


async def test_robots_txt_keeps_us_out_and_costs_no_page(dsn, conn):
    """S3-19: what was not fetched is not counted."""
    served = {
        "/": links("/private/1", "/private/2", "/a", "/b"),
        "/robots.txt": b"User-agent: *\nDisallow: /private/",
        "/a": "x",
        "/b": "x",
        "/private/1": "x",
    }
    async with site(served) as acme, crawler(dsn, acme.port):
        result = await crawl(conn, acme.url, max_pages=3)
        assert (result["pages"], result["left_out"]) == (3, {"robots": 2})
        assert "/private/1" not in acme.asked
        result = await crawl(conn, acme.url, respect_robots=False)
        assert acme.asked["/private/1"] == 1


async def test_nofollow_is_obeyed_unless_another_link_invites_or_we_are_told_otherwise(dsn, conn):
    served = {
        "/": '<a rel="nofollow" href="/one">1</a><a rel="NoFollow" href="/two">2</a><a href=/a>a</a>',
        "/a": links("/two"),
        "/one": "x",
        "/two": "x",
    }
    async with site(served) as acme, crawler(dsn, acme.port):
        await crawl(conn, acme.url)
        assert await states(conn, acme.url) == {
            "/": "done", "/one": "nofollow", "/two": "done", "/a": "done",
        }  # fmt: skip
        await crawl(conn, acme.url, follow_nofollow=True)
        assert (await states(conn, acme.url))["/one"] == "done"


async def test_endless_addresses_of_one_pattern_end(dsn, conn):
    """A calendar that always has a next month, filters without end, a link that goes in circles."""

    async def calendar(request: web.Request) -> web.Response:
        month = int(request.query.get("month", 0))
        more = [f"/calendar?month={month + n}&utm_term={n}" for n in range(1, 4)]
        return web.Response(text=links(*more), content_type="text/html")

    async def circles(request: web.Request) -> web.Response:
        return web.Response(text=links("in/"), content_type="text/html")

    served = {"/": links("/calendar", "/in/", "/about"), "/about": "x"}
    async with site(served) as acme, crawler(dsn, acme.port):
        plain = acme.pages
        acme.pages = _Answering(plain, {"/calendar": calendar, "/in/": circles})
        result = await crawl(conn, acme.url, pattern_pages_max=10, sitemaps=False)
        found = await states(conn, acme.url)
    months = [path for path, state in found.items() if "month=" in path and state == "done"]
    assert len(months) == 10
    assert result["left_out"]["trap"] == len(found) - result["pages"]
    assert sum(path.startswith("/in/") and s == "done" for path, s in found.items()) == 3
    assert found["/about"] == "done"


class _Answering(dict):
    """Pages by their whole path, and handlers by how it begins."""

    def __init__(self, pages, handlers):
        super().__init__(pages)
        self.handlers = handlers

    def get(self, path, default=None):
        for start, handler in self.handlers.items():
            if path.startswith(start):
                return handler
        return super().get(path, default)


async def test_spellings_of_one_address_are_one_page(dsn, conn):
    spellings = [
        "/page?b=2&a=1", "/page?a=1&b=2", "/page?a=1&b=2#part", "/page?utm_source=mail&a=1&b=2",
        "/x/../page?a=1&b=2", " /page?a=1&b=2 ", "/page;jsessionid=8AF3?a=1&b=2", "/page?a=1&b=2&fbclid=1",
        "/page?a=1&&b=2&",
    ]  # fmt: skip
    served = {"/": links(*spellings), "/page?b=2&a=1": "x"}
    async with site(served) as acme, crawler(dsn, acme.port):
        await crawl(conn, acme.url, sitemaps=False)
        assert list(await pages(conn, acme.url)) == ["/", "/page?b=2&a=1"]
    del acme.asked["/robots.txt"]
    assert acme.asked == {"/": 1, "/page?b=2&a=1": 1}


@pytest.mark.parametrize("external", [True, False])
async def test_links_to_other_sites_are_checked_where_that_is_asked_for(dsn, conn, external):
    async def no_head(request: web.Request) -> web.Response:
        return web.Response(status=405 if request.method == "HEAD" else 200, text="x")

    other = {"/here": "x", "/no-head": no_head, "/moved": moved("/here")}
    async with site(other) as far, site({}) as acme, crawler(dsn, acme.port, far.port):
        acme.pages["/"] = links(*[f"{far.url}/{p}" for p in ("here", "no-head", "moved", "gone")])
        result = await crawl(conn, acme.url, check_external=external)
        found = await pages(conn, far.url, "external")
    if not external:
        assert {row["state"] for row in found.values()} == {"unchecked"}
        assert not far.asked
        return
    assert {path: row["status"] for path, row in found.items()} == {
        "/here": 200, "/no-head": 200, "/moved": 200, "/gone": 404,
    }  # fmt: skip
    assert found["/moved"]["final_url"] == f"{far.url}/here"
    assert far.asked["HEAD /gone"] == 1
    assert (result["pages"], result["errors"]) == (1, 1)
