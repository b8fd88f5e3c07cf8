"""Proving that a job survives: it dies at every boundary, and what is wrong is named."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import isolated_handlers
from bellhand import Failed, Job, job_kind
from bellhand.testing import Bellhand

pytestmark = (
    pytest.mark.slow
)  # starts processes one after another; what they ask of Postgres others ask on each version

pytest_plugins = ["testing_fixtures"]


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
