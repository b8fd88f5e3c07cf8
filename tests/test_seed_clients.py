"""The seeds' own curl lines, poll loops and JobManager calls, run unchanged against a daemon; and their JSON against ours.

They are read from the seeds when the test runs; only what they mark as a placeholder is filled in.
"""

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import matching
import seeds
from bellhand.families.matching import run_matching
from bellhand.families.seo import crawl_sites
from daemons import insert, until
from support import ROOT
from test_seed_routes import SECRET, TOKEN, App, app, collect, crawl, id_of, validate

MODULE = ROOT / "daemon" / "bellhand" / "api" / "static" / "bellhand.js"
HOSTS = r"https?://(?:localhost:3000|your-domain\.com|your-app\.vercel\.app)"
# What a page of the app has around the code that a seed shows.
PRELUDE = """
import { readFileSync } from 'node:fs';
const real = globalThis.fetch;
globalThis.fetch = (url, options = {}) => real(new URL(url, BASE), {...options,
  headers: {Authorization: `Bearer ${TOKEN}`, ...options.headers}});
"""


def fill(text: str, base: str, job: str = "") -> str:
    """The placeholders of a seed's example, filled in."""
    text = re.sub(HOSTS, base, text).replace("localhost:3000", base)
    for place, value in {
        "YOUR_AUTH_TOKEN": TOKEN, "YOUR_TOKEN": TOKEN, "YOUR_JOB_ID": job, "JOB_ID": job,
        "job-uuid": job, "your-site-id": "12", "abc-123": "12", "your-project-id": "p1",
    }.items():  # fmt: skip
        text = text.replace(place, value)
    return text


async def run(program: str, *words: str, seconds: float = 40) -> str:
    child = await asyncio.create_subprocess_exec(
        program, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(seconds):
        out, err = await child.communicate()
    assert child.returncode == 0, f"{out.decode()}\n{err.decode()}"
    return out.decode()


async def shell(script: str) -> list[Any]:
    """The answers of every curl line of a seed's script; what else it runs has no business here."""
    others = "".join(f"{name}() {{ :; }}\n" for name in ("git", "npm", "npx", "openssl", "vercel"))
    head = f'set -e\nCRON_SECRET={SECRET}\n{others}curl() {{ command curl -sS --max-time 35 "$@"; echo; }}\n'
    said = await run("bash", "-c", head + script)
    return [json.loads(line) for line in said.splitlines() if line]


async def node(tmp_path: Path, base: str, script: str) -> str:
    """What a module prints, run in Node as the page of an app would be."""
    if shutil.which("node") is None:
        pytest.skip(
            "no Node here (apt-get install nodejs), so the seeds' own JavaScript was not run"
        )
    file = tmp_path / "app.mjs"
    head = f"const BASE = {json.dumps(base)}, TOKEN = {json.dumps(TOKEN)};\n"
    # Imports of the app lead to ours, as its bundler would be told.
    script = script.replace("'@/app/lib/job-manager'", repr(str(MODULE)))
    file.write_text(head + PRELUDE + script)
    return await run("node", str(file))


async def test_s2_curl_lines(dsn: str, conn: asyncpg.Connection) -> None:
    """S2-09 to S2-11, S2-18."""
    async with app(dsn, validate) as seed:
        bad = await insert(conn, "sites.validate", '{"business_id": 2, "fails": true}')
        key = (await until(conn, bad, "failed"))["key"]
        script = fill("\n".join(seeds.blocks("S2", "bash", "curl")), seed.base, str(key))
        processed, status, retried = await shell(script)
        assert processed["success"]
        assert status["recentFailures"][0]["id"] == str(key)
        assert retried["success"]


async def test_s3_curl_lines(dsn: str, conn: asyncpg.Connection) -> None:
    """S3-01 to S3-05, S3-21, S3-28."""
    async with app(dsn, crawl, crawl_sites) as seed:
        job = (await seed.post("/api/jobs/crawl", {"siteId": 1}, 202))["jobId"]
        await until(conn, await id_of(conn, job), "completed")
        answers = await shell(fill("\n".join(seeds.blocks("S3", "bash", "curl")), seed.base, job))
        crawls = [one for one in answers if "statusUrl" in one]
        assert len(crawls) == 2
        # Two lines of the quick reference show nothing, and are told so.
        assert answers[-2:] == [{"error": "Unauthorized"}] * 2
        assert {"processed", "deletedDays", "pending"} <= {key for one in answers for key in one}
        assert [one["job"]["status"] for one in answers if "job" in one] == ["COMPLETED"]


async def test_s3_poll_loop(dsn: str, conn: asyncpg.Connection, tmp_path: Path) -> None:
    """S3-02, S3-23: the client-side code of the quick start."""
    loop = seeds.block("S3", "typescript", "const checkStatus")
    async with app(dsn, crawl) as seed:
        said = await node(tmp_path, seed.base, "const token = TOKEN;\n" + fill(loop, seed.base))
    assert "Job completed! { pages: 10 }" in said


async def test_s1_chunk_loop(dsn: str, conn: asyncpg.Connection, tmp_path: Path) -> None:
    """S1-04 to S1-06, S1-11: the manual calls."""
    loop = seeds.block("S1", "typescript", "while (true)")
    async with app(dsn, run_matching) as seed:
        await projects(conn)
        said = await node(tmp_path, seed.base, fill(loop, seed.base))
    assert "Job done!" in said
    assert "matchesFound: 20" in said


async def test_s1_job_manager(dsn: str, conn: asyncpg.Connection, tmp_path: Path) -> None:
    """S1-16: the recommended way, with our module in place of the seed's."""
    usage = seeds.block("S1", "typescript", "new JobManager()")
    around = "const projectId = 'p1'; const setProgress = () => {}, setMatchesFound = () => {};\nconst useEffect = (effect) => effect()();\n"
    async with app(dsn, run_matching) as seed:
        await projects(conn)
        said = await node(tmp_path, seed.base, around + usage)
    assert "Processed: 20/20" in said
    assert "Matches found: 20" in said
    assert "Job completed!" in said


async def test_s1_unsticking_a_job(dsn: str, conn: asyncpg.Connection, tmp_path: Path) -> None:
    """S1-07."""
    patch = seeds.block("S1", "typescript", "method: 'PATCH'")
    async with app(dsn, run_matching) as seed:
        await projects(conn)
        await seed.hold(conn, "matching")
        asked = {"projectId": "p1", "jobType": "ai"}
        job = (await seed.post("/api/jobs/create", asked, 201))["job"]["id"]
        await node(tmp_path, seed.base, f"const jobId = '{job}';\n{patch}")
        await until(conn, await id_of(conn, job), "cancelled")
        assert (await seed.get(f"/api/jobs/{job}"))["job"]["status"] == "failed"


async def projects(conn: asyncpg.Connection) -> None:
    same = [{"sku": f"S{n}", "title": f"Thing {n}", "attributes": {"ean": f"490552432{n:04}"}} for n in range(20)]  # fmt: skip
    await matching.project(conn, same, [one | {"sku": f"T{n}"} for n, one in enumerate(same)])


async def test_our_answers_have_the_shape_that_the_seeds_show(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """S1-04 to S1-06, S3-11, S4-22, S4-23: every field of theirs, of its type."""
    async with app(dsn, run_matching, validate, collect) as seed:
        await projects(conn)
        asked = json.loads(re.findall(r"```json\n(.*?)```", seeds.text("S1"), re.S)[0])
        asked["projectId"] = "p1"
        made = await seed.post("/api/jobs/create", asked, 201)
        job = made["job"]["id"]
        told = await seed.post(f"/api/jobs/{job}/process")
        bad = await insert(conn, "sites.validate", '{"fails": true}')
        await until(conn, bad, "failed")
        await until(conn, await id_of(conn, job), "completed")
        for seed_name, route, given in (
            ("S1", "### POST /api/jobs/create", made),
            ("S1", "### GET /api/jobs/[id]", await shown(seed, job)),
            ("S1", "### POST /api/jobs/[id]/process", told),
            ("S4", "// GET /api/admin/jobs/stats", await seed.get("/api/admin/jobs/stats")),
            ("S4", "// GET /api/admin/jobs/failed", await seed.get("/api/admin/jobs/failed")),
        ):
            assert not seeds.same_shape(seeds.answer(seed_name, route), given), route
        stats = re.findall(r"^  (\w+): \d+,?$", seeds.block("S3", "typescript", "getJobStats()\n/*"), re.M)  # fmt: skip
        assert set(stats) == set(await seed.get("/api/jobs/process"))
        words = re.search(r"interface IJobQueue {(.*?)//", seeds.text("S0"), re.S)
        assert words
        fields = re.findall(r"^  (\w+):", words[1], re.M)
        queued = await seed.post("/api/jobs/queue", {"services": "a", "locations": "b"}, 201)
        assert set(fields) <= set(queued["job"])


async def shown(seed: App, job: str) -> Any:
    """The job while it has an estimated completion to show is a matter of luck; null stands for a time."""
    told = await seed.get(f"/api/jobs/{job}")
    told["job"]["estimatedCompletion"] = told["job"]["estimatedCompletion"] or told["job"]["completedAt"]  # fmt: skip
    return told
