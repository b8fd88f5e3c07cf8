"""What handlers log, job by job: kept within limits, attributed, found again, followed, and never in the way."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import json
import logging
import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
import structlog
from structlog.testing import capture_logs

from bellhand import Job, Retry, job_kind, logs
from bellhand.db import Away
from bellhand.joblog import JobLines, line_of
from bellhand.settings import Log
from bellhand.sql import query
from commands import Bellhand, bare, bellhand
from daemons import at_work, insert, until
from desk import Desk
from isolated_handlers import chatty
from pages import browsing, fill, text_of
from ports import client_of
from streams import reading
from support import eventually

SECRET = "c4n4ry"
TROUBLE_ONCE = """
create sequence bellhand.trouble; grant usage on sequence bellhand.trouble to public;
create function bellhand.trouble() returns trigger language plpgsql as $$ begin
  if nextval('bellhand.trouble') = 1 then raise exception using errcode = 'XX001', message = 'a block cannot be read'; end if;
  return new;
end $$;
create trigger trouble before insert on bellhand.job_lines for each row execute function bellhand.trouble();
"""
log = structlog.get_logger("acme.pages")


@job_kind("test.tell", attempts_max=2)
async def tell(job: Job) -> None:
    job.log.info("began", url=f"https://me:{SECRET}@host/", api_key=SECRET, odd=float("nan"))

    async def fetch(page: int) -> None:
        logging.getLogger("acme").warning("page %s is slow", page)
        log.debug("not at this level")

    def parse() -> None:
        log.info("parsed", text="a\x00b\ud800")

    await job.each([1, 2], fetch, name=lambda page: f"page {page}", concurrency=2)
    await job.step("parse", parse)
    if job.attempt == 1:
        try:
            raise ValueError("no luck")
        except ValueError:
            job.log.exception("failed")
        raise Retry("again", after_seconds=0)
    job.log.info("done")


@job_kind("test.silent")
async def silent() -> None:
    """Logs nothing."""


@job_kind("test.flood")
async def flood(job: Job) -> None:
    for n in range(3000):
        job.log.info("line", n=n)
        if n == 1000:
            await asyncio.sleep(0)


@job_kind("test.slow", attempts_max=1)
async def slow(job: Job) -> None:
    for n in range(80):
        job.log.info("tick", n=n)
        await asyncio.sleep(0.02)


@pytest.fixture
def logging_on() -> Iterator[None]:
    """Logs as `bellhand run` sets them up, to nowhere."""
    with open(os.devnull, "w") as nowhere:
        writer = logs.setup("json", "info", nowhere)
        yield
        writer.close()


async def told(conn: asyncpg.Connection, job: int, **chosen: Any) -> list[asyncpg.Record]:
    given = ", ".join(f"p_{name} => ${n}" for n, name in enumerate(chosen, start=2))
    sql = f"select * from bellhand.job_log($1{', ' if given else ''}{given})"
    return await conn.fetch(sql, job, *chosen.values())


async def test_lines_know_their_attempt_and_step_and_hold_no_secret(
    dsn: str, conn: asyncpg.Connection, logging_on: None
) -> None:
    # The first write meets an error of the server's own: the lines are written again.
    await conn.execute(TROUBLE_ONCE)
    async with at_work(dsn, tell, silent):
        job, other = await insert(conn, "test.tell"), await insert(conn, "test.silent")
        await until(conn, job, "completed")
        await until(conn, other, "completed")

        async def last_line() -> bool:
            rows = await told(conn, job)
            return bool(rows) and rows[-1]["message"] == "done"

        await eventually(last_line, because="the last lines follow the end within a second")
    rows = await told(conn, job)
    # Over attempts.
    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    first, second = ([row for row in rows if row["attempt"] == n] for n in (1, 2))
    said = {(row["step"], row["level"], row["message"]) for row in first}
    assert said == {
        (None, "info", "began"), ("page 1", "warning", "page 1 is slow"), ("page 2", "warning", "page 2 is slow"),
        ("parse", "info", "parsed"), (None, "error", "failed"),
    }  # fmt: skip
    assert [row["message"] for row in second] == ["began", "done"], "done steps say nothing again"
    assert SECRET not in json.dumps([row["fields"] for row in rows])
    began = json.loads(rows[0]["fields"])
    assert (began["url"], began["api_key"], began["odd"]) == ("https://***@host/", "***", "nan")
    assert "ValueError: no luck" in json.loads(first[-1]["fields"])["exception"]
    made = await conn.fetchval("select created_at from bellhand.history where id = $1", job)
    ats = [row["at"] for row in rows]
    assert made < min(ats) < max(ats) < await conn.fetchval("select bellhand.now()")
    assert not await told(conn, other)
    assert await conn.fetchval("select count(*) from bellhand.job_lines where job = $1", other) == 0
    # What a reader may ask for.
    assert {row["message"] for row in await told(conn, job, level="error")} == {"failed"}
    assert [row["step"] for row in await told(conn, job, step="page 2")] == ["page 2"]
    assert [row["message"] for row in await told(conn, job, words="NO LUCK")] == ["failed"]
    assert not await told(conn, job, since=ats[-1].replace(year=2200))


async def test_a_process_of_its_own_is_heard_too(
    dsn: str, conn: asyncpg.Connection, logging_on: None
) -> None:
    async with at_work(dsn, chatty):
        job = await insert(conn, "i.chatty")
        await until(conn, job, "completed", 30)
    rows = await told(conn, job)
    assert [(r["step"], r["message"]) for r in rows if r["message"] != "handler_printed"] == [
        (None, "outside"), ("one", "inside"),
    ]  # fmt: skip
    printed = [json.loads(r["fields"]) for r in rows if r["message"] == "handler_printed"]
    assert [line["text"] for line in printed] == ["said aloud"]


async def test_the_newest_lines_are_kept_and_the_others_counted(
    dsn: str, conn: asyncpg.Connection, logging_on: None
) -> None:
    async with at_work(dsn, flood, log={"job_lines_max": 100}) as daemon:
        job = await insert(conn, "test.flood")
        await until(conn, job, "completed", 30)

        async def last_line() -> bool:
            rows = await told(conn, job)
            return bool(rows) and json.loads(rows[-1]["fields"]).get("n") == 2999

        await eventually(last_line)
        async with client_of(daemon.status.port) as port:
            _, page, _ = await port.ask(f"/v1/jobs/{job}/logs?limit=1000")
    rows = await told(conn, job)
    assert json.loads(rows[-1]["fields"])["n"] == 2999
    assert 100 <= len(rows) <= 210
    assert len(rows) + page["dropped"] == 3000
    assert [line["number"] for line in page["data"]] == [row["number"] for row in rows]


class Sink:
    """A database that is away for a while, then takes what it is given."""

    def __init__(self) -> None:
        self.away = True
        self.asked = 0
        self.refuses: dict[int, Exception] = {}  # by job
        self.taken: list[tuple[int, int, int]] = []  # job, first, last
        self.trimmed: list[int] = []

    async def add_job_lines(self, columns: Callable[[], list[list[Any]]]) -> None:
        if self.away:
            raise Away("it is away")
        self.asked += 1
        jobs, _, _, firsts, lasts, *_ = columns()
        for job in jobs:
            if job in self.refuses:
                raise self.refuses[job]
        self.taken += zip(jobs, firsts, lasts, strict=True)

    async def trim_job_lines(self, jobs: list[int], lines_max: int, bytes_max: int) -> None:
        self.trimmed += jobs


async def test_a_flood_while_the_database_is_away_stays_within_bounds() -> None:
    """A million bytes a moment of one job: memory is bounded, and a quiet job beside it keeps its line."""
    sink = Sink()
    lines = JobLines(sink, Log(), {}, lambda: 0.0, lambda: 0.5)  # type: ignore[arg-type]
    jobs = [SimpleNamespace(id=n, epoch=1, attempt=1) for n in range(40)]
    lines.keep(jobs[0], {"level": "info", "event": "the only one"})
    for n in range(600):
        for job in jobs[1:]:
            lines.keep(job, {"level": "info", "event": "x" * 700, "n": n})
    assert await lines.flush() is False
    for job in jobs[1:]:
        lines.keep(job, {"level": "info", "event": "y" * 700})
    waiting = sum(job.tail.bytes for job in jobs)
    assert waiting == lines._bytes <= 4_000_000
    assert all(job.tail.bytes <= 262_144 for job in jobs)
    sink.away = False
    lines.backoff.next_seconds()  # as the loop does after a flush that failed
    with capture_logs() as said:
        assert await lines.flush() is True
    (dropped,) = (one for one in said if one["event"] == "job_lines_dropped")
    taken = sum(last - first + 1 for _, first, last in sink.taken)
    assert taken + dropped["lines"] == 1 + 39 * 601, "each line is there, or told of"
    assert (0, 1, 1) in sink.taken
    assert {last for job, _, last in sink.taken if job} == {601}, "the newest are there"
    assert all(first > 1 for job, first, _ in sink.taken if job), (
        "and their numbers tell of the others"
    )
    assert await lines.flush() is True
    assert len(sink.taken) == 40, "once"


async def test_lines_that_are_refused_hold_back_no_others_and_are_kept_or_told_of() -> None:
    """An error of the server's own may pass; what is wrong with the lines themselves does not."""
    sink = Sink()
    sink.away = False
    lines = JobLines(sink, Log(), {}, lambda: 0.0, lambda: 0.5)  # type: ignore[arg-type]
    jobs = [SimpleNamespace(id=n, epoch=1, attempt=1) for n in range(300)]
    sink.refuses = {17: asyncpg.DataCorruptedError("a block"), 200: asyncpg.DataError("odd")}
    for job in jobs:
        lines.keep(job, {"level": "info", "event": "x"})
    with capture_logs() as said:
        assert await lines.flush() is False
    assert {job for job, _, _ in sink.taken} == set(range(300)) - {17, 200}
    assert sink.asked < 50, "it is looked for by halves"
    told = {one["event"]: one for one in said}
    assert (told["job_lines_lost"]["job"], told["job_lines_lost"]["lines"]) == (200, 1)
    assert told["job_lines_delayed"]["jobs"] == 1
    lines.backoff.next_seconds()
    lines.keep(jobs[17], {"level": "info", "event": "y"})
    del sink.refuses[17]
    assert await lines.flush() is True
    assert sink.taken[-1] == (17, 1, 2)
    # Where the server refuses all, not every job is asked about.
    sink.refuses = {job.id: asyncpg.InternalServerError("?") for job in jobs}  # fmt: skip
    sink.asked = 0
    for job in jobs:
        lines.keep(job, {"level": "info", "event": "z"})
    assert await lines.flush() is False
    assert sink.asked <= 90
    sink.refuses = {}
    assert await lines.flush() is True
    assert {job for job, first, _ in sink.taken if first > 1} == set(range(300))


def test_what_no_json_holds_is_kept_as_text() -> None:
    huge = line_of(
        {"level": "shout", "event": "m" * 50_000, "a": "\x00" * 9_000, "b": ["c"] * 9_000}
    )
    assert len(huge) < 40_000
    level, step, message, fields = json.loads(b"[" + huge)
    assert (level, step, len(message)) == ("info", None, 4_000)
    assert fields["left_out"] > 60_000


async def test_logs_over_http_page_by_page_waiting_and_as_a_stream(
    dsn: str, conn: asyncpg.Connection, logging_on: None
) -> None:
    async with at_work(dsn, slow) as daemon, client_of(daemon.status.port) as port:
        job = await insert(conn, "test.slow")
        path = f"/v1/jobs/{job}/logs"
        code, page, _ = await port.ask(f"{path}?wait=20")
        assert code == 200
        assert page["data"], "it waited for the first lines"
        assert page["data"][0]["fields"] == {"n": 0}
        async with reading(port.session, f"{port.base}{path}") as stream:
            await stream.until("end", 30)
        numbers = [said.data["fields"]["n"] for said in stream.said if said.event == "log"]
        assert numbers == list(range(80)), "each once, in order"
        seen = next(
            said.id for said in stream.said if said.event == "log" and said.data["number"] == 50
        )
        async with reading(port.session, f"{port.base}{path}", last_id=seen) as again:
            await again.until("end", 30)
        assert [said.data["number"] for said in again.said if said.event == "log"] == list(
            range(51, 81)
        )
        # Pages forward by the cursor, or the last lines.
        found, cursor = [], ""
        while True:
            _, page, _ = await port.ask(f"{path}?limit=30&cursor={cursor}")
            found += [line["fields"]["n"] for line in page["data"]]
            cursor = page["next_cursor"]
            if not page["has_more"]:
                break
        assert found == list(range(80))
        assert page["over"]
        _, page, _ = await port.ask(f"{path}?tail=3&q=tick")
        assert [line["number"] for line in page["data"]] == [78, 79, 80]
        for bad, slug in (
            ("cursor=x", (400, "bad_cursor")),
            ("level=loud", (422, "invalid_request")),
        ):
            code, problem, _ = await port.ask(f"{path}?{bad}")
            assert (code, problem["code"]) == slug
        assert await port.status("/v1/jobs/999999/logs") == 404


def test_logs_on_the_command_line_need_no_daemon(bellhand: Bellhand) -> None:
    """S3-20: as a daemon wrote them, with two attempts, a gap and what a terminal must not see; followed, the last, searched."""
    bellhand.kind()
    number = bellhand.over("completed")
    job = str(number)
    bellhand.sql("update bellhand.history set finished_at = finished_at - interval '1 minute'")
    write = "insert into bellhand.job_lines (job, epoch, first, last, attempt, bytes, lines) values ($1, $2, $3, $4, $5, 9, $6)"
    told = json.dumps(
        [[900, "info", None, "one", {}], [0, "info", None, "two <b>\x1b[31m", {"n": 1}]]
    )
    bellhand.sql(write, number, 1, 2, 3, 1, told)
    told = json.dumps([[0, "error", "s 1", "three", {"exception": "Traceback\nValueError: no"}]])
    bellhand.sql(write, number, 2, 4, 4, 2, told)
    said = bellhand.ok("logs", job, "-f")
    lines = said.out.splitlines()
    assert [line.split()[1:] for line in lines[:2]] == [
        ["info", "one"],
        ["info", "two", "<b>\\x1b[31m", "n=1"],
    ]
    assert lines[2] == "attempt 2"
    assert lines[3].split()[1:] == ["error", "[s", "1]", "three"]
    assert lines[-1].strip() == "ValueError: no"
    assert "1 line dropped" in said.err
    assert (
        bellhand.ok("logs", job, "--grep", "^t(hree|wo)", "-n", "1", "--json").json[0]["message"]
        == "three"
    )
    assert (
        len(
            bellhand.ok(
                "logs", job, "--level", "error", "--step", "s 1", "--quiet"
            ).out.splitlines()
        )
        == 4
    )
    assert [
        bellhand.ok("logs", job, "--since", "1h", "--attempt", "1", "--quiet").out.count("\n")
    ] == [2]
    assert bellhand("logs", "424242").code == 3
    for wrong in (["--grep", "("], ["--kind", "a"], ["--journal", "--step", "x"]):
        assert bellhand("logs", job, *wrong).code == 2


async def test_the_page_of_a_job_shows_its_log_and_filters_it(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with browsing(dsn) as browser:
        job = (await fill(conn))["later"]
        lines = [
            [50, "info", None, "<b>one</b>", {"n": 1}],
            [20, "error", "s 1", "two", {"exception": "Traceback\nValueError: no"}],
        ]
        await conn.execute(
            "insert into bellhand.job_lines (job, epoch, first, last, attempt, bytes, lines) values ($1, 1, 11, 12, 1, 9, $2)",
            job,
            json.dumps(lines),
        )
        _, page, _ = await browser.get(f"/jobs/{job}")
        shown = [item.text() for item in page.css("#log li")]
        assert ["<b>one</b>" in shown[0], "[s 1]" in shown[1]] == [True, True]
        assert "10 lines dropped" in text_of(page, "#log-said")
        for asked, count in (("level=error", 1), ("step=s+1", 1), ("find=ONE", 1), ("find=%00", 0)):
            _, page, _ = await browser.get(f"/jobs/{job}?{asked}")
            assert len(page.css("#log li")) == count, asked


async def test_lines_go_with_the_days_of_history(conn: asyncpg.Connection) -> None:
    desk = Desk(conn)
    await desk.at("2030-01-07 12:00Z")
    await desk.publish("a")
    assert await conn.fetchval("select bellhand.prepare_history(1)") > 0
    (sampled,) = await conn.fetch(query("sample_database"), 30)
    tables = json.loads(sampled["tables"])
    assert [name for name in tables if name.startswith("job_lines")] == ["job_lines"], "one series"
    job = await desk.insert()
    write = "insert into bellhand.job_lines (job, epoch, first, last, attempt, bytes, lines) values ($1, 1, 1, 1, 1, 9, $2)"
    await conn.execute(write, job, '[[0, "info", null, "x", {}]]')
    assert [row["message"] for row in await told(conn, job)] == ["x"]
    for day, left in (("2030-02-06 00:00Z", 1), ("2030-02-07 00:00Z", 0)):
        await desk.at(day)
        while await conn.fetchval("select bellhand.drop_history(30)"):
            pass
        assert len(await told(conn, job)) == left
