"""`make pictures`: docs/pictures/*.png, one of each page, taken from a daemon that has something on each."""

import asyncio
import io
import json
import os
import random
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
from PIL import Image
from playwright.async_api import async_playwright

from bellhand import logs
from bellhand.dev import demo
from bellhand.dev.postgres import DevPostgres
from bellhand.migrate import migrate
from daemons import at_work, insert, until
from pages import FAMILIES, GO, HANDLERS
from support import ROOT

PLACE = ROOT / "docs" / "pictures"
COLOURS = 250
BYTES_MAX = 120_000
SIZE = {"width": 1280, "height": 860}
DARK = ("overview", "job")
NAMES = (
    *("Web Development in Dhaka", "Web Development in Delhi", "SEO in Dhaka", "SEO in Delhi"),
    *("SEO in Singapore", "write the list"),
)
DEMO = (demo.greet, demo.report, demo.letters, demo.summary, demo.tick)
PAST = """
    insert into bellhand.stats (minute, kind, outcome, worker, jobs, wait_seconds, run_seconds, histogram, waits)
    select date_trunc('minute', now()) - m * interval '1 minute', k, o, gen_random_uuid(), case o when 'fail' then (m % 17 = 0)::int when 'retry' then (m % 5 = 0)::int
        else 8 + round(6 * sin(m / 7.0) + m % 3) end, 5, 20, array[0, 0, 1, 2, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], array[0, 3, 4, 2, 1, 0, 0, 0, 0, 0]
    from generate_series(1, 60) m, unnest(array['demo.report', 'demo.letters']) k, unnest(array['completed', 'fail', 'retry']) o"""

# What days of work would have left: how long runs took, a deploy by a script, a search with a name, nights of a schedule, calls to services.
MEASURED = """
    insert into bellhand.run_times (kind, step, samples, mean, deviation, quantiles, since)
      select 'pages.steps', '', 214, 40, 20, array(select 15 + 80 * (n / 40.0) ^ 2 from generate_series(0, 40) n), now() - interval '6 days';
    insert into bellhand.deploys (at, version, note, actor) values (now() - interval '25 minutes', 'a1b2c3d', 'faster letters', 'http:release');
    insert into bellhand.views (name, path) values ('core team''s failures', '/jobs?q=tag.team%3Acore+state%3Afailed');
    insert into bellhand.history (id, key, kind, payload, priority, run_at, depends_policy, source, created_at, state, epoch, attempts, crashes, partial, started_at, finished_at)
      select 1000000 + n, gen_random_uuid(), 'pages.steps', '{}', 5, t, 'cancel', 'schedule', t, case n when 6 then 'failed' else 'completed' end, 1, 0, 0, n = 11, t, t + make_interval(secs => 260 - 9 * n + 40 * (n % 3))
      from generate_series(1, 20) n, lateral (select date_trunc('day', now()) + interval '3 hours' - n * interval '1 day' as t) x;
    insert into bellhand.schedule_ticks select 'nightly', h.run_at, h.id from bellhand.history h where h.id > 1000000;
    update bellhand.schedules s set last_job = 1000001, last_at = h.run_at, timezone = 'Europe/Berlin' from bellhand.history h where h.id = 1000001 and s.name = 'nightly';
    insert into bellhand.usage_days select (now() at time zone 'UTC')::date - d, s, k, 40 + 7 * d, d % 3, i * (40 + 7 * d), o * (40 + 7 * d), c * (40 + 7 * d), 0
      from generate_series(0, 6) d, (values ('serpapi', 'demo.report', 1, 0, 15000), ('openai', 'demo.report', 800, 120, 310), ('openai', 'demo.letters', 260, 90, 140)) u(s, k, i, o, c);
    insert into bellhand.services (name, tokens, day, day_calls) select s, 5, (now() at time zone 'UTC')::date, 40 from unnest(array['serpapi', 'openai']) s"""


async def main(dsn: str) -> None:
    """Fill, wait until some jobs run, and look at everything."""
    random.seed(1)
    with open(os.devnull, "w") as nowhere:
        writer = logs.setup(
            "json", "info", nowhere
        )  # what handlers log is kept where logging is on
        await take(dsn)
        writer.close()


async def take(dsn: str) -> None:
    """Pictures of a daemon that has something on each page."""
    conn = await asyncpg.connect(dsn)
    async with at_work(dsn, *HANDLERS, *DEMO, worker={"concurrency": 16}) as daemon:
        running, report = await fill(conn)
        await conn.execute("select bellhand.group_failures()")
        await conn.execute(MEASURED)
        # Tracebacks as of an installation, wherever this is.
        for place in ("history.error", "steps.error", "failures.example"):
            table, column = place.split(".")
            await conn.execute(f"update bellhand.{table} set {column} = replace({column}, $1, '/opt/bellhand')", str(ROOT))  # fmt: skip
        base = f"http://127.0.0.1:{daemon.status.port}"
        await look(
            base, await addresses(conn, running, report) | {"ticket": await ticket(base, running)}
        )
        for number in range(1, 6):
            GO.setdefault(f"picture.{number}", asyncio.Event()).set()
        for row in await conn.fetch("select id from bellhand.jobs"):
            with suppress(asyncpg.PostgresError):  # it ended meanwhile
                await conn.execute("select bellhand.cancel($1)", row["id"])
    await conn.close()


async def fill(conn: asyncpg.Connection) -> tuple[int, int]:
    """Jobs of each sort, of which some run; the ids of one that does and of one that logs."""
    await conn.execute(FAMILIES)
    await conn.execute(PAST)
    await conn.execute("select bellhand.limit_lane('demo', '{\"concurrency\": 4}')")
    for number in range(14):
        await insert(conn, "demo.letters", '{"step_seconds": 0.05}', owner=f"u_{number % 5}")
        await insert(conn, "demo.greet", json.dumps({"name": "Ada"}), owner="website")
    for number in range(9):
        bad = f"store {number}"
        await insert(conn, "pages.steps", json.dumps({"names": ["fetch", "parse", bad], "fail": bad}))  # fmt: skip
    core = '{"team": "core"}'
    report = await insert(conn, "demo.report", '{"step_seconds": 0.3}', owner="u_17", tags=core)
    await until(conn, report, "completed", 60)
    payload = json.dumps({"names": NAMES, "wait_for": "picture", "api_key": "sk-1"})
    running = await insert(conn, "pages.steps", payload, owner="u_17", tags=core)
    for _ in range(9):
        await insert(conn, "demo.report", '{"step_seconds": 9}', owner="u_3")
    for number in range(1, 4):
        await asyncio.sleep(1.5)
        GO[f"picture.{number}"].set()
    await asyncio.sleep(2)
    return running, report


async def addresses(conn: asyncpg.Connection, running: int, report: int) -> dict[str, str]:
    """What is looked at, by the name of its picture; `#` is what stands at the top of it."""
    worker = await conn.fetchval("select id from bellhand.workers")
    failure = await conn.fetchval(
        "select fingerprint from bellhand.failures where kind = 'demo.letters'"
    )
    return {
        "lane": "/lanes/demo?concurrency=8", "drain": f"/workers/{worker}/drain",
        "overview": "/", "jobs": "/jobs", "job": f"/jobs/{running}", "job-log": f"/jobs/{report}#steps-title", "failures": "/failures", "lanes": "/lanes", "kinds": "/kinds", "new-job": "/kinds/demo.report",
        "schedules": "/schedules", "workers": "/workers", "system": "/system", "leads": "/leads", "matching": "/matching", "sites": "/sites", "seo": "/seo", "mail": "/crm", "failure": f"/failures/{failure}",
    }  # fmt: skip


async def ticket(base: str, job: int) -> str:
    """The public page of a job."""
    asked = {"job": job, "cancel": True}
    async with aiohttp.ClientSession() as session, session.post(f"{base}/v1/tickets", json=asked) as answer:  # fmt: skip
        return f"/p/{(await answer.json())['ticket']}"


async def look(base: str, paths: dict[str, str]) -> None:
    """A picture of each address in light, of some in dark too."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=arguments
        )
        page = await browser.new_page(viewport=SIZE, color_scheme="light", reduced_motion="reduce")
        for name, path in paths.items():
            await page.emulate_media(color_scheme="light")
            await page.goto(base + path)
            await page.wait_for_timeout(600)
            await save(page, name)
            if name in DARK:
                await page.emulate_media(color_scheme="dark")
                await page.reload()
                await page.wait_for_timeout(600)
                await save(page, f"{name}-dark")
        await browser.close()


async def save(page: Any, name: str) -> None:
    """The page as a picture of few colours."""
    picture = (
        Image.open(io.BytesIO(await page.screenshot()))
        .convert("RGB")
        .quantize(COLOURS, dither=Image.Dither.NONE)
    )
    path = PLACE / f"{name}.png"
    picture.save(path, optimize=True)
    print(f"{path.relative_to(ROOT)} {path.stat().st_size // 1000} kB")
    assert path.stat().st_size <= BYTES_MAX


if __name__ == "__main__":
    PLACE.mkdir(parents=True, exist_ok=True)
    with DevPostgres(
        prefer="embedded" if Path(sys.prefix).name == ".venv" else "system", durable=False
    ) as server:
        where = server.create_database("pictures")
        asyncio.run(migrate(where))
        asyncio.run(main(where))
