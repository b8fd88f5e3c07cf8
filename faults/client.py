"""The clients: they insert by plain SQL, reconnect, and write down what they were told.

`ok`: the commit was acknowledged. `fail`: it was not committed, for sure. `info`: nobody knows, because the answer to
the commit got lost. `dup`: a live job has the key.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections.abc import Callable
from typing import Any

import asyncpg

from .witness import Witness

INSERT = (
    "insert into bellhand.jobs (kind, payload, unique_key, priority) values ($1, $2::jsonb, $3, $4)"
)
KEYED = " on conflict (kind, unique_key) where unique_key is not null do nothing"
CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 10.0
KEYS = 20
# The server or the way to it went away: whether the commit had happened before is unknown.
LOST = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of a connection that was lost in mid-statement
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
)

Choose = Callable[[random.Random], tuple[str, dict[str, Any]]]


def usual(dice: random.Random) -> tuple[str, dict[str, Any]]:
    """A kind and a payload, of what all faults run."""
    kind = dice.choices(
        ["f.quick", "f.nap", "f.limited", "f.steps", "f.effect", "f.flaky"],
        [20, 30, 10, 15, 15, 10],
    )[0]
    payload: dict[str, Any] = {"seconds": round(dice.uniform(0.02, 0.3), 3)}
    if kind == "f.steps":
        payload = {"steps": dice.randint(2, 6), "seconds": 0.1}
    elif kind == "f.flaky":
        payload["until"] = dice.randint(1, 3)
    return kind, payload


class Client:
    """One connection that inserts; `said` hears what came of it."""

    def __init__(self, dsn: str, said: Witness, seed: int) -> None:
        self.dsn = dsn
        self.said = said
        self.dice = random.Random(seed)
        self.connection: asyncpg.Connection | None = None
        self.jobs: list[int] = []  # acknowledged, the newest last

    async def connected(self) -> asyncpg.Connection:
        """The connection, opened anew if it was lost."""
        if self.connection is None or self.connection.is_closed():
            self.connection = await asyncpg.connect(
                self.dsn, timeout=CONNECT_SECONDS, command_timeout=STATEMENT_SECONDS, statement_cache_size=0,
                server_settings={"application_name": "faults:client"},
            )  # fmt: skip
        return self.connection

    def drop(self) -> None:
        """Close it at once."""
        if self.connection is not None:
            self.connection.terminate()
            self.connection = None

    async def enqueue(
        self, kind: str, payload: dict[str, Any], *, key: str | None = None, priority: int = 5, expect: str = "completed",
        give_up: bool = False,
    ) -> int | None:  # fmt: skip
        """Insert one job and write down what came of it; its id if the commit was acknowledged.

        `give_up` rolls back. `expect` is what must become of it: completed, failed, or any.
        """
        token = str(uuid.uuid4())
        text = json.dumps({"token": token} | payload)
        begun = time.monotonic()
        committing = False
        job: int | None = None
        result, error = "fail", None
        try:
            conn = await self.connected()
            async with asyncio.timeout(STATEMENT_SECONDS):
                transaction = conn.transaction()
                await transaction.start()
                job = await conn.fetchval(
                    INSERT + (KEYED if key else "") + " returning id", kind, text, key, priority
                )
                if give_up or job is None:
                    await transaction.rollback()
                    result = "fail" if job else "dup"
                else:
                    committing = True
                    await transaction.commit()
                    result = "ok"
        except LOST as lost:
            result, error = "info" if committing else "fail", f"{type(lost).__name__}: {lost}"
            self.drop()
        except asyncpg.PostgresError as refused:
            error = f"{type(refused).__name__}: {refused}"
            self.drop()
        now = time.monotonic()
        self.said.saw(
            "enqueue",
            t=now,
            t0=begun,
            t1=now,
            token=token,
            job=job,
            kind=kind,
            key=key,
            res=result,
            expect=expect,
            error=error,
        )
        if result == "ok" and job is not None:
            self.jobs.append(job)
        return job if result == "ok" else None

    async def act(self, what: str, job: int) -> str | None:
        """Call bellhand.cancel, retry, pause or resume; its answer, or None if it was refused or lost."""
        begun = time.monotonic()
        answer, result = None, "fail"
        try:
            conn = await self.connected()
            answer = await conn.fetchval(
                f"select bellhand.{what}($1)", job, timeout=STATEMENT_SECONDS
            )
            result = "ok"
        except LOST:
            result = "info"
            self.drop()
        except asyncpg.PostgresError as refused:
            answer = str(refused)
        now = time.monotonic()
        self.said.saw(what, t=now, t0=begun, t1=now, job=job, res=result, answer=answer)
        return answer if result == "ok" else None

    async def work(
        self, per_second: float, choose: Choose, stop: asyncio.Event, *, plain: bool = False
    ) -> None:
        """Insert at that rate until told to stop: some keyed, some rolled back, some cancelled later (none if `plain`)."""
        while not stop.is_set():
            kind, payload = choose(self.dice)
            odd = 1.0 if plain else self.dice.random()
            key = f"k{self.dice.randrange(KEYS)}" if odd < 0.1 else None
            await self.enqueue(
                kind,
                payload,
                key=key,
                priority=self.dice.choice([1, 5, 5, 5, 10]),
                give_up=0.1 <= odd < 0.13,
            )
            if 0.13 <= odd < 0.16 and self.jobs:
                await self.act("cancel", self.dice.choice(self.jobs[-20:]))
            try:
                async with asyncio.timeout(self.dice.expovariate(per_second)):
                    await stop.wait()
            except TimeoutError:
                pass
        self.drop()
