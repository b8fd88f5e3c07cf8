"""What may be asked to be told, and what could not be delivered and is refused."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from pydantic import ValidationError

from bellhand.settings import Schedule
from bellhand.settings_notify import Channel, Mail, Notify
from daemons import insert
from notifying import asks, prepared

# What may be asked for

REFUSED = {
    '{"on": ["failed"], "to": "ops"}': "it must be a list, not object",
    "[]": "1 to 20 entries, not 0",
    json.dumps([{"on": ["failed"], "to": "ops"}] * 21): "1 to 20 entries, not 21",
    '["ops"]': "each entry must be an object, not string",
    '[{"on": ["failed"], "to": "ops", "by": 1}]': 'unknown key "by"; known are on, to, late_seconds',
    '[{"to": "ops"}]': '"on" must be a list out of',
    '[{"on": [], "to": "ops"}]': '"on" must be a list out of',
    '[{"on": ["done"], "to": "ops"}]': '"on" must be a list out of',
    '[{"on": "failed", "to": "ops"}]': '"on" must be a list out of',
    '[{"on": ["late"], "to": "ops"}]': "give both or neither",
    '[{"on": ["failed"], "to": "ops", "late_seconds": 5}]': "give both or neither",
    '[{"on": ["late"], "to": "ops", "late_seconds": 0}]': "above 0, and at most ten years",
    '[{"on": ["late"], "to": "ops", "late_seconds": 1e400}]': "above 0, and at most ten years",
    '[{"on": ["late"], "to": "ops", "late_seconds": "5"}]': "late_seconds must be a number",
    '[{"on": ["failed"]}]': '"to" must be the name of a channel, or an e-mail address',
    '[{"on": ["failed"], "to": "op"}]': 'there is no channel "op"; there is ops',
    '[{"on": ["failed"], "to": "a@b c"}]': "is no e-mail address",
    '[{"on": ["failed"], "to": "a@b\\r\\nBcc: c@d"}]': "is no e-mail address",
    '[{"on": ["failed"], "to": "a@b,c@d"}]': "is no e-mail address",
}


async def test_what_could_not_be_delivered_is_refused_at_the_insert(
    conn: asyncpg.Connection,
) -> None:
    await prepared(conn)
    for notify, why in REFUSED.items():
        with pytest.raises(asyncpg.PostgresError, match="notify is not accepted") as caught:
            await insert(conn, "t.fine", notify=notify)
        assert caught.value.sqlstate == "BH004"
        assert why in caught.value.detail, notify
        assert "bellhand.channel_status" in caught.value.hint
    assert await conn.fetchval("select count(*) from bellhand.jobs") == 0


async def test_a_medium_that_no_daemon_delivers_is_refused_and_notifications_ask_for_none(
    conn: asyncpg.Connection,
) -> None:
    await prepared(conn)
    await conn.execute("select bellhand.set_channel('chat', 'discord', 'https://chat.example/x')")
    for kind, to, why in [
        ("t.fine", "chat", 'no daemon delivers notify.discord; add "bellhand.notify" to modules'),
        ("notify.email", "ops", "a notification cannot ask for one itself"),
    ]:
        with pytest.raises(asyncpg.PostgresError) as caught:
            await insert(conn, kind, notify=asks(to, "failed"))
        assert why in caught.value.detail


async def test_every_way_in_knows_notify(conn: asyncpg.Connection) -> None:
    await prepared(conn)
    wish = asks("ops", "failed")
    await conn.execute("select bellhand.enqueue('t.fine', notify => $1)", wish)
    many = json.dumps([{"kind": "t.fine", "notify": json.loads(wish)}] * 3)
    await conn.execute("select count(*) from bellhand.enqueue_many($1)", many)
    later = asks("ops", "late", late_seconds=60)
    await conn.execute(
        "insert into bellhand.jobs (kind, notify, run_at) values ('t.fine', $1, bellhand.now() + interval '1 hour')",
        later,
    )
    assert await conn.fetchval("select count(*) from bellhand.watched") == 5
    assert await conn.fetchval("select count(*) from bellhand.queue") == 4
    apart = await conn.fetchval(
        "select late_at - bellhand.now() from bellhand.watched where late_at is not null"
    )
    assert 3500 < apart.total_seconds() < 3661


async def test_the_jobs_of_a_schedule_tell_whom_it_names_and_come_without_him(
    conn: asyncpg.Connection,
) -> None:
    """A channel that went away keeps no job from coming; the schedule says that nobody is told."""
    await prepared(conn)
    wish = {"to": "ops", "on": ["failed", "late"], "late_seconds": 60}
    schedule = Schedule.model_validate({"cron": "* * * * *", "kind": "t.fine", "notify": [wish]})
    plain = Schedule.model_validate({"cron": "* * * * *", "kind": "t.fine"})
    both = [{"name": "told", **schedule.published()}, {"name": "plain", **plain.published()}]
    await conn.execute("select bellhand.publish_schedules($1)", json.dumps(both))

    async def fire(name: str, minute: int) -> Any:
        tick = datetime(2026, 1, 1, 0, minute, tzinfo=UTC)
        sql = "select bellhand.fire_schedule($1, next_at, array[$2::timestamptz], $2) from bellhand.schedules where name = $1"
        assert await conn.fetchval(sql, name, tick) == 1
        return await conn.fetchval("select notify from bellhand.jobs order by id desc limit 1")

    assert json.loads(await fire("told", 1)) == [wish]
    assert await fire("plain", 1) is None
    for name, told in ("told", [wish]), ("plain", None):
        job = await conn.fetchval("select id from bellhand.run_schedule($1)", name)
        asked = await conn.fetchval("select notify from bellhand.jobs where id = $1", job)
        assert told == (json.loads(asked) if asked else None), "run by hand it tells too"
    error = "select error from bellhand.schedules where name = 'told'"
    assert await conn.fetchval(error) is None
    await conn.execute("delete from bellhand.channels")
    assert await fire("told", 2) is None
    assert await conn.fetchval(error) == 'nobody is told: there is no channel "ops"'
    with pytest.raises(ValidationError, match="give both or neither"):
        Schedule.model_validate({"cron": "* * * * *", "kind": "t", "notify": [{"to": "x", "on": ["late"]}]})  # fmt: skip


NOT_POSSIBLE = [
    ("set_channel('x', 'slack', 'ftp://chat.example')", "needs an address like https://"),
    (
        "set_channel('x', 'webhook', 'https://user:pw@chat.example')",
        "needs an address like https://",
    ),
    ("set_channel('x', 'email', 'nobody')", "is no e-mail address"),
    ("set_channel('x', 'pigeon', 'https://chat.example')", "violates check constraint"),
    ("subscribe('x', 'nowhere', '{failed}')", 'there is no channel "nowhere"'),
    ("subscribe('x', 'ops', '{done}')", "is not what can be told"),
    ("subscribe('x', 'ops', '{late}')", "give both or neither"),
    ("rotate_secret('nowhere')", 'there is no channel "nowhere"'),
    ("enable_channel('nowhere')", 'there is no channel "nowhere"'),
]


async def test_channels_and_subscriptions_that_cannot_work_are_refused(
    conn: asyncpg.Connection,
) -> None:
    await prepared(conn)
    for call, said in NOT_POSSIBLE:
        with pytest.raises(asyncpg.PostgresError, match=re.escape(said)):
            await conn.execute(f"select bellhand.{call}")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (lambda: Channel(kind="slack"), "a channel of kind slack has url or url_file"),
        (lambda: Channel(kind="email", url="https://x.example"), "has address"),
        (lambda: Channel(kind="webhook", url="https://x.example"), "a webhook has secret"),
        (
            lambda: Notify(subscriptions={"a": {"channel": "ops", "on": ["failed"]}}),
            "names channel ops",
        ),
        (lambda: Notify(link="https://x.example/jobs"), "has {id} or {key} in it"),
        (lambda: Mail(host="mail.example"), "a host needs a sender"),
        (lambda: Mail(host="mail.example", sender="nobody"), "a sender looks like"),
        (
            lambda: Mail(host="mail.example", sender="a@b.example", user="u", tls="none"),
            "in the clear",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        settings()
