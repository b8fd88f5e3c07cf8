"""bellhand.js in Node: JobManager and its streams, against a real daemon and against a proxy that lets no stream through."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
from aiohttp import web

from bellhand import Job, job_kind
from daemons import insert, until
from test_seed_clients import MODULE, node
from test_seed_routes import App, app

IMPORT = f"import {{ JobManager, events, words }} from {json.dumps(str(MODULE))};\n"


@job_kind("matching.steps", attempts_max=1)
async def steps(args: dict[str, Any], job: Job) -> dict[str, Any]:
    for n in range(4):
        job.progress(done=n, total=4)
        await asyncio.sleep(args.get("seconds", 0.3))
        if args.get("fails") and n == 2:
            raise RuntimeError("it broke on purpose")
    return {"done": True}


async def test_a_job_is_followed_to_its_end_and_rejected_with_its_error(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    """S1-16, S1-17, S1-19: resolves with the completed job, rejects with error.message."""
    async with app(dsn, steps) as seed:
        good = await insert(conn, "matching.steps")
        bad = await insert(conn, "matching.steps", '{"fails": true}')
        said = await node(tmp_path, seed.base, IMPORT + f"""
            const manager = new JobManager();
            const seen = [];
            const job = await manager.startPolling({good}, (job) => seen.push(job.progressPercentage), 50);
            console.log(JSON.stringify({{status: job.status, result: job.results, seen}}));
            try {{ await manager.startPolling({bad}, null, 50); }} catch (error) {{ console.log(error.message); }}
        """)  # fmt: skip
    first, second = said.splitlines()
    told = json.loads(first)
    assert (told["status"], told["result"], told["seen"][-1]) == ("completed", {"done": True}, 100)
    assert told["seen"] == sorted(told["seen"])
    assert "it broke on purpose" in second


async def test_cleanup_stops_looking_and_lets_the_program_end(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    async with app(dsn, steps) as seed:
        job = await insert(conn, "matching.steps")
        said = await node(tmp_path, seed.base, IMPORT + f"""
            const manager = new JobManager();
            let told = 0;
            manager.startPolling({job}, () => {{ told += 1; }}, 50);
            await new Promise((r) => setTimeout(r, 300));
            manager.cleanup();
            const before = told;
            await new Promise((r) => setTimeout(r, 300));
            console.log(before > 0, told === before);
        """)  # fmt: skip
        assert said.split() == ["true", "true"]
        await until(conn, job, "completed")


async def test_a_stream_that_breaks_is_taken_up_where_it_was(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    async with app(dsn, steps) as seed, cutting(seed) as (base, asked):
        # Long enough for a busy machine to start Node and to be cut off twice.
        job = await insert(conn, "matching.steps", '{"seconds": 1.5}')
        said = await node(tmp_path, base, IMPORT + f"""
            const names = [];
            for await (const one of events("/v1/jobs/{job}/events")) names.push(one.event);
            console.log(JSON.stringify(names));
        """)  # fmt: skip
    names = json.loads(said)
    assert names.count("job.completed") == 1
    assert names.count("job.snapshot") + names.count("job.started") <= 2
    assert len(asked) >= 3, "the proxy cut it off, and the last answer was 204"
    assert asked[0] == ""
    assert all(asked[1:])


async def test_where_no_stream_gets_through_it_polls(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    """S1-16: startJob falls back to asking."""
    async with app(dsn, steps) as seed, cutting(seed, streams=False) as (base, asked):
        job = await insert(conn, "matching.steps")
        key = (await conn.fetchrow("select key from bellhand.all_jobs where id = $1", job))["key"]
        made = json.dumps({"success": True, "job": {"id": str(key)}})
        said = await node(tmp_path, base, IMPORT + f"""
            const own = (url, options = {{}}) => String(url).endsWith("/create")
              ? Promise.resolve(new Response({json.dumps(made)}, {{headers: {{"Content-Type": "application/json"}}}}))
              : fetch(url, options);
            const job = await new JobManager({{fetch: own}}).startJob("p1", "ai");
            console.log(job.status);
        """)  # fmt: skip
    assert said.strip() == "completed"
    assert len(asked) == 1, "an answer that is no stream is not asked for again"


async def test_what_is_shown_of_a_job_is_words(tmp_path: Path) -> None:
    """The text that screen readers get: S0-17, S0-18, S0-19."""
    said = await node(tmp_path, "http://127.0.0.1", IMPORT + """
        const now = new Date("2026-01-01T12:00:00Z");
        const progress = {percent: 63, steps_done: 3, steps_failed: 1, steps_total: 6, step: "SEO in Delhi"};
        const eta = {finishes_at: "2026-01-01T12:02:10Z"};
        for (const job of [
          {state: "running", progress, eta}, {state: "pending", position: {ahead: 2}}, {state: "pending", position: {ahead: 0}},
          {state: "completed", partial: true, progress}, {state: "failed", progress: {}},
          {state: "running", progress: {percent: 99, ending: "finishing", items_done: 4, items_total: 4}},
          {state: "running", progress: {percent: null, ending: null, steps_done: 2, steps_failed: 0, steps_total: null}},
        ]) { const {state, value, more} = words(job, now); console.log([state, value, more].join("|")); }
    """)  # fmt: skip
    assert said.splitlines() == [
        "Running|63 percent, 4 of 6 steps, about 2 minutes left|SEO in Delhi",
        "Waiting|2 before it|",
        "Waiting|next in line|",
        "Completed in part|100 percent, 4 of 6 steps|",
        "Failed||",
        "Running|finishing, 4 of 4|",
        "Running|2 steps done|",
    ]


@asynccontextmanager
async def cutting(seed: App, *, streams: bool = True) -> AsyncIterator[tuple[str, list[str]]]:
    """A proxy that cuts each stream after two events, or makes a page of it; and the Last-Event-IDs that it was asked with."""
    asked: list[str] = []

    async def pass_on(request: web.Request) -> web.StreamResponse:
        headers = {n: v for n, v in request.headers.items() if n in ("Authorization", "Accept", "Last-Event-ID", "Content-Type")}  # fmt: skip
        url = seed.base + request.path_qs
        if not request.path.endswith("/events"):
            async with seed.session.request(request.method, url, headers=headers, data=await request.read()) as found:  # fmt: skip
                return web.Response(body=await found.read(), status=found.status, content_type=found.content_type)  # fmt: skip
        asked.append(request.headers.get("Last-Event-ID", ""))
        if not streams:
            return web.Response(text="<p>no streams here</p>", content_type="text/html")
        async with seed.session.get(
            url, headers=headers, timeout=aiohttp.ClientTimeout(None)
        ) as found:
            response = web.StreamResponse(status=found.status, headers={"Content-Type": found.headers.get("Content-Type", "text/plain")})  # fmt: skip
            await response.prepare(request)
            text = b""
            async for chunk in found.content.iter_any():
                # So that the next try comes at once.
                text += chunk.replace(b"retry: 3000", b"retry: 10")
                if text.count(b"\n\n") > 2:
                    break
            end = text.rfind(b"\n\n") + 2
            await response.write(text[:end])
            return response

    server = web.AppRunner(_app(pass_on), access_log=None, shutdown_timeout=0.1)
    await server.setup()
    try:
        await web.TCPSite(server, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{server.addresses[0][1]}", asked
    finally:
        await server.cleanup()


def _app(handler: Any) -> web.Application:
    made = web.Application()
    made.router.add_route("*", "/{tail:.*}", handler)
    return made
