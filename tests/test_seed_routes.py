"""The 23 routes of the seeds, each in its seed's own words: S0-11 to S0-15, S1-04 to S1-07, S2-09 to S2-11, S3-01 to S3-06, S4-12, S4-22 to S4-24."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import asyncpg
import pytest

import crm as shop
import matching
from bellhand import Job, job_kind
from bellhand.app import Daemon
from bellhand.callers import digest
from bellhand.families import crm, leads, seo, sites
from bellhand.families.matching import run_matching
from bellhand.kinds import ATTRIBUTE
from daemons import at_work, insert, until
from support import eventually

TOKEN, SECRET = "0123456789abcdef-token", "fedcba9876543210-cron"
AS_USER = {"Authorization": f"Bearer {TOKEN}"}
AS_CRON = {"Authorization": f"Bearer {SECRET}"}
ROUTES = [
    ("POST", "/api/jobs/queue"), ("GET", "/api/jobs/queue"), ("GET", "/api/jobs/status/1"), ("DELETE", "/api/jobs/status/1"),
    ("GET", "/api/cron/process-jobs"), ("POST", "/api/jobs/create"), ("GET", "/api/jobs/1"), ("POST", "/api/jobs/1/process"),
    ("PATCH", "/api/jobs/1"), ("POST", "/api/jobs/process"), ("GET", "/api/jobs/status"), ("POST", "/api/jobs/retry"),
    ("POST", "/api/jobs/crawl"), ("GET", "/api/jobs/1/status"), ("GET", "/api/jobs/process"), ("POST", "/api/jobs/cleanup"),
    ("GET", "/api/cron/daily"), ("GET", "/api/cron/monthly"), ("GET", "/api/cron/process-opportunities"),
    ("GET", "/api/cron/cleanup-old-jobs"), ("GET", "/api/admin/jobs/stats"), ("GET", "/api/admin/jobs/failed"),
    ("POST", "/api/admin/jobs/retry"),
]  # fmt: skip


@dataclass
class App:
    """An app of a seed that calls us."""

    session: aiohttp.ClientSession
    daemon: Daemon

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.daemon.status.port}"

    async def ask(
        self, method: str, path: str, body: Any = None, **headers: Any
    ) -> tuple[int, Any]:
        given = headers.get("headers", AS_USER)
        async with self.session.request(
            method, self.base + path, json=body, headers=given
        ) as answer:
            return answer.status, await answer.json(content_type=None)

    async def hold(self, conn: asyncpg.Connection, lane: str) -> None:
        """Nothing of the lane starts any more."""
        await conn.execute("select bellhand.pause_lane($1)", lane)
        await eventually(lambda: self.daemon.worker.positions.paused(lane))

    async def get(self, path: str, **headers: Any) -> Any:
        status, body = await self.ask("GET", path, **headers)
        assert status == 200, body
        return body

    async def post(self, path: str, body: Any = None, status: int = 200, **headers: Any) -> Any:
        code, answer = await self.ask("POST", path, body, **headers)
        assert code == status, answer
        return answer


@asynccontextmanager
async def app(dsn: str, *handlers: Any, **sections: Any) -> AsyncIterator[App]:
    status = {"port": 0, "token": TOKEN, "cron_secret": SECRET}
    async with at_work(dsn, *handlers, status=status, **sections) as daemon, aiohttp.ClientSession() as session:  # fmt: skip
        yield App(session, daemon)


# Kinds with the seeds' names that do next to nothing: what is asked here is what the routes make of them.


@job_kind("lead-collection", lane="leads", attempts_max=1)
async def collect(args: dict[str, Any], job: Job) -> None:
    async def search(pair: tuple[str, str]) -> None:
        job.progress(message=f"searching for {pair[0]}")
        await asyncio.sleep(0.05)
        job.count("leads", 2)
        if pair[1] == "Nowhere":
            raise ValueError("no such place")
        if pair[1] == "Far away":
            await asyncio.sleep(60)

    pairs = [(service, place) for service in args["services"] for place in args["locations"]]
    await job.each(pairs, search, name=lambda pair: f"{pair[0]} in {pair[1]}")


@job_kind("sites.validate", lane="sites", attempts_max=1)
async def validate(args: dict[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(args.get("seconds", 0))
    if args.get("fails"):
        raise ValueError("the site is down")
    return {"status": "ok"}


@job_kind("seo.crawl", lane="seo", attempts_max=1)
async def crawl(args: dict[str, Any]) -> dict[str, Any]:
    if args.get("siteId") == 404:
        raise ValueError("there is no site 404")
    return {"pages": args.get("maxPages")}


async def test_s0_a_lead_collection_is_queued_followed_and_cancelled(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """S0-08, S0-10 to S0-15, S0-17, S0-19, S0-28."""
    async with app(dsn, collect) as seed:
        made = await seed.post("/api/jobs/queue", {"services": "Web Development, SEO", "locations": "Dhaka, Delhi, Singapore"}, 201)  # fmt: skip
        assert (made["success"], made["totalSteps"], made["estimatedDuration"]) == (True, 6, 60)
        job = made["jobId"]
        await until(conn, await id_of(conn, job), "completed")
        shown = (await seed.get(f"/api/jobs/status/{job}"))["job"]
        assert shown | {
            "jobId": job, "type": "lead-collection", "status": "completed", "services": ["Web Development", "SEO"],
            "locations": ["Dhaka", "Delhi", "Singapore"], "currentStep": 6, "totalSteps": 6, "progress": 100.0,
            "progressMessage": "searching for SEO", "leadsFound": 12, "failedSteps": 0, "errorMessage": None,
        } == shown  # fmt: skip

        broken = await seed.post("/api/jobs/queue", {"services": ["SEO"], "locations": ["Nowhere", "Delhi"]}, 201)  # fmt: skip
        await until(conn, await id_of(conn, broken["jobId"]), "completed")
        shown = (await seed.get(f"/api/jobs/status/{broken['jobId']}"))["job"]
        assert (shown["status"], shown["failedSteps"]) == ("completed", 1)
        assert "no such place" in shown["errorMessage"]

        long = await seed.post("/api/jobs/queue", {"services": "SEO", "locations": "Far away, Delhi"}, 201)  # fmt: skip
        await until(conn, await id_of(conn, long["jobId"]), "running")
        shown = (await seed.get(f"/api/jobs/status/{long['jobId']}"))["job"]
        assert (shown["status"], shown["totalSteps"]) == ("running", 2)
        queue = await seed.get("/api/jobs/queue")
        assert [one["jobId"] for one in queue["jobs"]] == [long["jobId"], broken["jobId"], job]
        assert set(queue["statistics"]) >= {"total", "completed", "failed", "successRate", "failureRate", "averageProcessingTime", "queueLength"}  # fmt: skip
        assert queue["statistics"]["running"] == 1
        code, told = await seed.ask("DELETE", f"/api/jobs/status/{long['jobId']}")
        assert (code, told["success"], told["status"]) == (200, True, "cancelled")
        await until(conn, await id_of(conn, long["jobId"]), "cancelled")
        code, told = await seed.ask("DELETE", f"/api/jobs/status/{job}")
        assert (code, told) == (409, {"error": "the job is completed already"})
        assert (await seed.get("/api/cron/process-jobs", headers=AS_CRON))["processed"] == 0


async def test_s1_matching_is_created_asked_for_urged_and_given_up(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """S1-03 to S1-08, S1-12, S1-20."""
    async with app(dsn, run_matching) as seed:
        same = [{"sku": f"S{n}", "title": f"Thing {n}", "attributes": {"ean": f"490552432{n:04}"}} for n in range(20)]  # fmt: skip
        await matching.project(conn, same, [one | {"sku": f"T{n}"} for n, one in enumerate(same)])
        asked = {"projectId": "p1", "jobType": "ai", "config": {"jobType": "ai"}}
        made = await seed.post("/api/jobs/create", asked, 201)
        assert made["success"]
        assert made["job"] == {"id": made["job"]["id"], "projectId": "p1", "status": "pending", "totalItems": 20}  # fmt: skip
        job = made["job"]["id"]
        messages = []
        async with asyncio.timeout(30):
            while True:
                told = await seed.post(f"/api/jobs/{job}/process")
                messages.append(told["message"])
                if told["job"]["status"] == "completed":
                    break
        assert all(
            one.startswith("Processed ") and one.endswith(" new matches") for one in messages
        )
        final = (await seed.get(f"/api/jobs/{job}"))["job"]
        assert (final["processedItems"], final["totalItems"], final["matchesFound"]) == (20, 20, 20)
        assert (final["progressPercentage"], final["matchRate"]) == (100.0, 100.0)
        assert (await seed.post(f"/api/jobs/{job}/process"))["message"] == "Processed 0 items, 0 new matches"  # fmt: skip

        await seed.hold(conn, "matching")
        stuck = (await seed.post("/api/jobs/create", asked, 201))["job"]["id"]
        body = {"status": "failed", "completedAt": "2025-11-24T22:00:00Z"}
        code, told = await seed.ask("PATCH", f"/api/jobs/{stuck}", body)
        assert (code, told["job"]["status"]) == (200, "failed")
        assert told["job"]["errorMessage"] == "declared failed by hand"
        code, told = await seed.ask("PATCH", f"/api/jobs/{stuck}", {"status": "completed"})
        assert code == 422
        assert "status" in told["error"]


async def test_s2_checks_are_processed_counted_and_retried(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """S2-02, S2-09 to S2-14."""
    async with app(dsn, validate) as seed:
        await insert(conn, "sites.validate", '{"business_id": 1, "seconds": 0.3}')
        bad = await insert(conn, "sites.validate", '{"business_id": 2, "fails": true, "seconds": 0.3}')  # fmt: skip
        told = await seed.post("/api/jobs/process", {"maxJobs": 10, "timeout": 25000})
        assert told == {"success": True, "processed": 2, "succeeded": 1, "failed": 1, "remaining": 0}  # fmt: skip
        status = await seed.get("/api/jobs/status")
        assert set(status) >= {"queued", "running", "success", "failure", "recentFailures"}
        (failure,) = status["recentFailures"]
        assert (failure["jobType"], failure["businessId"], failure["retryCount"]) == ("website_validation", "2", 1)  # fmt: skip
        assert "the site is down" in failure["error"]
        await seed.hold(conn, "sites")
        told = await seed.post("/api/jobs/retry", {"jobId": failure["id"]})
        assert (told["success"], told["job"]["status"], told["job"]["jobType"]) == (True, "queued", "website_validation")  # fmt: skip
        assert (await conn.fetchval("select state from bellhand.all_jobs where id = $1", bad)) == "pending"  # fmt: skip
        code, told = await seed.ask("POST", "/api/jobs/retry", {"jobId": "nonsense"})
        assert (code, "neither an id nor a key" in told["error"]) == (400, True)
        code, told = await seed.ask("POST", "/api/jobs/retry", {"jobId": 999})
        assert (code, "there is no job 999" in told["error"]) == (404, True)
        told = await seed.post("/api/jobs/process", {"maxJobs": 1, "timeout": 100})
        assert told["processed"] == 0


async def test_s3_a_crawl_is_accepted_and_told_in_capitals(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """S3-01 to S3-06, S3-11, S3-17, S3-29; C3, C10."""
    async with app(dsn, crawl, seo.crawl_sites) as seed:
        made = await seed.post("/api/jobs/crawl", {"siteId": "123", "maxPages": 5}, 202)
        assert made == {"success": True, "jobId": made["jobId"], "statusUrl": f"/api/jobs/{made['jobId']}/status"}  # fmt: skip
        await until(conn, await id_of(conn, made["jobId"]), "completed")
        job = (await seed.get(made["statusUrl"]))["job"]
        assert (job["status"], job["result"], job["error"]) == ("COMPLETED", {"pages": 5}, None)
        bad = await seed.post("/api/jobs/crawl", {"siteId": 404}, 202)
        await until(conn, await id_of(conn, bad["jobId"]), "failed")
        job = (await seed.get(bad["statusUrl"]))["job"]
        assert (job["status"], "there is no site 404" in job["error"]) == ("FAILED", True)
        code, told = await seed.ask("POST", "/api/jobs/crawl", {"siteId": ""})
        assert (code, "siteId" in told["error"]) == (422, True)

        await seed.hold(conn, "seo")
        waits = await seed.post("/api/jobs/crawl", {"siteId": "https://example.com", "priority": 8}, 202)  # fmt: skip
        job = (await seed.get(waits["statusUrl"]))["job"]
        assert (job["status"], job["priority"]) == ("PENDING", 8)
        for headers in (AS_USER, AS_CRON):
            stats = await seed.get("/api/jobs/process", headers=headers)
            assert (set(stats), stats["pending"]) == ({"pending", "processing", "completed", "failed", "total"}, 1)  # fmt: skip
        await conn.execute("select bellhand.resume_lane('seo')")
        assert (await seed.post("/api/jobs/process", headers=AS_CRON))["success"]
        await conn.execute(
            "insert into bellhand_seo.sites (url, recrawl) values ('https://a.example', 'daily'), ('https://b.example', 'daily')"
        )
        assert await seed.get("/api/cron/daily", headers=AS_CRON) == {"success": True, "queued": 2}
        assert await seed.post("/api/cron/monthly", headers=AS_CRON) == {"success": True, "queued": 0}  # fmt: skip
        await conn.execute(
            "create table bellhand.history_20200101 partition of bellhand.history for values from ('2020-01-01') to ('2020-01-02')"
        )
        told = await seed.post("/api/jobs/cleanup", {"daysOld": 90})
        assert told == {"success": True, "daysOld": 90, "deletedDays": ["2020-01-01"]}


async def test_s4_crons_queue_and_admins_look_and_retry(dsn: str, conn: asyncpg.Connection) -> None:
    """S4-12, S4-17, S4-19, S4-22 to S4-24; C5."""
    kinds = [crm.process_opportunities, crm.cleanup_old_data, crm.send_promotion]
    async with app(dsn, *kinds) as seed:
        for n in range(3):
            await shop.customer(conn, f"c{n}")
            await shop.put(conn, "opportunities", id=f"o{n}", customer_id=f"c{n}", title="x", offer="y", status="new", estimated_value=100 * n)  # fmt: skip
        await conn.execute("insert into bellhand.kinds (name, lane) select 'crm.process_opportunity_offer', id from bellhand.lanes where name = 'crm'")  # fmt: skip
        assert await seed.post("/api/cron/process-opportunities", headers=AS_CRON) == {"success": True, "queued": 3}  # fmt: skip
        assert await seed.get("/api/cron/cleanup-old-jobs", headers=AS_CRON) == {"success": True, "queued": 1}  # fmt: skip
        bad = await insert(conn, "crm.send_promotion", '{"customerId": "c1", "promotionId": "none"}')  # fmt: skip
        await until(conn, bad, "failed")
        (failed,) = await seed.get("/api/admin/jobs/failed")
        assert set(failed) == {"id", "type", "status", "retryCount", "errorMessage", "createdAt"}
        assert (failed["type"], failed["status"]) == ("send_promotion", "failed")
        assert "there is no promotion none" in failed["errorMessage"]
        told = await seed.post("/api/admin/jobs/retry", {"jobId": failed["id"]})
        assert (told["success"], told["job"]["type"]) == (True, "send_promotion")
        await conn.execute(
            "insert into bellhand.totals (kind, outcome, jobs, run_seconds) values ('a', 'completed', 1450, 1740), ('a', 'fail', 28, 1)"
            " on conflict (kind, outcome) do update set jobs = excluded.jobs, run_seconds = excluded.run_seconds"
        )
        await conn.execute("delete from bellhand.totals where kind <> 'a'")
        stats = await seed.get("/api/admin/jobs/stats")
        assert stats | {"completed": 1450, "failed": 28, "successRate": "98.1%", "avgProcessingTime": "1.2s"} == stats  # fmt: skip
        assert stats["total"] == stats["pending"] + stats["processing"] + 1478


@job_kind("crm.echo")
async def echo(args: dict[str, Any]) -> dict[str, Any]:
    return args


async def test_who_may_only_look_sees_no_secrets(dsn: str, conn: asyncpg.Connection) -> None:
    token = "bellhand_" + "x" * 43
    async with app(dsn, echo) as seed:
        await conn.execute(
            "select bellhand.create_token('looks', array['read'], $1)", digest(token)
        )
        job = await insert(conn, "crm.echo", '{"api_key": "hush-hush", "n": 1}')
        await until(conn, job, "completed")
        looks = {"Authorization": f"Bearer {token}"}
        for path in (f"/api/jobs/{job}", f"/api/jobs/{job}/status"):
            assert "hush-hush" in str(await seed.get(path))
            assert "hush-hush" not in str(await seed.get(path, headers=looks))


async def test_what_attempts_came_to_adds_up_beyond_the_minutes(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with at_work(dsn, validate) as daemon:
        for n in range(3):
            await until(conn, await insert(conn, "sites.validate", json.dumps({"fails": n == 0})), "failed" if n == 0 else "completed")  # fmt: skip
            await daemon.keeper.write_stats()
    rows = await conn.fetch("select kind, outcome, jobs from bellhand.totals order by outcome")
    assert [tuple(row) for row in rows] == [("sites.validate", "completed", 2), ("sites.validate", "fail", 1)]  # fmt: skip


async def test_there_are_23_routes_and_each_asks_who_is_there(dsn: str, conn: asyncpg.Connection) -> None:  # fmt: skip
    """S2-18, S3-17, S4-12: no token, a wrong one, the secret of crons where it has no business."""
    assert len(set(ROUTES)) == 23
    async with app(dsn, validate) as seed:
        for method, path in ROUTES:
            code, told = await seed.ask(method, path, headers={})
            assert (code, told) == (401, {"error": "Unauthorized"}), (method, path)
        for path in ("/api/jobs/queue", "/api/jobs/status", "/api/admin/jobs/failed", "/v1/jobs/1"):
            code, told = await seed.ask("GET", path, headers=AS_CRON)
            assert code == 403, path
        code, told = await seed.ask("GET", "/api/cron/daily", headers={"Authorization": "Bearer x"})
        assert (code, told) == (401, {"error": "Unauthorized"})
        for path in ("/api/jobs/retry", "/api/jobs/cleanup", "/api/jobs/crawl"):
            assert (await seed.ask("GET", path))[0] == 405, path


async def test_a_cron_without_a_secret_is_for_this_machine_and_with_one_for_those_who_show_it(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with aiohttp.ClientSession() as session:
        async with at_work(dsn, validate) as daemon:
            seed = App(session, daemon)
            assert (await seed.get("/api/cron/process-jobs", headers={}))["success"]
            for foreign in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
                code, told = await seed.ask("GET", "/api/cron/process-jobs", headers=foreign)
                assert code == 403, "what somebody's page asks for is no cron"
        async with at_work(dsn, validate, status={"port": 0, "cron_secret": SECRET}) as daemon:
            seed = App(session, daemon)
            code, told = await seed.ask("GET", "/api/cron/process-jobs", headers={})
            assert (code, told) == (401, {"error": "Unauthorized"})
            assert (await seed.get("/api/cron/process-jobs", headers=AS_CRON))["success"]


FITS = [
    ("/api/jobs/queue", {"services": "SEO; Web, and more", "locations": ["Delhi"]}),
    ("/api/jobs/queue", {"type": "google-ads-check", "leadIds": [1, 2]}),
    ("/api/jobs/create", {"projectId": "p", "jobType": "web-search", "config": {"jobType": "web-search"}}),
    ("/api/jobs/crawl", {"siteId": 5, "maxPages": 10, "userId": "u"}),
    ("/api/jobs/crawl", {"siteId": "example.com"}),
    ("/api/jobs/crawl", {"siteId": "abc-123"}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body"), FITS)
async def test_what_the_routes_enqueue_fits_the_families(
    dsn: str, conn: asyncpg.Connection, path: str, body: dict[str, Any]
) -> None:
    handlers = [leads.lead_collection, leads.google_ads_check, run_matching, seo.crawl_site, sites.validate_site]  # fmt: skip
    kinds = {getattr(one, ATTRIBUTE).name: getattr(one, ATTRIBUTE) for one in handlers}
    async with app(dsn, *handlers) as seed:
        for lane in {kind.lane for kind in kinds.values()}:
            await seed.hold(conn, lane)
        code, told = await seed.ask("POST", path, body)
        assert code in (201, 202), told
        row = await conn.fetchrow("select kind, payload::text, source from bellhand.all_jobs")
        kinds[row["kind"]].arguments(row["payload"])
        assert row["source"] == "http:configured"


async def id_of(conn: asyncpg.Connection, key: str) -> int:
    return int(await conn.fetchval("select id from bellhand.all_jobs where key = $1", key))
