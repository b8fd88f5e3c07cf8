"""Webhooks end to end: a daemon, an endpoint that is somebody else's, and a library that is not ours to check the signatures."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import base64
import json
from contextlib import suppress
from datetime import UTC, datetime

import asyncpg
import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from bellhand.notify.signing import secret_bytes, signed
from daemons import insert, until
from notifying import Receiver, asks, deliveries, delivering, over
from processes import Fleet, fleet
from support import eventually
from websites import serving

SET = "select bellhand.set_channel('shop', 'webhook', $1)"


async def channel(conn: asyncpg.Connection, port: int) -> str:
    secret = await conn.fetchval(SET, f"http://127.0.0.1:{port}/hook")
    assert secret.startswith("whsec_")
    return str(secret)


@pytest.mark.parametrize("size", [24, 32, 64])
@pytest.mark.parametrize("body", ['{"a":1}', "", "Zo\u00eb \u2028 \U0001f969", "1.2.3"])
def test_signatures_are_those_of_the_independent_library(size: int, body: str) -> None:
    secret = "whsec_" + base64.b64encode(bytes(range(size))).decode()
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    theirs = Webhook(secret).sign("msg.1", when, body)
    headers = signed("msg.1", int(when.timestamp()), body.encode(), [secret, secret])
    assert headers["webhook-signature"] == f"{theirs} {theirs}"


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "secret", "whsec_????", "whsec_c2hvcnQ=", "whsec_" + "QUFB" * 22]
)
def test_what_is_no_secret_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes") as caught:
        secret_bytes(secret)
    assert len(secret) < 8 or secret not in str(caught.value)


async def test_a_completed_job_is_told_signed_and_once_s1_f6_s2_f3(dsn, conn) -> None:
    receiver = Receiver()
    async with serving(("/hook", receiver.take)) as port, delivering(dsn, port):
        secret = await channel(conn, port)
        job = await insert(
            conn, "t.fine", '{"rows": 3, "none": null, "text": "Zoë </script>"}', owner="ann", tags='{"shop": 7}',
            notify=asks("shop", "completed", "failed"),
        )  # fmt: skip
        await insert(conn, "t.fine")
        (told,) = await receiver.until(1)
        (delivery,) = await over(conn)
    (headers, body) = receiver.got[0]
    assert Webhook(secret).verify(body, headers) == told
    row = await conn.fetchrow("select * from bellhand.all_jobs where id = $1", job)
    assert told["type"] == "job.completed"
    assert told["data"] | {"created_at": "", "started_at": ""} == {
        "id": job, "key": str(row["key"]), "kind": "t.fine", "state": "completed", "partial": False, "owner": "ann",
        "tags": {"shop": 7}, "failed_attempts": 0, "created_at": "", "started_at": "",
        "result": {"rows": 3, "none": None, "text": "Zoë </script>"},
    }  # fmt: skip
    assert headers["webhook-id"] == str(delivery["key"])
    assert (delivery["kind"], delivery["lane"], delivery["state"]) == (
        "notify.webhook",
        "notify",
        "completed",
    )
    assert json.loads(delivery["tags"]) == {"to": "shop", "about": job}
    assert len(receiver.got) == 1
    assert await conn.fetchval("select count(*) from bellhand.watched") == 0


async def test_a_changed_body_or_another_secret_is_noticed(dsn, conn) -> None:
    receiver = Receiver()
    async with serving(("/hook", receiver.take)) as port, delivering(dsn, port):
        secret = await channel(conn, port)
        await insert(conn, "t.fine", notify=asks("shop", "completed"))
        await receiver.until(1)
    headers, body = receiver.got[0]
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace(b"t.fine", b"t.fins"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "QUFB" * 11).verify(body, headers)


async def test_attempts_go_on_with_one_id_and_wait_as_long_as_they_are_asked(dsn, conn) -> None:
    receiver = Receiver(500, web.Response(status=503, headers={"Retry-After": "1"}), 302, 404)
    async with serving(("/hook", receiver.take)) as port, delivering(dsn, port):
        await channel(conn, port)
        await insert(conn, "t.fine", notify=asks("shop", "completed"))
        await hurried(conn, receiver, 2)
        await receiver.until(3)  # by itself, after the second that it asked for
        await hurried(conn, receiver, 5)
        (delivery,) = await over(conn)
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len({body for _, body in receiver.got}) == 1
    assert (delivery["state"], delivery["attempts"]) == ("completed", 4)
    said = await conn.fetch(
        "select data from bellhand.events where job = $1 and type = 'attempt_failed' order by seq",
        delivery["id"],
    )
    waited = [json.loads(row["data"]) for row in said]
    assert waited[1]["wait_seconds"] == 1
    assert 0 <= waited[0]["wait_seconds"] <= 10
    assert "redirects are not followed" in waited[2]["error"]
    assert await conn.fetchval("select failures from bellhand.channels") == 0


async def hurried(conn: asyncpg.Connection, receiver: Receiver, count: int) -> None:
    """So many messages, without the waits in between."""

    async def there() -> bool:
        with suppress(asyncpg.PostgresError):  # it was promoted in the same moment
            await conn.execute("select bellhand.run_now(s.id) from bellhand.scheduled s")
        return len(receiver.got) >= count

    await eventually(there)


def test_attempts_are_spread_over_about_a_day() -> None:
    from bellhand.notify import deliver_webhook

    kind = deliver_webhook.__bellhand_kind__  # type: ignore[attr-defined]
    hours = sum(kind.backoff_seconds(n, lambda: 0.5) for n in range(1, kind.attempts_max)) / 3600
    assert 18 <= hours <= 30


async def test_an_address_inside_is_never_posted_to(dsn, conn) -> None:
    receiver = Receiver()
    async with (
        serving(("/hook", receiver.take)) as port,
        delivering(dsn, port, notify={"allow_networks": []}),
    ):
        for n, where in enumerate(
            [
                f"http://127.0.0.1:{port}/hook",
                f"https://127.0.0.1:{port}/",
                f"http://[::ffff:127.0.0.1]:{port}/hook",
                f"https://169.254.169.254:{port}/",
            ]
        ):
            await conn.execute("select bellhand.set_channel($1, 'webhook', $2)", f"in{n}", where)
            await insert(conn, "t.fine", notify=asks(f"in{n}", "completed"))
        rows = await over(conn, 4)
    assert [row["state"] for row in rows] == ["failed"] * 4
    assert all("not a public one" in row["error"] for row in rows)
    assert receiver.got == []


async def test_secrets_rotate_without_a_gap(dsn, conn) -> None:
    receiver = Receiver()
    async with serving(("/hook", receiver.take)) as port, delivering(dsn, port):
        old = await channel(conn, port)
        new = await conn.fetchval("select bellhand.rotate_secret('shop')")
        await insert(conn, "t.fine", notify=asks("shop", "completed"))
        await receiver.until(1)
        last = await conn.fetchval("select bellhand.rotate_secret('shop', p_keep_seconds => 0)")
        await insert(conn, "t.fine", notify=asks("shop", "completed"))
        await receiver.until(2)
    (first, first_body), (second, second_body) = receiver.got
    for secret in (old, new):
        Webhook(secret).verify(first_body, first)
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(second_body, second)
    Webhook(last).verify(second_body, second)
    assert (
        await conn.fetchval("select count(*) from bellhand.events where type = 'secret_rotated'")
        == 3
    )


async def test_an_endpoint_that_is_gone_is_disabled_told_of_and_can_be_replayed(dsn, conn) -> None:
    receiver, alarm = Receiver(410), Receiver()
    async with (
        serving(("/hook", receiver.take), ("/alarm", alarm.take)) as port,
        delivering(dsn, port),
    ):
        await channel(conn, port)
        await conn.execute(
            "select bellhand.set_channel('ops', 'slack', $1)", f"http://127.0.0.1:{port}/alarm"
        )
        await conn.execute("select bellhand.subscribe('broken', 'ops', '{disabled}')")
        await insert(conn, "t.fine", notify=asks("shop", "completed"))
        (message,) = await alarm.until(1)
        assert "channel shop was disabled" in message["text"]
        assert "410" in message["text"]
        await insert(conn, "t.fine", notify=asks("shop", "completed"))
        rows = [row for row in await over(conn, 3) if row["kind"] == "notify.webhook"]
        assert [row["state"] for row in rows] == ["failed", "failed"]
        assert "select bellhand.enable_channel('shop')" in rows[1]["error"]
        assert len(receiver.got) == 1
        status = await conn.fetchrow("select * from bellhand.channel_status where name = 'shop'")
        assert status["disabled_at"] is not None
        assert "it is gone: the receiver answered 410" in status["disabled_reason"]
        event = await conn.fetchrow("select * from bellhand.events where type = 'channel_disabled'")
        assert json.loads(event["data"])["channel"] == "shop"
        await conn.execute("select bellhand.enable_channel('shop')")
        assert await conn.fetchval("select bellhand.replay('shop')") == 2
        await receiver.until(3)
        assert {row["state"] for row in await over(conn, 3)} == {"completed"}
    assert receiver.got[0][0]["webhook-id"] in {h["webhook-id"] for h, _ in receiver.got[1:]}
    assert {h["webhook-id"] for h, _ in receiver.got[1:]} == {str(row["key"]) for row in rows}


async def test_an_endpoint_that_fails_for_days_is_disabled_and_one_success_forgives(
    dsn, conn
) -> None:
    receiver = Receiver(500, 204, 500)
    days = "update bellhand.channels set failures = 9, failing_since = bellhand.now() - interval '121 hours' where name = 'shop'"
    async with serving(("/hook", receiver.take)) as port, delivering(dsn, port):
        await channel(conn, port)
        await insert(conn, "t.fine", notify=asks("shop", "completed"))
        await receiver.until(1)
        await insert(conn, "t.fine", notify=asks("shop", "completed"))
        await receiver.until(2)
        await eventually(lambda: failures(conn, 0))
        await conn.execute(days)
        await insert(conn, "t.fine", notify=asks("shop", "completed"))
        await eventually(
            lambda: conn.fetchval("select disabled_at is not null from bellhand.channels")
        )
    assert "nothing got through since" in await conn.fetchval(
        "select disabled_reason from bellhand.channels"
    )


async def failures(conn: asyncpg.Connection, count: int) -> bool:
    return bool(await conn.fetchval("select failures = $1 from bellhand.channels", count))


async def test_endless_slow_and_broken_answers_are_left_at_once(dsn, conn) -> None:
    async def endless(_: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(_)
        while True:
            await response.write(b"x" * 65536)

    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with (
        serving(("/endless", endless), ("/slow", slow)) as port,
        delivering(dsn, port, notify={"seconds_max": 0.5}),
    ):
        for name in ("endless", "slow"):
            await conn.execute(
                "select bellhand.set_channel($1, 'webhook', $2)",
                name,
                f"http://127.0.0.1:{port}/{name}",
            )
            await insert(conn, "t.fine", notify=asks(name, "completed"))
        await eventually(lambda: conn.fetchval("select attempts > 0 from bellhand.jobs"))
        rows = await deliveries(conn)
    assert (rows[0]["state"], rows[0]["attempts"]) == ("completed", 0)
    assert "the receiver took too long" in rows[1]["error"]


async def test_a_large_result_is_left_out_and_said_so(dsn, conn) -> None:
    receiver = Receiver()
    async with serving(("/hook", receiver.take)) as port, delivering(dsn, port):
        await channel(conn, port)
        await insert(
            conn, "t.fine", json.dumps({"text": "x" * 50_000}), notify=asks("shop", "completed")
        )
        (told,) = await receiver.until(1)
    assert told["data"]["result_left_out"] is True
    assert "result" not in told["data"]
    assert len(receiver.got[0][1]) < 20_000


async def test_killed_between_delivery_and_commit_it_comes_again_with_the_same_id(
    fleet: Fleet, dsn, conn
) -> None:
    """At least once: what the receiver cannot know is what the webhook-id is for."""
    held = asyncio.Event()
    got: list[tuple[str, bytes]] = []

    async def receive(request: web.Request) -> web.Response:
        got.append((request.headers["webhook-id"], await request.read()))
        if len(got) == 1:
            held.set()
            await asyncio.sleep(30)  # the daemon is killed meanwhile
        return web.Response(status=204)

    async with serving(("/hook", receive)) as port:
        notify = {"allow_networks": ["127.0.0.0/8"], "ports": [port]}
        daemons = {"modules": ["notifying", "bellhand.notify"], "notify": notify}
        first = fleet.start(dsn, **daemons)
        await first.until("ready")
        secret = await channel(conn, port)
        await insert(conn, "t.fine", notify=asks("shop", "completed"))
        async with asyncio.timeout(60):
            await held.wait()
        first.child.kill()
        second = fleet.start(dsn, **daemons)
        await second.until("ready")
        (delivery,) = await over(conn, seconds=40)
    assert len(got) == 2
    assert got[0] == got[1]
    assert got[0][0] == str(delivery["key"])
    assert (delivery["state"], delivery["crashes"]) == ("completed", 1)
    assert secret not in first.text + second.text


async def test_secrets_and_addresses_are_shown_to_nobody(dsn, conn, capsys, tmp_path) -> None:
    """Channels of the configuration and of the database, through a failure each: not in jobs, events, views or logs."""
    receiver = Receiver(500, 500)
    async with serving(("/c4n4ry-path", receiver.take)) as port:
        where = f"http://127.0.0.1:{port}/c4n4ry-path"
        file = tmp_path / "secret"
        file.write_text("whsec_" + "QzRuNHJ5" * 5 + "\n")
        configured = {"conf": {"kind": "webhook", "url": where, "secret_file": str(file)}}
        async with delivering(dsn, port, notify={"channels": configured}) as daemon:
            secret = await conn.fetchval("select bellhand.set_channel('sql', 'webhook', $1)", where)
            first = await insert(conn, "t.fine", notify=asks("conf", "completed"))
            await insert(conn, "t.fine", notify=asks("sql", "completed"))
            await receiver.until(2)
            failing = "select bool_and(failures > 0) from bellhand.channels"
            await eventually(lambda: conn.fetchval(failing))
            # Either may come first; the one of the configuration is signed with the file's key.
            (ours,) = [one for one in receiver.got[:2] if json.loads(one[1])["data"]["id"] == first]
            Webhook(file.read_text().strip()).verify(ours[1], ours[0])
            shown = repr(daemon.settings) + repr(daemon.hooks.place("conf"))
            await conn.execute("select bellhand.disable_channel('sql', 'on purpose')")
    tables = (
        "all_jobs",
        "jobs",
        "history",
        "events",
        "channel_status",
        "subscriptions",
        "notices",
        "steps",
        "kinds",
    )
    for table in tables:
        shown += str(await conn.fetch(f"select t::text from bellhand.{table} t"))
    shown += str(await conn.fetchval("select address from bellhand.channels where name = 'conf'"))
    shown += "".join(capsys.readouterr())
    for canary in ("c4n4ry", "QzRuNHJ5", secret.removeprefix("whsec_")):
        assert canary not in shown


async def test_a_dead_receiver_holds_up_nobody_and_gets_everything_once_it_is_back(
    dsn, conn
) -> None:
    dead, alive = Receiver(*[500] * 1000), Receiver()
    async with (
        serving(("/hook", dead.take), ("/alive", alive.take)) as port,
        delivering(dsn, port, notify={"concurrency": 4}),
    ):
        await channel(conn, port)
        await conn.execute(
            "select bellhand.set_channel('two', 'webhook', $1)", f"http://127.0.0.1:{port}/alive"
        )
        for _ in range(40):
            await insert(conn, "t.fine", notify=asks("shop", "completed"))
        await insert(conn, "t.fine", notify=asks("two", "completed"))
        await alive.until(1)
        await eventually(
            lambda: conn.fetchval(
                "select retry_at is not null from bellhand.channel_status where name = 'shop'"
            )
        )
        assert len(dead.got) < 40
        dead.answers.clear()
        await conn.execute("select bellhand.enable_channel('shop')")
        ids = "select count(*) = 0 from bellhand.jobs"

        async def drained() -> bool:
            with suppress(asyncpg.PostgresError):
                await conn.execute("select bellhand.run_now(s.id) from bellhand.scheduled s")
            return bool(await conn.fetchval(ids))

        await eventually(drained)
        limit = await conn.fetchval("select concurrency from bellhand.lanes where name = 'notify'")
        assert limit == 4
    assert len({headers["webhook-id"] for headers, _ in dead.got}) == 40


async def test_a_job_is_retried_although_its_channel_went_away(dsn, conn) -> None:
    async with delivering(dsn):
        await channel(conn, 1)
        job = await insert(conn, "t.fails", notify=asks("shop", "completed"))
        await until(conn, job, "failed")
        await conn.execute("delete from bellhand.channels")
        await conn.execute("select bellhand.retry($1)", job)
        await eventually(
            lambda: conn.fetchval("select epoch > 1 from bellhand.history where id = $1", job)
        )
