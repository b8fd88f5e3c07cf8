"""The database goes away between the moment when others took what we sent and the moment when we write that down."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from aiohttp import web

from bellhand.dev.postgres import DevPostgres
from crm import KINDS, customer, ledger, no_quiet, remind
from daemons import at_work, insert, until
from notifying import Receiver, asks, delivering, over
from proxy import Proxy, proxy
from support import eventually
from websites import raw_server, serving

AWAY_SECONDS = 1.2


@pytest.fixture
async def way(private_server: DevPostgres, private_dsn: str) -> AsyncIterator[Proxy]:
    """The daemon's way to the database; the tests have their own."""
    async with proxy(private_server.dsn_for("bellhand", tcp=True)) as made:
        yield made


@pytest.fixture
async def private_conn(private_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(private_dsn, timeout=10)
    yield connection
    await connection.close(timeout=5)


class MailServer:
    """Takes mails; with the first it takes the database away before it answers."""

    def __init__(self, way: Proxy) -> None:
        self.way = way
        self.taken = 0
        self.gone: asyncio.Task[None] | None = None

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test\r\n")
        while line := await reader.readline():
            if line.upper().startswith(b"DATA"):
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                self.taken += 1
                if self.gone is None:
                    self.gone = asyncio.create_task(self.way.go_away(AWAY_SECONDS))
                    await eventually(lambda: self.way.down)
            writer.write(b"250 2.0.0 fine\r\n")


async def test_a_mail_that_was_taken_while_the_database_was_away_is_sent_not_unsure(
    way: Proxy, private_conn: asyncpg.Connection
) -> None:
    conn, server = private_conn, MailServer(way)
    await no_quiet(conn)
    await customer(conn, "ann")
    async with raw_server(server.talk) as port:
        mail = {"host": "127.0.0.1", "port": port, "tls": "none", "sender": "jobs@bellhand.test"}
        async with at_work(way.dsn, *KINDS, mail=mail, worker={"lease_seconds": 20.0}):
            row = await until(conn, await remind(conn, "ann"), "completed", 20)
    (message,) = await ledger(conn)
    assert (message["state"], server.taken) == ("sent", 1)
    assert (row["attempts"], row["crashes"]) == (0, 0)


async def test_a_webhook_that_was_taken_while_the_database_was_away_is_not_posted_again(
    way: Proxy, private_conn: asyncpg.Connection
) -> None:
    conn, gone = private_conn, []

    class Leaving(Receiver):
        async def take(self, request: web.Request) -> web.Response:
            if not gone:
                gone.append(asyncio.create_task(way.go_away(AWAY_SECONDS)))
                await eventually(lambda: way.down)
            return await super().take(request)

    receiver = Leaving()
    async with serving(("/hook", receiver.take)) as port, delivering(way.dsn, port):
        await conn.execute("select bellhand.set_channel('shop', 'webhook', $1)", f"http://127.0.0.1:{port}/hook")  # fmt: skip
        await insert(conn, "t.fine", notify=asks("shop", "completed"))
        (delivery,) = await over(conn)
    assert gone
    assert (delivery["state"], delivery["attempts"]) == ("completed", 0)
    assert len(receiver.got) == 1


async def test_whoever_asks_again_because_the_answer_was_lost_may_still_send(
    conn: asyncpg.Connection,
) -> None:
    """The commit that began the mail was there, its answer was not: the same attempt goes on, no other does."""
    await no_quiet(conn)
    await customer(conn, "ann")
    begin = (
        "select * from bellhand_crm.begin_message('ann', 'reminder', 'k', false, true, 'Tuesday', 1,"
        " md5($1)::uuid)"
    )
    first, again = [await conn.fetchrow(begin, "mine") for _ in range(2)]
    assert (first["verdict"], again["verdict"]) == ("go", "go")
    for what in ("message_id", "message_key", "address"):
        assert first[what] == again[what], what
    assert len(await ledger(conn)) == 1
    other = await conn.fetchrow(begin, "another's")
    assert other["verdict"] == "bad"
