"""robots.txt by RFC 9309 over real HTTP: what is allowed, what is remembered, who waits."""

import asyncio
import itertools
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from bellhand.clients.errors import BadAnswer, Forbidden, Unreachable
from bellhand.clients.robots import BODY_BYTES_MAX, Answer, Robots, product_token
from websites import Names, html, local_web, redirect, serving

RULES = """
User-agent: bellhand
Disallow: /private
Allow: /private/door$
Crawl-delay: 0.05

User-agent: *
Disallow: /

Sitemap: https://acme.test/sitemap.xml
"""


@asynccontextmanager
async def site(answer, **limits):
    """A site whose robots.txt is what `answer` says: text, a status, or a handler."""
    asked: list[str] = []

    async def robots(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        if isinstance(answer, int):
            return web.Response(status=answer)
        if isinstance(answer, bytes | str):
            body = answer.encode() if isinstance(answer, str) else answer
            return web.Response(body=body, content_type="text/plain")
        return await answer(request)

    async with (
        serving(("/robots.txt", robots), ("/{any:.*}", html("a page"))) as port,
        local_web(port, **limits) as fetcher,
    ):
        yield f"http://127.0.0.1:{port}", fetcher, asked


async def test_rules_for_our_name_are_obeyed_and_asked_for_once():
    async with site(RULES) as (root, fetcher, asked):
        fine = await fetcher.robots.allowed(f"{root}/menu")
        assert (fine.allowed, fine.crawl_delay_seconds) == (True, 0.05)
        assert fine.sitemaps == ("https://acme.test/sitemap.xml",)
        assert (await fetcher.robots.allowed(f"{root}/private/door")).allowed
        with pytest.raises(Forbidden) as caught:
            await fetcher.get(f"{root}/private/plans", obey_robots=True)
        assert (caught.value.code, caught.value.retryable) == ("robots", False)
        assert "robots.txt keeps bellhand away" in str(caught.value)
        assert (await fetcher.get(f"{root}/private/plans")).text == "a page", "unless not asked to"
        await asyncio.gather(*(fetcher.robots.allowed(f"{root}/{n}") for n in range(20)))
    assert len(asked) == 1


async def test_a_redirect_into_a_forbidden_place_is_not_followed():
    async def rules(_):
        return web.Response(text="User-agent: *\nDisallow: /private")

    async with (
        serving(
            ("/robots.txt", rules), ("/", redirect("/private/x")), ("/private/x", html("x"))
        ) as port,
        local_web(port) as fetcher,
    ):
        with pytest.raises(Forbidden, match="does not want this page visited"):
            await fetcher.get(f"http://127.0.0.1:{port}/", obey_robots=True)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
async def test_no_robots_txt_allows_everything(status):
    async with site(status) as (root, fetcher, _):
        assert (await fetcher.get(f"{root}/x", obey_robots=True)).text == "a page"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 599])
async def test_a_robots_txt_that_cannot_be_read_now_forbids_everything_for_now(status):
    async with site(status) as (root, fetcher, asked):
        with pytest.raises(BadAnswer) as caught:
            await fetcher.get(f"{root}/x", obey_robots=True)
        assert (caught.value.code, caught.value.retryable) == ("robots_unreachable", True)
        assert not (await fetcher.robots.allowed(f"{root}/y")).allowed
    assert len(asked) == 1, "not asked again for every page"


async def test_a_host_that_is_not_there_is_said_as_the_fetch_itself_would():
    async with local_web(80, resolver=Names()) as fetcher:
        with pytest.raises(Unreachable) as caught:
            await fetcher.get("http://nowhere.test/x", obey_robots=True)
        assert (caught.value.code, caught.value.retryable) == ("dns", False)
        with pytest.raises(Forbidden) as caught:
            await fetcher.get("http://10.0.0.1/x", obey_robots=True)
        assert caught.value.code == "blocked_address"


async def test_robots_txt_may_be_somewhere_else_but_not_nowhere():
    async def elsewhere(request):
        if request.query:
            return web.Response(text="User-agent: *\nDisallow: /x")
        raise web.HTTPFound("/robots.txt?real")

    async def circle(_):
        raise web.HTTPFound("/robots.txt")

    async with site(elsewhere) as (root, fetcher, _):
        assert not (await fetcher.robots.allowed(f"{root}/x")).allowed
        assert (await fetcher.robots.allowed(f"{root}/y")).allowed
    async with site(circle) as (root, fetcher, _):
        assert (await fetcher.robots.allowed(f"{root}/x")).allowed


async def test_what_stands_behind_the_first_500_kib_does_not_count():
    filler = b"# filler filler filler\n" * (BODY_BYTES_MAX // 23 - 1)
    tail = b"Disallow: /late\n"
    short = BODY_BYTES_MAX - len(filler) - len(b"User-agent: *\nDisallow: /early\n")
    cut = b"#" * (short - 12) + b"\nDisallow: /cut-in-two"
    text = b"User-agent: *\nDisallow: /early\n" + filler + cut + b"\n" + tail
    async with site(text) as (root, fetcher, _):
        verdicts = {
            path: (await fetcher.robots.allowed(root + path)).allowed
            for path in ("/early", "/late", "/cut-in-two", "/c")
        }
    assert verdicts == {"/early": False, "/late": True, "/cut-in-two": True, "/c": True}


async def test_nothing_is_asked_where_the_settings_say_so():
    async with site("User-agent: *\nDisallow: /", obey_robots=False) as (root, fetcher, asked):
        assert (await fetcher.get(f"{root}/x", obey_robots=True)).status == 200
    assert asked == []


async def test_a_crawl_delay_slows_every_fetch_of_that_host_down_within_our_bound():
    rules = "User-agent: *\nCrawl-delay: 3600"
    at = []

    async def note(_):
        at.append(asyncio.get_running_loop().time())
        return web.Response(text="x")

    async def robots(_):
        return web.Response(text=rules)

    async with (
        serving(("/robots.txt", robots), ("/{any:.*}", note)) as port,
        local_web(port, crawl_delay_seconds_max=0.1) as fetcher,
    ):
        root = f"http://127.0.0.1:{port}"
        verdict = await fetcher.robots.allowed(root)
        assert verdict.crawl_delay_seconds == 0.1
        await asyncio.gather(*(fetcher.get(f"{root}/{n}") for n in range(3)))
    assert min(later - earlier for earlier, later in itertools.pairwise(at)) > 0.08


# What is remembered, without a network in between.


class Origins:
    """Answers for origins: text, a status, or an error; and what was asked."""

    def __init__(self, **answers):
        self.answers = {name.replace("_", "."): answer for name, answer in answers.items()}
        self.asked: list[str] = []

    async def fetch(self, address: str) -> Answer:
        self.asked.append(address)
        answer = self.answers.get(urlsplit(address).hostname, "")
        if isinstance(answer, Exception):
            raise answer
        return Answer(answer, "") if isinstance(answer, int) else Answer(200, answer)

    def robots(self, keep_seconds: float = 60.0) -> Robots:
        return Robots(
            self.fetch, user_agent="bellhand/9 (+https://x.test)", keep_seconds=keep_seconds,
            crawl_delay_seconds_max=9, slow_down=lambda host, seconds: None,
        )  # fmt: skip


async def test_rules_hold_on_while_the_site_is_down():
    origins = Origins(acme_test="User-agent: *\nDisallow: /x")
    robots = origins.robots(keep_seconds=0.0)
    assert (await robots.allowed("https://acme.test/y")).allowed
    origins.answers["acme.test"] = 503
    assert (await robots.allowed("https://acme.test/y")).allowed
    assert not (await robots.allowed("https://acme.test/x")).allowed
    assert len(origins.asked) == 2, "and the site is not asked again at once"


async def test_memory_stays_flat_over_many_origins():
    origins = Origins()
    robots = origins.robots()
    for number in range(12_000):
        await robots.allowed(f"https://shop{number}.test/")
    assert len(robots._known) <= 10_000
    origins.asked.clear()
    await robots.allowed("https://shop11999.test/")
    assert origins.asked == []
    await robots.allowed("https://shop0.test/")
    assert origins.asked == ["https://shop0.test/robots.txt"]
    origins.answers["big.test"] = "User-agent: *\n" + "Disallow: /abc\n" * 30_000
    await robots.allowed("https://big.test/")
    assert robots._chars <= 4_000_000


async def test_who_gives_up_waiting_does_not_take_the_answer_from_the_others():
    started, go = asyncio.Event(), asyncio.Event()

    async def fetch(_: str) -> Answer:
        started.set()
        await go.wait()
        return Answer(200, "")

    robots = Robots(
        fetch, user_agent="b", keep_seconds=9, crawl_delay_seconds_max=9,
        slow_down=lambda host, seconds: None,
    )  # fmt: skip
    first = asyncio.create_task(robots.allowed("https://acme.test/"))
    await started.wait()
    second = asyncio.create_task(robots.allowed("https://acme.test/"))
    await asyncio.sleep(0)
    first.cancel()
    go.set()
    assert (await second).allowed


@pytest.mark.parametrize(
    ("agent", "token"),
    [
        ("bellhand/0.1", "bellhand"),
        ("Mozilla/5.0 (compatible; Acme-Bot/2.1; +https://acme.test)", "acme-bot"),
        ("Acme_Crawler", "acme_crawler"),
        ("2good", "*"),
    ],
)
def test_the_name_that_rules_are_written_for(agent, token):
    assert product_token(agent) == token


async def test_real_robots_files_are_read_and_never_break_anything(test_data):
    files = sorted((test_data / "robots").iterdir())
    assert len(files) > 250
    texts = {f"s{n}.test": path.read_text("utf-8", "replace") for n, path in enumerate(files)}
    origins = Origins()
    origins.answers = texts
    robots = origins.robots()
    with_sitemaps = with_delay = shut = 0
    for host in texts:
        verdict = await robots.allowed(f"https://{host}/some/page?q=1")
        with_sitemaps += bool(verdict.sitemaps)
        with_delay += verdict.crawl_delay_seconds is not None
        shut += not verdict.allowed
        assert verdict.crawl_delay_seconds is None or 0 <= verdict.crawl_delay_seconds <= 9
        own = await robots.allowed(f"https://{host}/robots.txt")
        assert own.allowed, "the file itself may always be read"
    print(f"{len(files)} files: {with_sitemaps} sitemaps, {with_delay} delays, {shut} shut us out")
    assert with_sitemaps > 100
    assert with_delay > 10
    assert 0 < shut < 60
