"""The pytest plugin: its fixture used directly, and by a project of its own."""

import asyncio
import threading
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from pydantic import BaseModel

from bellhand import Job, Retry, Snooze, job_kind
from bellhand.testing import Bellhand
from support import ROOT, Server

pytest_plugins = ["pytester", "testing_fixtures"]


class Search(BaseModel):
    services: list[str]
    locations: list[str]


# -- running ---------------------------------------------------------------------------------------


def test_a_run_reports_what_came_of_the_job(desk: Bellhand) -> None:
    @job_kind("t.collect", attempts_max=2)
    async def collect(args: Search, job: Job) -> dict[str, Any]:
        async def search(pair: tuple[str, str]) -> int:
            job.count("leads", len(pair[1]))
            if pair[1] == "Nowhere":
                raise ValueError("no such place")
            return len(pair[1])

        pairs = [(s, p) for s in args.services for p in args.locations]
        await job.each(pairs, search, name=lambda pair: f"{pair[0]} in {pair[1]}")
        return {"leads": job.counters["leads"]}

    desk.use(collect)
    report = desk.run("t.collect", services=["SEO"], locations=["Dhaka", "Delhi"])
    assert (report.state, report.partial, report.attempts) == ("completed", False, 1)
    assert report.result == {"leads": 10}
    assert report.counters == {"leads": 10}
    assert [(step.name, step.state, step.result) for step in report.steps] == [
        ("SEO in Dhaka", "completed", 5),
        ("SEO in Delhi", "completed", 5),
    ]
    report = desk.run("t.collect", Search(services=["SEO"], locations=["Dhaka", "Nowhere"]))
    assert (report.state, report.attempts) == ("retrying", 1)
    assert "ValueError: no such place" in (report.error or "")
    assert not report.over
    desk.clock.advance("1h")
    (report,) = desk.drain()
    assert (report.state, report.partial, report.attempts) == ("completed", True, 2)
    assert report.steps[1].error
    assert "no such place" in report.steps[1].error
    assert report.steps[1].attempts == 2


def test_the_same_rules_hold_as_in_production(desk: Bellhand) -> None:
    @job_kind("t.slow", timeout_seconds=0.1, attempts_max=1)
    async def slow(args: Search) -> None:
        await asyncio.sleep(60)

    desk.use(slow)
    with pytest.raises(asyncpg.PostgresError, match="services"):
        desk.run("t.slow", locations=[])
    with pytest.raises(asyncpg.PostgresError, match="unknown"):
        desk.run("t.other")
    report = desk.run("t.slow", services=[], locations=[])
    assert (report.state, report.error) == ("failed", "timed out after 0.1 s")


def test_a_run_runs_its_job_and_no_other(desk: Bellhand) -> None:
    ran = []

    @job_kind("t.first")
    async def first(job: Job) -> None:
        ran.append(job.id)
        await job.enqueue("t.second", {"by": job.id})

    @job_kind("t.second", priority=9)
    async def second(args: dict[str, Any], job: Job) -> None:
        ran.append(job.id)

    desk.use(first, second)
    before = desk.enqueue("t.first", priority=10)
    mine = desk.run("t.first")
    assert ran == [mine.id]
    assert desk.report(before).state == "pending"
    child = desk.assert_enqueued("t.second", by=mine.id)
    assert child.state == "pending"
    reports = desk.drain()
    assert [report.state for report in reports] == ["completed"] * 3
    assert [report.id for report in reports] == [before, child.id, child.id + 1]
    assert [job.id for job in desk.jobs("t.second")] == [child.id, child.id + 1]


def test_draining_ends_even_if_the_jobs_do_not(desk: Bellhand, monkeypatch: Any) -> None:
    monkeypatch.setattr("bellhand.testing.desk.JOBS_MAX", 5)

    @job_kind("t.again")
    async def again(job: Job) -> None:
        await job.enqueue("t.again")

    desk.use(again)
    desk.enqueue("t.again")
    with pytest.raises(AssertionError, match="do they enqueue each other"):
        desk.drain()


def test_plain_and_isolated_handlers_run_too(desk: Bellhand) -> None:
    @job_kind("t.plain")
    def plain(args: dict[str, Any], job: Any) -> str:
        return str(job.step("where", lambda: threading.current_thread().name))

    desk.use(plain, "isolated_handlers")
    assert str(desk.run("t.plain").result).startswith("step")
    assert desk.run("i.look", what="x").result["payload"][0] == "x"


# -- the clock -------------------------------------------------------------------------------------


def test_the_clock_is_the_test_s(desk: Bellhand) -> None:
    tries: list[str] = []

    @job_kind("t.flaky", attempts_max=5)
    async def flaky(job: Job) -> None:
        async with job.connection() as conn:
            tries.append(str(await conn.fetchval("select bellhand.now()")))
        match len(tries):
            case 1:
                raise Retry("not yet", after_seconds=600)
            case 2:
                raise Snooze(3600)

    desk.use(flaky)
    assert desk.clock.set("2026-03-01 12:00+00").isoformat() == "2026-03-01T12:00:00+00:00"
    id = desk.enqueue("t.flaky", run_at=desk.clock.now + timedelta(minutes=5))
    assert desk.drain() == []
    desk.clock.advance("5m")
    assert [report.state for report in desk.drain()] == ["retrying"]
    desk.clock.advance(599)
    assert desk.drain() == []
    desk.clock.advance(1.0)
    assert [report.state for report in desk.drain()] == ["scheduled"]  # a snooze is no failure
    desk.clock.advance(timedelta(hours=1))
    assert [report.state for report in desk.drain()] == ["completed"]
    assert tries == [
        "2026-03-01 12:05:00+00:00", "2026-03-01 12:15:00+00:00", "2026-03-01 13:15:00+00:00",
    ]  # fmt: skip
    assert desk.report(id).attempts == 2
    with pytest.raises(ValueError, match="no span of time"):
        desk.clock.advance("ten minutes")


async def test_the_app_under_test_lives_in_the_same_time(desk: Bellhand) -> None:
    @job_kind("t.k")
    async def k() -> None: ...

    await asyncio.to_thread(desk.use, k)
    await asyncio.to_thread(desk.clock.set, "2031-01-01")
    conn = await asyncpg.connect(desk.dsn)
    try:
        await conn.execute("insert into bellhand.jobs (kind) values ('t.k')")
        assert (await conn.fetchval("select run_at from bellhand.jobs")).year == 2031
    finally:
        await conn.close()
    assert [report.state for report in await asyncio.to_thread(desk.drain)] == ["completed"]


# -- what was enqueued -----------------------------------------------------------------------------


def test_what_was_enqueued_is_asserted_by_some_of_its_fields(desk: Bellhand) -> None:
    @job_kind("t.notify")
    async def notify(args: dict[str, Any]) -> None: ...

    @job_kind("t.other")
    async def other(args: dict[str, Any]) -> None: ...

    desk.use(notify, other)
    with pytest.raises(AssertionError, match="no job at all was enqueued"):
        desk.assert_enqueued("t.notify")
    desk.enqueue("t.other", {"x": 1})
    with pytest.raises(AssertionError, match=r"1 of t\.other\ndid you mean t\.notify\?"):
        desk.assert_enqueued("t.notfy")
    id = desk.enqueue("t.notify", {"user": {"id": 1, "name": "Ann"}, "by": "mail"})
    desk.enqueue("t.notify", {"user": {"id": 2}})
    assert desk.assert_enqueued("t.notify", user={"id": 1}).id == id
    desk.refute_enqueued("t.notify", user={"id": 3})
    with pytest.raises(AssertionError) as missed:
        desk.assert_enqueued("t.notify", user={"id": 2}, by="mail")
    assert str(missed.value).splitlines() == [
        "no t.notify job with user={'id': 2}, by='mail' was enqueued",
        "jobs of the kind t.notify:",
        f"  #{id} pending: user.id is 1, not 2",
        f"  #{id + 1} pending: by is missing",
    ]
    with pytest.raises(AssertionError, match=r"t\.notify job with by='mail' was enqueued\n  #"):
        desk.refute_enqueued("t.notify", by="mail")


# -- as users have it ------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_project_of_its_own_uses_the_plugin(
    pytester: pytest.Pytester, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELLHAND_TEST_DSN", server.dsn)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "daemon"))
    pytester.makeini(
        "[pytest]\nbellhand_modules = acme_jobs\npythonpath = .\nfilterwarnings = error\n"
        "asyncio_default_fixture_loop_scope = function"
    )
    pytester.makepyfile(
        acme_jobs="""
        from bellhand import job_kind

        @job_kind("acme.greet")
        async def greet(args: dict, job):
            async with job.connection() as conn:
                await conn.execute("insert into greetings values ($1)", args["name"])
            return f"hello {args['name']}"
        """,
        conftest="""
        import asyncio, asyncpg, pytest

        @pytest.fixture(scope="session")
        def bellhand_prepare():
            async def make(dsn):
                conn = await asyncpg.connect(dsn)
                await conn.execute("create table greetings (name text)")
                await conn.close()
            return lambda dsn: asyncio.run(make(dsn))
        """,
        test_acme="""
        import pytest

        @pytest.mark.parametrize("turn", [1, 2])
        def test_greet(bellhand, turn):
            assert bellhand.jobs() == []
            assert bellhand.run("acme.greet", name="Ann").result == "hello Ann"
            bellhand.assert_enqueued("acme.greet", name="Ann")

        def test_not_crash_safe(bellhand):
            bellhand.assert_crash_safe("acme.greet", name="Ann", effects=lambda: bellhand.jobs())
        """,
    )
    done = pytester.runpytest_subprocess("-p", "no:bellhand", "-p", "bellhand.testing.plugin")
    done.assert_outcomes(passed=2, failed=1)
    done.stdout.fnmatch_lines(["*acme.greet is not crash-safe*"])
