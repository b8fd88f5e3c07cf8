"""Who is told what, and how, when a job is over or late."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest
from aiohttp import web

from daemons import insert, until
from mailserver import mail_server
from notifying import Receiver, all_over, asks, deliveries, delivering, over, prepared, slack
from processes import Fleet, fleet
from support import eventually
from websites import serving

# Who is told


async def test_mail_about_how_a_job_ended_goes_to_the_address_it_named_s0_f5(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    with mail_server(tmp_path) as server:
        link = {"link": "https://jobs.example.com/{id}?k={key}", "mail_domains": ["example.com"]}
        async with delivering(dsn, mail=server.settings(), notify=link):
            await insert(conn, "t.fine", notify=asks("ann@example.com", "completed"))
            bad = await insert(
                conn,
                "t.fails",
                '{"error": "<b>no</b> at postgresql://shop:c4n4ry@db/x, api_key=c4n4ry"}',
                notify=asks("bob@example.com", "completed", "failed"),
            )
            await insert(conn, "t.fails", notify=asks("ann@example.com", "completed"))
            await insert(conn, "t.fine", notify=asks("eve@elsewhere.example", "completed"))
            rows = await over(conn, 3)
    mails = {envelope["to"][0]: message for envelope, message in server.mails()}
    assert set(mails) == {"ann@example.com", "bob@example.com"}
    message = mails["bob@example.com"]
    assert message["Subject"] == "[bellhand] t.fails has failed"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"] is not None
    plain, html = (part.get_content() for part in message.iter_parts())
    assert f"job {bad}, failed attempts: 1, at " in plain
    assert f"https://jobs.example.com/{bad}?k=" in plain
    assert "<b>no</b>" not in html
    assert "no</b> at postgresql://***@db/x, api_key=***" in plain
    assert "c4n4ry" not in html + str(
        await conn.fetch("select payload from bellhand.all_jobs where kind like 'notify.%'")
    )
    delivered = {json.loads(row["payload"])["to"]: row for row in rows}
    assert message["Message-ID"] == f"<{delivered['bob@example.com']['key']}@bellhand.test>"
    assert delivered["eve@elsewhere.example"]["state"] == "failed"
    assert "notify.mail_domains" in delivered["eve@elsewhere.example"]["error"]


async def test_chats_hear_in_their_own_way_and_nobody_is_called_s0_f6(
    dsn: str, conn: asyncpg.Connection
) -> None:
    slow_down = web.Response(status=429, headers={"Retry-After": "1"}, text="slow down")
    chat, other = Receiver(slow_down), Receiver()
    error = json.dumps({"error": "<!channel> @everyone <@U1> **x** " + "y" * 1500})
    async with (
        serving(("/hook", chat.take), ("/other", other.take)) as port,
        delivering(dsn, port, notify={"link": "https://jobs.example.com/{id}"}),
    ):
        await slack(conn, port)
        await conn.execute(
            "select bellhand.set_channel('two', 'discord', $1)", f"http://127.0.0.1:{port}/other"
        )
        both = json.dumps([{"on": ["failed"], "to": "ops"}, {"on": ["failed"], "to": "two"}])
        job = await insert(conn, "t.fails", error, notify=both, owner="<@everyone>")
        _, told = await chat.until(2)
        (discord,) = await other.until(1)
        rows = await over(conn, 2)
    text = told["text"]
    assert text.startswith("*t.fails has failed*\n")
    assert f"<https://jobs.example.com/{job}|Show the job>" in text
    assert "<!" not in text
    assert "<@" not in text
    assert "@everyone" not in text
    assert len(text) <= 3000
    content = discord["content"]
    assert discord["allowed_mentions"] == {"parse": []}
    assert content.startswith("**t.fails has failed**\n")
    assert "@everyone" not in content
    assert r"\*\*x\*\*" in content
    assert len(content) <= 2000
    assert {row["state"] for row in rows} == {"completed"}
    waited = await conn.fetchval(
        "select data ->> 'wait_seconds' from bellhand.events where type = 'attempt_failed'"
    )
    assert float(waited) == 1


async def test_each_end_is_told_to_those_who_asked_for_it(
    dsn: str, conn: asyncpg.Connection
) -> None:
    chat = Receiver()
    async with serving(("/hook", chat.take)) as port, delivering(dsn, port):
        await slack(conn, port, digest_max=100)
        ends = ("completed", "partial", "failed", "cancelled")
        for on in ends:
            await insert(conn, "t.partly", notify=asks("ops", on))
            waiting = await insert(
                conn,
                "t.fine",
                notify=asks("ops", on),
                run_at=await conn.fetchval("select bellhand.now() + interval '1 day'"),
            )
            await conn.execute("select bellhand.cancel($1)", waiting)
        await eventually(lambda: all_over(conn, 8))
        rows = await over(conn, 3)
    told = sorted(
        (
            json.loads(r["payload"])["event"]["type"],
            json.loads(r["payload"])["event"]["data"]["state"],
        )
        for r in rows
    )
    # A job that is completed in part is completed: who asked for either is told.
    assert told == [
        ("job.cancelled", "cancelled"),
        ("job.partial", "completed"),
        ("job.partial", "completed"),
    ]


async def test_a_subscription_hears_of_its_kinds_however_they_came(
    dsn: str, conn: asyncpg.Connection
) -> None:
    chat = Receiver()
    configured = {
        "channels": {"conf": {"kind": "slack", "url": "to be replaced"}},
        "subscriptions": {"failures": {"channel": "conf", "on": ["failed"], "kinds": "t.*"}},
    }
    async with serving(("/hook", chat.take)) as port:
        configured["channels"]["conf"]["url"] = f"http://127.0.0.1:{port}/hook"
        async with delivering(dsn, port, notify=configured):
            await conn.execute("select bellhand.subscribe('fine', 'conf', '{completed}', 't.fin_')")
            await conn.execute("select bellhand.subscribe('all', 'conf', '{completed}', 't.f*e')")
            job = await insert(conn, "t.fails")
            await insert(conn, "t.fine")
            texts = [body["text"] for body in await chat.until(2)]
            assert await conn.fetchval("select bellhand.test_channel('conf')") > job
            assert (await chat.until(3))[2] == {"text": "*channel conf works*"}
            await over(conn, 3)
    assert sorted(text.split("\n")[0] for text in texts) == [
        "*t.fails has failed*",
        "*t.fine is completed*",
    ]
    assert any(f"job {job}" in text and "the oven is cold" in text for text in texts)
    async with delivering(dsn):
        assert [r["name"] for r in await conn.fetch("select name from bellhand.channels")] == []


async def test_a_failing_notification_tells_nobody(dsn: str, conn: asyncpg.Connection) -> None:
    chat = Receiver(404)
    async with serving(("/hook", chat.take)) as port, delivering(dsn, port):
        await slack(conn, port)
        await conn.execute(
            "select bellhand.subscribe('all', 'ops', '{failed,cancelled,completed}')"
        )
        await insert(conn, "t.fails")
        (row,) = await over(conn)
        assert row["state"] == "failed"
        await insert(conn, "t.fails")
        rows = await over(conn, 2)
    assert len(rows) == 2
    assert len(chat.got) == 1


async def test_who_is_late_is_told_of_once_by_each_wish_and_at_its_end(
    dsn: str, conn: asyncpg.Connection
) -> None:
    await prepared(conn)
    await conn.execute("select bellhand.subscribe('late', 'ops', '{late}', 't.*', 100)")
    job = await insert(
        conn, "t.fine", notify=asks("a@b.example", "late", "cancelled", late_seconds=50)
    )
    other = await insert(conn, "t.fails")
    gone = await insert(conn, "t.fails")
    await conn.execute("delete from bellhand.jobs where id = $1", gone)
    start = await conn.fetchval("select since from bellhand.watched where job = $1", job)
    told = []
    for seconds in (49, 51, 99, 101, 500):
        await conn.execute(
            "select set_config('bellhand.now', ($1::timestamptz + make_interval(secs => $2))::text, false)",
            start,
            float(seconds),
        )
        told.append(await conn.fetchval("select bellhand.tell_late()"))
        if seconds == 51:  # a retry does not make it punctual
            await conn.execute(
                "update bellhand.jobs set run_at = bellhand.now(), attempts = 1 where id = $1", job
            )
    assert told == [0, 1, 0, 2, 0]
    await conn.execute("select bellhand.cancel($1)", job)
    rows = await deliveries(conn)
    about = [
        (r["kind"], json.loads(r["tags"])["about"], json.loads(r["payload"])["event"]["type"])
        for r in rows
    ]
    assert about == [
        ("notify.email", job, "job.late"), ("notify.slack", job, "job.late"), ("notify.slack", other, "job.late"),
        ("notify.email", job, "job.cancelled"),
    ]  # fmt: skip
    assert [r["job"] for r in await conn.fetch("select job from bellhand.watched")] == [other]


async def test_a_daemon_finds_late_jobs_by_itself(dsn: str, conn: asyncpg.Connection) -> None:
    chat = Receiver()
    async with serving(("/hook", chat.take)) as port, delivering(dsn, port) as daemon:
        await slack(conn, port)
        await conn.execute("select bellhand.pause_kind('t.fine')")
        await eventually(lambda: daemon.worker.paused_kinds)  # else it would run the job
        await insert(conn, "t.fine", notify=asks("ops", "late", late_seconds=0.2))
        await asyncio.sleep(0.3)
        daemon.keeper.look_bell.ring()
        (body,) = await chat.until(1)
    assert "t.fine is late" in body["text"]


# What goes wrong


async def test_a_notification_that_cannot_be_written_keeps_no_job_from_ending(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with delivering(dsn):
        await slack(conn, 1)
        await conn.execute(
            """update bellhand.kinds set checks = '[{"only": []}]' where name = 'notify.slack'"""
        )
        job = await insert(conn, "t.fine", notify=asks("ops", "completed"))
        await until(conn, job, "completed")
        lost = await conn.fetchrow("select * from bellhand.events where type = 'notification_lost'")
        assert (lost["job"], json.loads(lost["data"])["to"]) == (job, "ops")
        assert "payload does not fit" in lost["data"]
        waiting = await insert(
            conn,
            "t.fine",
            notify=asks("ops", "completed"),
            run_at=await conn.fetchval("select bellhand.now() + interval '1 day'"),
        )
        await conn.execute("delete from bellhand.channels")
        await conn.execute("select bellhand.run_now($1)", waiting)
        await until(conn, waiting, "completed")
        said = json.loads(
            await conn.fetchval(
                "select data from bellhand.events where type = 'notification_lost' order by seq desc limit 1"
            )
        )
        assert said == {"to": "ops", "error": "the channel is gone, or no daemon delivers to it"}


@pytest.mark.parametrize("told", ["late", "failed"])
async def test_one_notice_that_cannot_be_written_holds_back_no_other(
    conn: asyncpg.Connection, told: str
) -> None:
    """Of a hundred jobs that are told of together: the bad ones become events, the others reach those who asked."""
    await prepared(conn)
    late = {"late_seconds": 0.001} if told == "late" else {}
    good, bad = [
        [await insert(conn, "t.fine", notify=asks(to, told, **late)) for _ in range(count)]
        for to, count in (("a@b.example", 97), ("ops", 2))
    ]
    scalar = await insert(conn, "t.fine", notify=asks("a@b.example", told, **late))
    await conn.execute("update bellhand.jobs set notify = '7' where id = $1", scalar)
    await conn.execute(
        """update bellhand.kinds set checks = '[{"only": []}]' where name = 'notify.slack'"""
    )
    if told == "late":
        await asyncio.sleep(0.01)
        await conn.execute("select bellhand.tell_late()")
        assert not await conn.fetchval("select bellhand.tell_late()"), "told once"
    else:
        await conn.execute("select bellhand.finish(array_agg(id), 'failed') from bellhand.jobs where kind = 't.fine'")  # fmt: skip
    alone = [json.loads(row["tags"]).get("about") for row in await deliveries(conn)]
    waiting = await conn.fetch("select job from bellhand.notices where digest is null")
    assert {*alone, *(row["job"] for row in waiting)} - {None} == set(good)
    lost = await conn.fetch("select job from bellhand.events where type = 'notification_lost'")
    assert [row["job"] for row in lost] == bad


async def test_without_a_mail_server_mails_wait_and_say_for_what(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with delivering(dsn):
        await insert(conn, "t.fine", notify=asks("ann@example.com", "completed"))

        async def said() -> str | None:
            return await conn.fetchval(
                "select data ->> 'error' from bellhand.events where type = 'snoozed'"
            )

        text = await eventually(said)
        assert "set host and sender under [mail]" in text
        (row,) = await deliveries(conn)
        assert (row["state"], row["attempts"]) == ("scheduled", 0)


async def test_the_roles_that_ship_are_enough(dsn: str, conn: asyncpg.Connection) -> None:
    """A producer asks, a worker ends the job and tells."""
    await prepared(conn)
    await conn.execute("select bellhand.subscribe('s', 'ops', '{failed,late}', '*', 1)")
    await conn.execute("set role bellhand_producer")
    await conn.execute(
        "insert into bellhand.jobs (kind, notify) values ('t.fails', $1)",
        asks("a@b.example", "failed"),
    )
    await conn.execute("set role bellhand_worker")
    await conn.execute("set bellhand.now = '2100-01-01'")
    assert await conn.fetchval("select bellhand.tell_late()") == 1
    await conn.execute(
        "select bellhand.finish(array_agg(id), 'failed', 'x') from bellhand.jobs where kind = 't.fails'"
    )
    await conn.execute("select bellhand.keep_notices()")
    await conn.execute("set role bellhand_reader")
    assert await conn.fetchval("select count(*) from bellhand.channel_status") == 1
    for secret in ("channels", "channel_secrets", "notices"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.fetch(f"select * from bellhand.{secret}")
    await conn.execute("reset role")
    assert [row["kind"] for row in await deliveries(conn)] == [
        "notify.slack",
        "notify.email",
        "notify.slack",
    ]


async def test_killed_after_the_server_took_a_mail_it_goes_out_again_and_is_recognised(
    fleet: Fleet, dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    with mail_server(tmp_path) as server:
        daemons = {"modules": ["notifying", "bellhand.notify"], "mail": server.settings()}
        first = fleet.start(dsn, **daemons)
        await first.until("ready")
        await insert(
            conn, "t.fails", '{"error": "[linger]"}', notify=asks("ann@example.com", "failed")
        )
        await eventually(server.mails)
        first.child.kill()
        second = fleet.start(dsn, **daemons)
        (delivery,) = await over(conn, seconds=40)
        await second.until("ready")
    one, two = (message for _, message in server.mails())
    assert one["Message-ID"] == two["Message-ID"] == f"<{delivery['key']}@bellhand.test>"
    assert (delivery["state"], delivery["crashes"]) == ("completed", 1)
