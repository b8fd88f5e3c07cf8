"""How soon who watches a job is told of it, from the end of the commit: over a stream, and on the job's page in Chromium.

The bench of the pages calls it, over the same data; one update at a time, with a pause in between that no rhythm of ours fits.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from statistics import quantiles
from typing import Any

import aiohttp
import asyncpg

UPDATES = 60
UPDATE_MS_MAX = 250.0
PAUSE_SECONDS = (0.4, 1.0)
EVENT_SECONDS_MAX = 10.0

# Settles once the head of the page says it; the page's policy lets nothing be evaluated again and again from outside.
SHOWN = """text => new Promise(done => {
  const watcher = new MutationObserver(() => {
    if (document.querySelector("#head").textContent.includes(text)) { watcher.disconnect(); done(); }
  });
  watcher.observe(document.querySelector("#head"), {subtree: true, childList: true, characterData: true});
})"""

Change = Callable[[int], Awaitable[object]]


async def watched(dsn: str, base: str, running: int, pending: list[int]) -> bool:
    """Tells how long it took: progress of a job that runs, and the end of jobs that waited; whether the middle and p95 kept the bound."""
    connection = await asyncpg.connect(dsn, timeout=10)

    async def says(number: int) -> object:
        told = json.dumps({"done": number, "total": UPDATES * 2, "message": f"update {number}"})
        return await connection.execute("update bellhand.jobs set progress = $2 where id = $1", running, told, timeout=10)  # fmt: skip

    async def cancel(job: int) -> object:
        return await connection.execute("select bellhand.cancel($1)", job, timeout=10)

    print("| watched | updates | p50 ms | p95 ms | longest ms |\n| --- | ---: | ---: | ---: | ---: |")  # fmt: skip
    async with aiohttp.ClientSession() as session:
        async with stream(session, base, running) as events:
            progress = [await told(says, number, events) for number in range(UPDATES)]
        kept = line("progress of a job that runs, its stream", progress)
        ends = []
        for job in pending[:UPDATES]:
            async with stream(session, base, job) as events:
                ends.append(await told(cancel, job, events))
        kept = line("the end of a job that waited, a stream each", ends) and kept
    program = shutil.which("chromium")
    if program is None:
        print("no Chromium here: its page was not looked at")
    else:
        seen = await on_its_page(program, f"{base}/jobs/{running}", says)
        kept = line("the same progress on the job's page in Chromium", seen) and kept
    await connection.close()
    return kept


async def told(change: Change, which: int, events: AsyncIterator[str]) -> float:
    """The milliseconds from the end of a commit to the next event of the stream."""
    await asyncio.sleep(random.uniform(*PAUSE_SECONDS))
    await change(which)
    began = time.monotonic()
    async with asyncio.timeout(EVENT_SECONDS_MAX):
        await anext(events)
    return (time.monotonic() - began) * 1000


@asynccontextmanager
async def stream(
    session: aiohttp.ClientSession, base: str, job: int
) -> AsyncIterator[AsyncIterator[str]]:
    """The names of what a job's stream tells after its snapshot."""
    async with session.get(f"{base}/v1/jobs/{job}/events", headers={"Accept": "text/event-stream"}) as answer:  # fmt: skip

        async def names() -> AsyncIterator[str]:
            async for raw in answer.content:
                if raw.startswith(b"event: job."):
                    yield raw.decode().removeprefix("event: ").strip()

        events = names()
        first = await anext(events)
        if first != "job.snapshot":
            raise SystemExit(f"the stream of job {job} began with {first}")
        yield events


async def on_its_page(program: str, address: str, says: Change) -> list[float]:
    """The milliseconds from the end of a commit until the page shows it: its stream, the page asked for, changed in place."""
    from playwright.async_api import async_playwright

    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    took = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=arguments)
        page: Any = await browser.new_page()
        await page.goto(address)
        await asyncio.sleep(2)  # until its stream is there
        for number in range(UPDATES, 2 * UPDATES):
            shown = asyncio.create_task(page.evaluate(SHOWN, f"update {number}"))
            await asyncio.sleep(random.uniform(*PAUSE_SECONDS))
            await says(number)
            began = time.monotonic()
            async with asyncio.timeout(EVENT_SECONDS_MAX):
                await shown
            took.append((time.monotonic() - began) * 1000)
        await browser.close()
    return took


def line(what: str, took: list[float]) -> bool:
    """Prints a row of the table; whether p95 kept the bound."""
    cut = quantiles(took, n=20)
    print(f"| {what} | {len(took)} | {cut[9]:.0f} | {cut[18]:.0f} | {max(took):.0f} |", flush=True)
    return cut[18] <= UPDATE_MS_MAX
