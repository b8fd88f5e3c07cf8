"""What the tests of notifications share: jobs that end in every way, a receiver, a daemon that delivers."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from aiohttp import web

from bellhand import Failed, Job, job_kind
from bellhand.app import Daemon
from bellhand.notify import deliver_discord, deliver_email, deliver_slack, deliver_webhook
from daemons import at_work
from support import eventually

DELIVERERS = (deliver_discord, deliver_email, deliver_slack, deliver_webhook)
LOCAL = ["127.0.0.0/8"]


@job_kind("t.fine")
async def fine(args: dict[str, Any]) -> dict[str, Any]:
    return args or {"done": True}


@job_kind("t.fails", attempts_max=1)
async def fails(args: dict[str, Any]) -> None:
    raise Failed(args.get("error", "the oven is cold"))


@job_kind("t.partly", attempts_max=1)
async def partly(job: Job) -> None:
    async def bake(n: int) -> None:
        if n == 2:
            raise ValueError("two is burnt")

    await job.each([1, 2, 3], bake)


class Receiver:
    """An endpoint of somebody else's: writes down what comes, answers as told, 204 once that is used up."""

    def __init__(self, *answers: web.Response | int) -> None:
        self.answers = list(answers)
        self.got: list[tuple[dict[str, str], bytes]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        answer = self.answers.pop(0) if self.answers else 204
        return answer if isinstance(answer, web.Response) else web.Response(status=answer)

    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, body in self.got]

    async def until(self, count: int, seconds: float = 30) -> list[Any]:
        """The bodies once there are so many."""
        await eventually(lambda: len(self.got) >= count, seconds, because=f"{count} messages")
        return self.bodies()


@asynccontextmanager
async def delivering(dsn: str, *ports: int, **sections: Any) -> AsyncIterator[Daemon]:
    """A daemon that runs the jobs above and delivers to loopback."""
    notify = {"allow_networks": LOCAL, "ports": list(ports) or [80]} | sections.pop("notify", {})
    async with at_work(
        dsn,
        *DELIVERERS,
        fine,
        fails,
        partly,
        notify=notify,
        worker={"poll_seconds": 1.0, "lease_seconds": 20.0},
        **sections,
    ) as daemon:
        yield daemon


async def deliveries(conn: asyncpg.Connection) -> list[asyncpg.Record]:
    """Every job that delivers, oldest first."""
    return await conn.fetch(
        "select * from bellhand.all_jobs where kind like 'notify.%' order by id"
    )


async def over(
    conn: asyncpg.Connection, count: int = 1, seconds: float = 30
) -> list[asyncpg.Record]:
    """The deliveries once there are so many and all are over."""

    async def there() -> list[asyncpg.Record] | None:
        rows = await deliveries(conn)
        done = len(rows) >= count and all(row["finished_at"] for row in rows)
        return rows if done else None

    found = await eventually(there, seconds, because=f"{count} deliveries should be over")
    assert found is not None
    return found


def asks(to: str, *on: str, late_seconds: float | None = None) -> str:
    """A value for the column notify."""
    entry: dict[str, Any] = {"on": list(on), "to": to}
    return json.dumps([entry | ({"late_seconds": late_seconds} if late_seconds else {})])


async def all_over(conn: asyncpg.Connection, count: int) -> bool:
    """Whether so many jobs that are no deliveries are over."""
    return bool(
        await conn.fetchval(
            "select count(*) = $1 from bellhand.history where kind not like 'notify.%'", count
        )
    )


KINDS = [
    {"name": name, "lane": "default", "priority": 5, "attempts_max": 1}
    for name in ("t.fine", "t.fails", "notify.email", "notify.slack")
]


async def prepared(conn: asyncpg.Connection) -> None:
    """The kinds as a daemon publishes them, and a channel."""
    await conn.execute("select bellhand.publish_kinds($1)", json.dumps(KINDS))
    await conn.execute("select bellhand.set_channel('ops', 'slack', 'https://chat.example/hook')")


async def slack(conn: asyncpg.Connection, port: int, **digest: int) -> None:
    """The channel `ops`, to /hook of this port."""
    named = "".join(f", p_{name} => {value}" for name, value in digest.items())
    await conn.execute(
        f"select bellhand.set_channel('ops', 'slack', $1{named})", f"http://127.0.0.1:{port}/hook"
    )
