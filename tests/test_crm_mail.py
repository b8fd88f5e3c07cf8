"""Mail to customers: what goes out, to whom, when, and what the server's answers mean."""

import base64
import json
from collections import Counter
from pathlib import Path

import asyncpg
import pytest

from crm import ask, customer, job, ledger, mailing, no_quiet, promote, promotion, put, remind
from daemons import until
from mailserver import mail_server
from support import eventually


async def test_a_promotion_goes_out_once_in_both_forms_with_a_way_out(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    """S4-01, S4-11: send_promotion, with the seed's payload; the ledger, List-Unsubscribe as RFC 8058 has it."""
    await no_quiet(conn)
    await customer(conn, "customer-123", name="Ann <b>", email="Ann@Example.com")
    await promotion(
        conn, "promo-456", subject="For {{ customer.name }}", url="https://shop.example.com/p"
    )
    with mail_server(tmp_path) as server:
        async with mailing(dsn, server):
            first = await until(conn, await promote(conn, "customer-123", "promo-456"), "completed")
            again = await until(conn, await promote(conn, "customer-123", "promo-456"), "completed")
        ((envelope, message),) = server.mails()
    assert envelope["to"] == ["Ann@example.com"]
    token = await conn.fetchval("select unsubscribe_token from bellhand_crm.customers")
    way_out = f"https://shop.example.com/newsletter/unsubscribe?customer={token}"
    assert len(way_out) > 78
    assert message["List-Unsubscribe"] == f"<{way_out}>"
    body = base64.b64decode(envelope["body"])
    assert f"List-Unsubscribe: <{way_out}>\r\n".encode() in body, (
        "an address longer than a line stays one"
    )
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Subject"] == "For Ann <b>"
    plain, html = (part.get_content().replace("\r\n", "\n") for part in message.iter_parts())
    assert "Hello Ann <b>,\n\nOnly this week." in plain
    assert f"No more of these: {way_out}" in plain
    assert "Hello Ann &lt;b&gt;," in html
    (row,) = await ledger(conn)
    assert message["Message-ID"] == f"<{row['message_key']}@bellhand.test>"
    assert (row["state"], row["purpose"], row["key"]) == ("sent", "promotion", "promo-456")
    assert json.loads(first["result"])["sent"] is True
    said = json.loads(again["result"])
    assert said["sent"] is False
    assert f"by job {first['id']}" in said["why"]


async def test_many_jobs_for_one_mail_send_one(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    await no_quiet(conn)
    await customer(conn, "ann")
    await promotion(conn, "p")
    with mail_server(tmp_path) as server:
        async with mailing(dsn, server):
            jobs = [await promote(conn, "ann", "p") for _ in range(20)]

            async def settled() -> bool:
                """Each is over, or waits to see what becomes of the one that sends."""
                states = Counter([(await job(conn, one))["state"] for one in jobs])
                return states["completed"] + states["scheduled"] == 20 and states["completed"] > 0

            await eventually(settled)
        assert len(server.mails()) == 1
    assert [row["state"] for row in await ledger(conn)] == ["sent"]


async def test_what_cannot_be_sent_says_why_and_sends_nothing(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    """S4-29: descriptive errors, nothing reads as a success."""
    await no_quiet(conn)
    await customer(conn, "ann")
    await customer(conn, "nobody", email=None)
    await customer(conn, "private", consent=False)
    await customer(conn, "gone", deleted_at=await conn.fetchval("select bellhand.now()"))
    await customer(conn, "quiet", email="Quiet@example.com")
    await conn.execute(
        "insert into bellhand_crm.suppressions values ('quiet@example.com', 'all', 'asked by phone')"
    )
    await promotion(conn, "p")
    await promotion(conn, "broken", body="Dear {{ customer.nmae }}")
    await promotion(conn, "old", ends_at=await conn.fetchval("select bellhand.now()"))
    expected = {
        ("unknown", "p"): ("failed", "there is no customer unknown"),
        ("nobody", "p"): ("failed", "customer nobody has no e-mail address"),
        ("private", "p"): ("cancelled", "has not agreed"),
        ("gone", "p"): ("cancelled", "customer gone is deleted"),
        ("quiet", "p"): ("cancelled", "quiet@example.com is suppressed: asked by phone"),
        ("ann", "nothing"): ("failed", "there is no promotion nothing"),
        ("ann", "broken"): ("failed", "customer.nmae is not known"),
        ("ann", "old"): ("cancelled", "promotion old is over"),
    }
    with mail_server(tmp_path) as server:
        async with mailing(dsn, server):
            for (who, what), (state, why) in expected.items():
                row = await until(conn, await promote(conn, who, what), state)
                assert why in row["error"], (who, what)
        assert server.mails() == []
    assert await ledger(conn) == []


async def test_bad_rows_are_refused_where_they_are_written(conn: asyncpg.Connection) -> None:
    for table, columns in (
        ("customers", {"email": "no address"}),
        ("customers", {"time_zone": "Mars/Olympus"}),
        ("customers", {"tier": "gold"}),
        ("promotions", {"subject": "x", "body": ""}),
        ("promotions", {"subject": "x", "body": "x", "url": "javascript:alert(1)"}),
    ):
        with pytest.raises(
            (asyncpg.CheckViolationError, asyncpg.InvalidParameterValueError),
            match=r"email|Mars|tier|body|url",
        ):
            await put(conn, table, **columns)


async def test_a_mail_that_is_put_off_is_tried_again_and_one_that_is_refused_is_not(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    await no_quiet(conn)
    await customer(conn, "later")
    await customer(conn, "unknown")
    await customer(conn, "ann")
    with mail_server(tmp_path) as server:
        async with mailing(dsn, server):
            later = await until(conn, await remind(conn, "later"), "retrying")
            unknown = await until(conn, await remind(conn, "unknown"), "failed")
            after = await until(conn, await remind(conn, "unknown"), "cancelled")
            refused = await until(conn, await remind(conn, "ann", message="[reject]"), "failed")
            fine = await until(conn, await remind(conn, "ann"), "completed")
            assert len(server.mails()) == 1
    assert "450 4.2.0 try again later" in later["error"]
    assert "550 5.1.1 no such user" in unknown["error"]
    assert "is suppressed: mail: recipients refused" in after["error"]
    assert "5.7.1 not this" in refused["error"]
    assert json.loads(fine["result"])["sent"]
    assert [(row["customer_id"], row["state"]) for row in await ledger(conn)] == [
        ("later", "deferred"), ("unknown", "bounced"), ("ann", "bounced"), ("ann", "sent"),
    ]  # fmt: skip
    held = await conn.fetch("select address, scope from bellhand_crm.suppressions")
    assert [tuple(row) for row in held] == [("unknown@example.com", "all")]


async def test_a_key_makes_it_one_mail_whatever_jobs_ask(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    await no_quiet(conn)
    await customer(conn, "ann", consent=False)
    with mail_server(tmp_path) as server:
        async with mailing(dsn, server):
            for key in ("tuesday", "tuesday", "friday", None, None):
                await until(conn, await remind(conn, "ann", key=key), "completed")
            told = await ask(
                conn, "send_notification", customerId="ann", subject="Paid", message="Thanks."
            )
            await until(conn, told, "completed")
        mails = server.mails()
    assert len(mails) == 5
    assert all("List-Unsubscribe" not in message for _, message in mails)
    assert len({message["Message-ID"] for _, message in mails}) == 5


async def test_a_review_is_asked_for_unless_it_is_there(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    """S4-01: send_review_request."""
    await no_quiet(conn)
    await customer(conn, "ann")
    given = {"customer_id": "ann", "about": "Carpet, 3 May", "url": "https://shop.example.com/r"}
    await put(conn, "reviews", id="r1", **given)
    await put(conn, "reviews", id="r2", rating=5, reviewed_at=await conn.fetchval("select bellhand.now()"), **given)  # fmt: skip
    with mail_server(tmp_path) as server:
        async with mailing(dsn, server):
            await until(conn, await ask(conn, "send_review_request", reviewId="r1"), "completed")
            there = await ask(conn, "send_review_request", reviewId="r2")
            assert "review r2 has been written" in (await until(conn, there, "cancelled"))["error"]
            none = await ask(conn, "send_review_request", reviewId="r3")
            assert "there is no review r3" in (await until(conn, none, "failed"))["error"]
        ((_, message),) = server.mails()
    plain, _ = (part.get_content() for part in message.iter_parts())
    assert "thank you for having chosen us: Carpet, 3 May." in plain
    assert "Write a review: https://shop.example.com/r" in plain


async def test_whoever_unsubscribes_gets_what_is_theirs_and_no_more(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    await no_quiet(conn)
    await customer(conn, "ann", email="Ann@example.com")
    await promotion(conn, "p")
    token = await conn.fetchval("select unsubscribe_token from bellhand_crm.customers")
    unsubscribe = "select bellhand_crm.unsubscribe($1)"
    assert await conn.fetchval(unsubscribe, token)
    assert await conn.fetchval(unsubscribe, token)
    assert not await conn.fetchval("select bellhand_crm.unsubscribe(gen_random_uuid())")
    # A second record of the same person, or consent by mistake, does not bring it back.
    await conn.execute("update bellhand_crm.customers set consent = true")
    with mail_server(tmp_path) as server:
        async with mailing(dsn, server):
            row = await until(conn, await promote(conn, "ann", "p"), "cancelled")
            assert "ann@example.com is suppressed: unsubscribed" in row["error"]
            await until(conn, await remind(conn, "ann"), "completed")
        assert len(server.mails()) == 1
