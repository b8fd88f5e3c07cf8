"""When mail to customers may go out: quiet hours by their clock, limits, and what a kill leaves behind."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import signal
from datetime import UTC, datetime, time
from pathlib import Path

import asyncpg
import pytest

from crm import ask, customer, ledger, mailing, no_quiet, promote, promotion, remind
from daemons import until
from mailserver import mail_server
from processes import Fleet, fleet
from support import eventually

HOUR = 3600


@pytest.mark.parametrize(
    ("at", "zone", "begins", "ends", "hours"),
    [
        ("2026-01-10T20:59", "UTC", 21, 8, 0),
        ("2026-01-10T21:00", "UTC", 21, 8, 11),
        ("2026-01-11T03:00", "UTC", 21, 8, 5),
        ("2026-01-11T08:00", "UTC", 21, 8, 0),
        ("2026-01-10T20:30", "Europe/Berlin", 21, 8, 10.5),
        ("2026-01-10T20:30", "America/New_York", 21, 8, 0),
        ("2026-01-10T12:00", "Asia/Kathmandu", 12, 18, 0.25),
        ("2026-03-28T22:00", "Europe/Berlin", 21, 8, 8),  # clocks go forward: an hour less
        ("2026-10-24T22:00", "Europe/Berlin", 21, 8, 9),  # and back
        ("2026-01-10T03:00", "UTC", 5, 5, 0),
    ],
)
async def test_quiet_hours_are_those_of_the_customers_clock(
    conn: asyncpg.Connection, at: str, zone: str, begins: int, ends: int, hours: float
) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    seconds = await conn.fetchval(
        "select bellhand_crm.quiet_seconds($1, $2, $3, $4)", moment, zone, time(begins), time(ends)
    )
    assert seconds == hours * HOUR


async def wait_seconds(conn: asyncpg.Connection, id: int) -> float:
    """How long a job that was put off still waits."""
    return float(
        await conn.fetchval(
            "select extract(epoch from run_at - bellhand.now()) from bellhand.all_jobs where id = $1",
            id,
        )
    )


async def test_in_the_night_mail_waits_but_for_notifications_and_what_waits_has_no_attempt_burned(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    await no_quiet(conn)
    await conn.execute(
        "update bellhand_crm.policy set quiet_from = timezone('Asia/Tokyo', bellhand.now() - interval '2 hours')::time,"
        " quiet_until = timezone('Asia/Tokyo', bellhand.now() + interval '2 hours')::time"
    )
    await customer(conn, "there", time_zone="Asia/Tokyo")
    await customer(conn, "here", time_zone="UTC")
    with mail_server(tmp_path) as server:
        async with mailing(dsn, server):
            waits = await until(conn, await remind(conn, "there"), "scheduled")
            await until(conn, await remind(conn, "here"), "completed")
            told = await ask(conn, "send_notification", customerId="there", subject="Paid", message="Thanks.")  # fmt: skip
            await until(conn, told, "completed")
        assert len(server.mails()) == 2
    assert waits["attempts"] == 0
    assert "quiet hours in Asia/Tokyo" in waits["error"]
    assert 2 * HOUR - 60 < await wait_seconds(conn, waits["id"]) <= 2 * HOUR
    assert len(await ledger(conn)) == 2


async def test_limits_hold_and_what_is_over_them_waits_for_its_turn(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    await no_quiet(conn)
    await conn.execute(
        "update bellhand_crm.policy set promotional_per_day_max = 1, mails_per_hour_max = 3"
    )
    await customer(conn, "ann")
    await customer(conn, "ann2", email="ANN@example.com")
    await customer(conn, "bob")
    await promotion(conn, "p")
    await promotion(conn, "q")
    with mail_server(tmp_path) as server:
        async with mailing(dsn, server):
            await until(conn, await promote(conn, "ann", "p"), "completed")
            for who, what in (("ann", "q"), ("ann2", "p")):
                row = await until(conn, await promote(conn, who, what), "scheduled")
                assert "promotional_per_day_max" in row["error"]
                assert 23.9 * HOUR < await wait_seconds(conn, row["id"]) <= 24 * HOUR
            await until(conn, await promote(conn, "bob", "p"), "completed")
            await until(conn, await remind(conn, "ann"), "completed")
            row = await until(conn, await remind(conn, "bob"), "scheduled")
            assert "mails_per_hour_max" in row["error"]
            assert 0.9 * HOUR < await wait_seconds(conn, row["id"]) <= 2 * HOUR
            told = await ask(conn, "send_notification", customerId="bob", subject="Paid", message="Thanks.")  # fmt: skip
            await until(conn, told, "completed")
        assert len(server.mails()) == 4


async def test_promotional_mail_waits_until_there_is_a_way_to_unsubscribe(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    await no_quiet(conn)
    await conn.execute("update bellhand_crm.policy set unsubscribe_url = null")
    await customer(conn, "ann")
    await promotion(conn, "p")
    with mail_server(tmp_path) as server:
        async with mailing(dsn, server):
            row = await until(conn, await promote(conn, "ann", "p"), "scheduled")
        assert server.mails() == []
    assert "unsubscribe_url" in row["error"]


async def test_killed_between_sending_and_writing_it_down_it_is_not_sent_again(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path, fleet: Fleet
) -> None:
    """S4-28 with mail: a person decides about what may have gone out, and then it has the same Message-ID."""
    await no_quiet(conn)
    await customer(conn, "ann")
    with mail_server(tmp_path) as server:
        given = {"modules": ["bellhand.families.crm"], "mail": server.settings()}
        first = fleet.start(dsn, **given)
        await first.until("ready")
        other = await asyncpg.connect(dsn, timeout=10)
        try:
            async with other.transaction():
                # Sending reads this table, writing down how it went writes it: so the daemon stands between the two.
                await other.execute("lock table bellhand_crm.suppressions in share mode")
                id = await remind(conn, "ann")
                await eventually(server.mails, because="the mail should be out")
                assert [row["state"] for row in await ledger(conn)] == ["sending"]
                first.child.kill()
                await first.exit_code()
        finally:
            await other.close(timeout=5)
        second = fleet.start(dsn, **given)
        failed = await until(conn, id, "failed", 40)
        assert "it may have been sent already, with Message-ID" in failed["error"]
        assert failed["crashes"] == 1
        (row,) = await ledger(conn)
        assert row["state"] == "unsure"
        assert len(server.mails()) == 1
        await conn.execute("select bellhand_crm.send_again($1)", row["id"])
        await conn.execute("select bellhand.retry($1)", id)
        await until(conn, id, "completed")
        assert {message["Message-ID"] for _, message in server.mails()} == {
            f"<{row['message_key']}@bellhand.test>"
        }
        assert len(server.mails()) == 2
        second.tell(signal.SIGTERM)
        assert await second.exit_code() == 0
