"""What a handler holds, and how its attempts end, on a real Postgres."""

import asyncio
import dataclasses
import datetime
import decimal
import json
import uuid
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import BaseModel, Field, field_validator

from attempts import again, error, hands_for, result
from bellhand import Failed, Job, Retry, Snooze, job_kind
from bellhand.errors import Problem
from bellhand.kinds import ATTRIBUTE, Kind, find_kinds
from bellhand.outcomes import Completed, Ended

# -- transaction -----------------------------------------------------------------------------------


async def test_writes_and_completion_are_one_commit(dsn: str, conn: asyncpg.Connection) -> None:
    await conn.execute("create table effects (job bigint)")

    @job_kind("t.once")
    async def once(job: Job) -> str:
        said: dict[str, Any] = {}
        job.count("written", 1)
        async with job.transaction(said) as transaction:
            await transaction.execute("insert into effects values ($1)", job.id)
            said["found"] = await transaction.fetchval("select count(*) from effects")
            assert await conn.fetchval("select state from bellhand.jobs where id = $1", job.id)
        assert await conn.fetchval("select state from bellhand.all_jobs") == "completed"
        return "what is returned afterwards goes nowhere"

    async with hands_for(dsn, once) as h:
        id = await h.enqueue("t.once")
        job = await h.claim()
        assert await h.run(job) == Completed()
        assert await h.settle(job, Completed()) == "completed"
        row = await h.job(id)
        assert json.loads(row["result"]) == {"found": 1}
        assert json.loads(row["progress"])["counters"] == {"written": 1}
        assert not await conn.fetchval("select count(*) from bellhand.leases")


async def test_a_lost_lease_rolls_everything_back(dsn: str, conn: asyncpg.Connection) -> None:
    await conn.execute("create table effects (job bigint)")

    @job_kind("t.once")
    async def once(job: Job) -> None:
        async with job.transaction() as transaction:
            await transaction.execute("insert into effects values ($1)", job.id)
            if job.attempt == 1:
                await h.crash()

    async with hands_for(dsn, once) as h:
        id = await h.enqueue("t.once")
        job = await h.claim()
        end = await h.run(job)
        assert end.outcome == "lost"
        assert await h.settle(job, end) == "lost"
        assert await conn.fetchval("select count(*) from effects") == 0
        assert await h.work() == Completed()
        assert await conn.fetchval("select count(*) from effects") == 1
        assert (await h.job(id))["state"] == "completed"


@pytest.mark.parametrize("how", ["raise", "constraint", "cancel", "unstorable"])
async def test_what_goes_wrong_in_it_rolls_everything_back(
    dsn: str, conn: asyncpg.Connection, how: str
) -> None:
    await conn.execute("create table effects (job bigint primary key)")

    @job_kind("t.once")
    async def once(job: Job) -> None:
        async with job.transaction(object() if how == "unstorable" else None) as transaction:
            await transaction.execute("insert into effects values ($1)", job.id)
            if how == "raise":
                raise Retry("no")
            if how == "constraint":
                await transaction.execute("insert into effects values ($1)", job.id)
            if how == "cancel":
                job.stop("cancel")
                await transaction.execute("select pg_sleep(60)")

    async with hands_for(dsn, once) as h:
        await h.enqueue("t.once")
        async with asyncio.timeout(30):
            end = await h.work()
        assert isinstance(end, Ended)
        assert end.outcome == ("cancel" if how == "cancel" else "retry")
        assert await conn.fetchval("select count(*) from effects") == 0


async def test_steps_that_failed_make_a_transaction_partial(dsn: str) -> None:
    @job_kind("t.half")
    async def half(job: Job) -> None:
        async with job.transaction({"half": True}):
            await job.each(["1", "x"], int)

    async with hands_for(dsn, half) as h:
        id = await h.enqueue("t.half")
        await h.work()
        row = await h.job(id)
        assert (row["state"], row["partial"]) == ("completed", True)


async def test_an_error_after_the_transaction_changes_nothing(dsn: str) -> None:
    @job_kind("t.after")
    async def after(job: Job) -> None:
        async with job.transaction("done"):
            pass
        raise ValueError("too late")

    async with hands_for(dsn, after) as h:
        id = await h.enqueue("t.after")
        await h.work()
        row = await h.job(id)
        assert (row["state"], row["result"], row["error"]) == ("completed", '"done"', None)


# -- connection and enqueue ------------------------------------------------------------------------


async def test_a_job_enqueues_others_in_its_transaction_or_at_once(dsn: str) -> None:
    @job_kind("t.more")
    async def more(job: Job) -> Any:
        first = await job.enqueue("t.next", {"n": 1}, unique_key="k", priority=9, tags={"a": 1})
        second = await job.enqueue("t.next", {"n": 2}, unique_key="k", priority=9)
        later = datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC)
        await job.enqueue("t.next", run_at=later, owner="somebody", depends_on=[job.id])
        with pytest.raises(ValueError, match="the payload cannot be stored"):
            await job.enqueue("t.next", {"n": object()})
        with pytest.raises(asyncpg.PostgresError, match="unknown"):
            await job.enqueue("t.nxt")
        async with job.connection() as conn:
            transaction = conn.transaction()
            await transaction.start()
            await job.enqueue("t.next", {"n": 4}, conn=conn)
            await transaction.rollback()
        return [first, second]

    @job_kind("t.next")
    async def following(args: dict[str, Any]) -> None: ...

    async with hands_for(dsn, more, following) as h:
        id = await h.enqueue("t.more", owner="me")
        first, second = result(await h.work())
        assert first[0] == second[0]
        assert (first[1], second[1]) == (True, False)
        rows = await h.store.pool.fetch(
            "select * from bellhand.all_jobs where kind = 't.next' order by id"
        )
        assert [(row["owner"], row["state"], row["source"]) for row in rows] == [
            ("me", "pending", f"job:{id}"),
            ("somebody", "scheduled", f"job:{id}"),
        ]
        assert (rows[0]["priority"], json.loads(rows[0]["tags"])) == (9, {"a": 1})


async def test_a_connection_comes_back_as_it_was(dsn: str) -> None:
    @job_kind("t.messy")
    async def messy(args: dict[str, Any], job: Job) -> Any:
        async with job.connection() as conn:
            await conn.execute("set application_name = 'mine'; select pg_advisory_lock(1)")
            if args["how"] != "return":
                await conn.execute("begin; create table left_behind ()")
            if args["how"] == "raise":
                raise ValueError

    @job_kind("t.next")
    async def following(job: Job) -> Any:
        async with job.connection() as conn:
            return await conn.fetchrow(
                "select current_setting('application_name') as name, to_regclass('left_behind') as there,"
                " (select count(*) from pg_locks where locktype = 'advisory') as locks"
            )

    async with hands_for(dsn, messy, following) as h:
        h.store.pool.turns = asyncio.Semaphore(1)
        for how in ("return", "leave", "raise"):
            await h.enqueue("t.messy", json.dumps({"how": how}))
            await h.work()
            await h.enqueue("t.next")
            assert result(await h.work()) == {
                "name": "bellhand:handler",
                "there": None,
                "locks": 0,
            }, how


# -- progress and results --------------------------------------------------------------------------


async def test_progress_shows_what_it_was_told_and_refuses_what_cannot_be_stored(dsn: str) -> None:
    @job_kind("t.progress")
    async def progress(job: Job) -> None:
        job.progress(1, 3, message="a\x00b", stage="first")
        job.progress(2)
        job.count("found", 2)
        job.count("found", 0.5)
        for nonsense in (float("nan"), float("inf"), "many"):
            with pytest.raises(ValueError, match=r"number|convert"):
                job.count("found", nonsense)  # type: ignore[arg-type]
            with pytest.raises(ValueError, match=r"number|convert"):
                job.progress(nonsense)  # type: ignore[arg-type]

    async with hands_for(dsn, progress) as h:
        id = await h.enqueue("t.progress")
        await h.work()
        assert json.loads((await h.job(id))["progress"]) == {
            "done": 2, "total": 3, "percent": 66.7, "message": "a\\x00b", "stage": "first",
            "counters": {"found": 2.5},
        }  # fmt: skip


async def test_counting_from_many_threads_loses_nothing(dsn: str) -> None:
    @job_kind("t.threads")
    async def threads(job: Job) -> None:
        def body(_n: int) -> None:
            for _ in range(2000):
                job.count("n")

        await job.each(range(4), body, concurrency=4)

    async with hands_for(dsn, threads) as h:
        await h.enqueue("t.threads")
        job = await h.claim()
        await h.run(job)
        assert job.counters == {"n": 8000}


async def test_results_may_be_what_pydantic_can_write(dsn: str) -> None:
    @dataclasses.dataclass
    class Point:
        x: int

    class Shape(BaseModel):
        name: str = "a\x00"

    @job_kind("t.rich")
    async def rich(job: Job) -> Any:
        return {
            "point": Point(1), "shape": Shape(), "set": {"b", "a\x00"}, "day": datetime.date(2026, 3, 1),
            "price": decimal.Decimal("1.50"), "key": uuid.UUID(int=1), "path": Path("/x"),
            "long": "line\n" * 5000, "tuple": (1, [2]), 7: "seven",
        }  # fmt: skip

    async with hands_for(dsn, rich) as h:
        id = await h.enqueue("t.rich")
        await h.work()
        assert json.loads((await h.job(id))["result"]) == {
            "point": {"x": 1}, "shape": {"name": "a\\x00"}, "set": ["a\\x00", "b"], "day": "2026-03-01",
            "price": "1.50", "key": str(uuid.UUID(int=1)), "path": "/x", "long": "line\n" * 5000,
            "tuple": [1, [2]], "7": "seven",
        }  # fmt: skip


# -- how attempts end ------------------------------------------------------------------------------


async def test_a_payload_that_does_not_fit_fails_at_once_and_shows_no_values(dsn: str) -> None:
    class Login(BaseModel):
        user: str
        password: str = Field(min_length=20)

        @field_validator("user")
        @classmethod
        def known(cls, user: str) -> str:
            return {"ann": "Ann"}[user]

    @job_kind("t.login")
    async def login(args: Login) -> None: ...

    async with hands_for(dsn, login) as h:
        await h.store.pool.fetch("update bellhand.kinds set checks = null")
        await h.enqueue("t.login", '{"user": "ann", "password": "hunter2"}')
        end = await h.work()
        assert isinstance(end, Ended)
        assert end.outcome == "fail"
        assert error(end) == "bad_payload: password: String should have at least 20 characters"
        await h.enqueue("t.login", '{"user": "bob"}')
        assert error(await h.work()).startswith("bad_payload"), "whatever a validator raises"


async def test_a_group_of_one_exception_means_that_exception(dsn: str) -> None:
    @job_kind("t.group")
    async def group(args: dict[str, Any]) -> None:
        async def one() -> None:
            raise {"snooze": Snooze(7), "failed": Failed("no"), "exit": SystemExit(2)}[args["how"]]

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(one())

    async with hands_for(dsn, group) as h:
        await h.enqueue("t.group", '{"how": "snooze"}')
        assert await h.work() == Ended("snooze", "snoozed", 7)
        await h.enqueue("t.group", '{"how": "failed"}')
        assert await h.work() == Ended("fail", "no")


async def test_waits_that_no_calendar_holds_are_refused(dsn: str) -> None:
    for seconds in (float("nan"), float("inf"), 1e12):
        with pytest.raises(ValueError, match="ten years"):
            Snooze(seconds)
        with pytest.raises(ValueError, match="ten years"):
            Retry(after_seconds=seconds)
    assert Snooze(-3).seconds == 0

    @job_kind("t.forever")
    async def forever() -> None:
        raise Snooze(float("inf"))

    async with hands_for(dsn, forever) as h:
        await h.enqueue("t.forever")
        assert "ten years" in error(await h.work())


async def test_what_the_kind_says_about_failures(dsn: str) -> None:
    @job_kind("t.backoff", attempts_max=2, backoff_base_seconds=10, backoff_max_seconds=15)
    async def backoff() -> None:
        raise ValueError("x" * 20_000)

    async with hands_for(dsn, backoff) as h:
        id = await h.enqueue("t.backoff")
        end = await h.work()
        assert isinstance(end, Ended)
        assert (end.outcome, end.wait_seconds) == ("retry", 10)
        assert len(error(end)) < 9000
        assert "characters left out" in error(end)
        assert (await again(h, id)).outcome == "fail"


def test_the_wait_doubles_to_its_ceiling_and_never_overflows() -> None:
    kind: Kind = getattr(job_kind("t.k", backoff_base_seconds=2)(_nothing), ATTRIBUTE)
    waits = [kind.backoff_seconds(n, lambda: 1.0) for n in (1, 2, 3, 11, 12, 32_767)]
    assert waits == [2, 4, 8, 2048, 3600, 3600]
    assert kind.backoff_seconds(3, lambda: 0.25) == 2


# -- kinds -----------------------------------------------------------------------------------------


async def _nothing() -> None: ...


@pytest.mark.parametrize(
    "nonsense",
    [
        {"priority": 11}, {"attempts_max": 0}, {"timeout_seconds": 0}, {"lane": "My Lane"},
        {"backoff_max_seconds": float("inf")}, {"memory_bytes_max": 1}, {"name": "Upper"}, {"side_effects": "some"},
    ],
)  # fmt: skip
def test_a_kind_that_cannot_be_right_is_refused_where_it_is_written(nonsense: Any) -> None:
    with pytest.raises(Problem, match="cannot be right"):
        job_kind(**({"name": "t.k"} | nonsense))(_nothing)


def test_a_module_whose_kinds_cannot_be_right_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "wrong_jobs.py").write_text(
        "from bellhand import job_kind\n@job_kind('t.k', priority=0)\nasync def k(): ...\n"
    )
    with pytest.raises(Problem, match=r"job_kind\('t.k'\)") as refused:
        find_kinds(["wrong_jobs"])
    assert "priority 0 is outside 1 to 10" in refused.value.why
    assert "wrong_jobs" in refused.value.fix


async def test_a_handler_takes_what_it_wants(dsn: str) -> None:
    @job_kind("t.neither")
    async def neither() -> str:
        return "neither"

    @job_kind("t.job")
    async def only_job(job: Job) -> int:
        return job.id

    @job_kind("t.list")
    async def a_list(args: list[int]) -> int:
        return sum(args)

    async with hands_for(dsn, neither, only_job, a_list) as h:
        await h.enqueue("t.neither")
        assert result(await h.work()) == "neither"
        id = await h.enqueue("t.job")
        assert result(await h.work()) == id
        await h.enqueue("t.list", "[1, 2]")
        assert result(await h.work()) == 3
