"""The pytest plugin: its fixture used directly, and by a project of its own."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import BaseModel

import isolated_handlers
from bellhand import Failed, Job, Retry, Snooze, job_kind
from bellhand.testing import Bellhand
from bellhand.testing.database import Loop
from bellhand.testing.database import Server as Databases
from support import ROOT, Server

pytest_plugins = ["pytester"]


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


@pytest.fixture(scope="session")
def databases(loop: Loop, server: Server) -> Iterator[Databases]:
    made = Databases(loop, server.dsn, None)
    yield made
    made.close()


@pytest.fixture
def desk(loop: Loop, databases: Databases) -> Iterator[Bellhand]:
    """What users get as `bellhand`."""
    made = Bellhand(loop, databases)
    yield made
    made.close()


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
    assert [report.state for report in desk.drain()] == ["retrying"]
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


# -- crashes ---------------------------------------------------------------------------------------


class Service:
    """An outside service that knows idempotency keys, or does not."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.keys: set[Any] = set()

    async def call(self, what: str, key: Any = None) -> str:
        if key is None or key not in self.keys:
            self.calls.append(what)
        self.keys.add(key)
        return what


def test_a_job_that_checkpoints_well_is_crash_safe(desk: Bellhand) -> None:
    service = Service()
    attempts = []

    @job_kind("t.safe", attempts_max=1)
    async def safe(args: dict[str, Any], job: Job) -> dict[str, Any]:
        attempts.append(job.id)

        async def one(n: int) -> str:
            job.count("done")
            return await service.call(f"{n}", job.step_key(f"n {n}"))

        await job.step("n 0", one, 0)
        await job.each(range(1, args["n"]), one, name=lambda n: f"n {n}", concurrency=2)
        return {"done": job.counters["done"]}

    desk.use(safe)
    report = desk.assert_crash_safe(
        "t.safe", n=4, effects=lambda: sorted(service.calls), reset=service.calls.clear
    )
    assert report.result == {"done": 4}
    # One undisturbed, and two attempts for each of three moments of four steps and the end.
    assert len(attempts) == 1 + 2 * (3 * 4 + 1)
    assert len(service.keys) == 4 * (1 + 13)
    assert all(job.state == "completed" for job in desk.jobs())


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ("between", "dying before the step 'two'"),
        ("inside", "dying inside the step 'one'"),
        ("after", "dying after the handler had returned"),
        ("counted", "dying before the step 'one'"),
        ("state", "dying after the step 'one'"),
    ],
)
def test_a_job_that_does_not_is_caught_where_it_breaks(
    desk: Bellhand, wrong: str, where: str
) -> None:
    calls: list[str] = []

    @job_kind("t.wrong")
    async def handler(job: Job) -> None:
        def once(what: str) -> str:
            if what not in calls or wrong == "inside":
                calls.append(what)
            return what

        got: list[str] = []

        def remember(what: str) -> None:
            got.append(once(f"{job.id} {what}"))

        await job.step("one", remember, "one")
        if wrong == "between":
            calls.append("between")
        if wrong == "counted" and job.attempt > 1:
            job.count("resumed")
        await job.step("two", remember, "two")
        if wrong == "state" and got[0] != f"{job.id} one":
            raise Failed("the first is forgotten")
        if wrong == "after":
            calls.append("after")

    desk.use(handler)
    with pytest.raises(AssertionError) as caught:
        desk.assert_crash_safe("t.wrong", effects=lambda: [what.split()[-1] for what in calls])
    assert f"t.wrong is not crash-safe, {where}" in str(caught.value)


def test_moments_can_be_left_out_and_effects_reset(desk: Bellhand) -> None:
    rows: dict[str, int] = {}

    @job_kind("t.upsert")
    async def upsert(job: Job) -> None:
        for n in range(3):
            await job.step(f"n {n}", rows.__setitem__, f"n {n}", n)

    @job_kind("t.append")
    async def append(job: Job) -> None:
        for n in range(3):
            await job.step(f"n {n}", rows.__setitem__, str(len(rows)), n)

    desk.use(upsert, append)
    desk.assert_crash_safe("t.upsert", effects=lambda: rows, reset=rows.clear)
    with pytest.raises(AssertionError, match="inside the step 'n 0'"):
        desk.assert_crash_safe("t.append", effects=lambda: len(rows), reset=rows.clear)
    desk.assert_crash_safe(
        "t.append", effects=lambda: len(rows), at=["before", "after"], boundaries_max=4
    )


def test_a_transaction_is_crash_safe_and_dies_with_its_connection(desk: Bellhand) -> None:
    @job_kind("t.transaction")
    async def transaction(job: Job) -> None:
        async with job.transaction() as conn:
            await conn.execute("create table if not exists effects (job bigint)")
            await conn.execute("insert into effects values ($1)", job.id)
            await job.step("while it is open", len, "abc")

    async def count() -> int:
        conn = await asyncpg.connect(desk.dsn)
        try:
            return int(await conn.fetchval("select count(*) from effects"))
        finally:
            await conn.close()

    desk.use(transaction)
    desk.run("t.transaction")
    desk.assert_crash_safe("t.transaction", effects=lambda: asyncio.run(count()))


def test_plain_and_isolated_handlers_die_too(
    desk: Bellhand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(isolated_handlers.NOTES, str(tmp_path))
    calls: list[int] = []

    @job_kind("t.plain")
    def plain(job: Any) -> list[int]:
        return [job.step(str(n), lambda n: calls.append(n) or n, n) for n in range(3)]

    def notes() -> int:
        return sum(len(file.read_text().splitlines()) for file in tmp_path.iterdir())

    desk.use(plain, isolated_handlers)
    at = ["before", "after", "at the end"]
    desk.assert_crash_safe("t.plain", effects=lambda: calls, at=at)
    desk.assert_crash_safe("i.walk", steps=2, effects=notes, at=at)


def test_a_job_that_fails_undisturbed_proves_nothing(desk: Bellhand) -> None:
    @job_kind("t.bad")
    async def bad() -> None:
        raise Failed("it never works")

    desk.use(bad)
    with pytest.raises(AssertionError, match="undisturbed, the job is failed: it never works"):
        desk.assert_crash_safe("t.bad")


# -- as users have it ------------------------------------------------------------------------------


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
