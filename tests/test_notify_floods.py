"""Floods of notifications become a few messages, and none is forgotten."""

import re
import time

import asyncpg
import pytest

from daemons import insert
from notifying import Receiver, all_over, asks, deliveries, delivering, over, prepared, slack
from support import eventually
from websites import serving

# Floods


@pytest.mark.timeout(240)
async def test_ten_thousand_failures_are_a_handful_of_messages(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """And none of them is forgotten: alone and in digests they add up."""
    chat = Receiver()
    async with (
        serving(("/hook", chat.take)) as port,
        delivering(dsn, port, log={"level": "warning"}),
    ):
        began = time.monotonic()
        await slack(conn, port, digest_seconds=3, digest_max=2)
        await conn.execute("select bellhand.subscribe('failures', 'ops', '{failed}')")
        await conn.execute(
            """insert into bellhand.jobs (kind, payload) select 't.fails', '{"error": "boom"}' from generate_series(1, 10000)"""
        )
        await eventually(lambda: all_over(conn, 10_000), 150)
        await eventually(lambda: quiet(conn), 60)
        texts = [body["text"] for body in chat.bodies()]
    # Two alone and a digest every three seconds, however many that takes.
    rounds = (time.monotonic() - began) / 3 + 1
    assert len(texts) <= 3 * rounds
    assert sum(counted(text) for text in texts) == 10_000
    digests = [text for text in texts if "one message instead of" in text]
    assert len(texts) - len(digests) <= 2 * rounds
    assert "x t.fails has failed, the newest: " in digests[-1]
    assert "boom" in digests[-1]


async def quiet(conn: asyncpg.Connection) -> bool:
    waiting = "select exists (select from bellhand.notices where digest is distinct from 0) or exists (select from bellhand.jobs)"
    return not await conn.fetchval(waiting)


def counted(text: str) -> int:
    """How many jobs a message tells of."""
    found = re.match(r"\*([\d,]+) failed\*", text)
    return int(found[1].replace(",", "")) if found else 1


async def test_what_waits_for_a_digest_survives_the_daemon_and_a_digest_that_fails(
    dsn: str, conn: asyncpg.Connection
) -> None:
    chat = Receiver(500, 500)
    async with serving(("/hook", chat.take)) as port:
        async with delivering(dsn, port):
            await slack(conn, port, digest_seconds=600, digest_max=0)
            for _ in range(3):
                await insert(conn, "t.fails", notify=asks("ops", "failed"))
            await eventually(lambda: all_over(conn, 3))
        assert chat.got == []
        async with delivering(dsn, port):
            for count in (1, 2, 3):
                await conn.execute("select bellhand.run_now(id) from bellhand.scheduled")
                await chat.until(count)
                if count == 1:  # joins the digest at its next attempt
                    await insert(conn, "t.fails", notify=asks("ops", "failed"))
                    await eventually(lambda: all_over(conn, 4))
                await eventually(lambda: conn.fetchval("select count(*) = 0 from bellhand.running"))
            rows = await over(conn)
    assert [counted(body["text"]) for body in chat.bodies()][::2] == [3, 4]
    assert len(rows) == 1
    assert (
        await conn.fetchval("select count(*) from bellhand.notices where digest is distinct from 0")
        == 0
    )


async def test_notices_that_missed_their_digest_get_another(conn: asyncpg.Connection) -> None:
    await prepared(conn)
    await conn.execute(
        "insert into bellhand.notices (target, state, job, kind) values ('ops', 'failed', 1, 't.fails'), ('a@b.example', 'late', 2, 't.fine')"
    )
    await conn.execute("select bellhand.keep_notices(), bellhand.keep_notices()")
    rows = await deliveries(conn)
    assert [(r["kind"], r["unique_key"]) for r in rows] == [
        ("notify.email", "digest:a@b.example"),
        ("notify.slack", "digest:ops"),
    ]


async def test_what_fails_together_counts_once_for_how_long_an_endpoint_is_left_alone(
    conn: asyncpg.Connection,
) -> None:
    """Sixteen that were under way while it was away for a second must not cost it five minutes."""
    await conn.execute("select bellhand.set_channel('shop', 'webhook', 'http://127.0.0.1:1/hook')")
    waits = []
    for after in ("00:00:00", "00:00:03", "00:00:09"):
        await conn.execute(f"set bellhand.now = '2026-03-01 {after}'")
        for _ in range(16):
            assert not await conn.fetchval(
                "select bellhand.channel_fared('shop', 'away', false, 9e9)"
            )
        waits.append(await conn.fetchval("select retry_at - bellhand.now() from bellhand.channels"))
    assert [wait.total_seconds() for wait in waits] == [2, 4, 8]
    await conn.execute("select bellhand.channel_fared('shop', null, false, 9e9)")
    assert await conn.fetchval("select retry_at is null and failures = 0 from bellhand.channels")
