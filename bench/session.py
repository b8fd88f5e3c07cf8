"""One measuring session: a server, the runs in turn, one JSON line for each."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from bellhand.dev.postgres import DevPostgres
from bellhand.dev.programs import Preference

from .figures import FIGURES, variants
from .install import source
from .machine import described, held
from .peer import Peer
from .place import fresh_place, private_server, settings_of, warm_up
from .results import disturbed
from .stage import Stage, Values

WARM_UP_ROWS = 2_500_000
REPEATS = 2  # of a run during which others used the machine
SQL = "sql"  # stands in a figure's VARIANTS for what needs no peer


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    figures: Sequence[str]
    peers: Sequence[Peer]
    runs: int
    scale: float
    postgres: Preference
    lock: Path | None
    backlog: int


@dataclass(frozen=True)
class Turn:
    """One run to come."""

    figure: str
    peer: Peer
    variant: str
    run: int

    @property
    def who(self) -> str:
        return SQL if SQL in FIGURES[self.figure].VARIANTS else self.peer.name

    def described(self) -> dict[str, Any]:
        return {"figure": self.figure, "peer": self.who, "variant": self.variant, "run": self.run}


def turns(plan: Plan) -> Iterator[Turn]:
    """Interleaved: the first run of every peer and variant of a figure, then the second of all."""
    for figure in plan.figures:
        for run in range(1, plan.runs + 1):
            # What needs no peer is run once a round, whoever is measured.
            peers = plan.peers[:1] if SQL in FIGURES[figure].VARIANTS else plan.peers
            for peer in peers:
                who = SQL if SQL in FIGURES[figure].VARIANTS else peer.name
                for variant in variants(figure, who):
                    yield Turn(figure, peer, variant, run)


async def measure(plan: Plan, out: Path) -> None:
    """Runs all turns and appends each to `out` as soon as it is over; one that fails says so and the rest go on."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a") as file:

        def write(line: dict[str, Any]) -> None:
            file.write(json.dumps(line) + "\n")
            file.flush()

        async with _server(plan) as (server, admin):
            write({"session": await _session(plan, admin)})
            for turn in turns(plan):
                for _ in range(1 + (REPEATS if plan.scale == 1 else 0)):
                    line = await _tried(plan, turn, server, admin)
                    write(line)
                    print(_said(line), flush=True)
                    if not disturbed(line):
                        break


async def _tried(
    plan: Plan, turn: Turn, server: DevPostgres, admin: asyncpg.Connection
) -> dict[str, Any]:
    started = time.monotonic()
    line = turn.described() | {"source": source()}
    try:
        line |= await _run(plan, turn, server, admin)
    except Exception as error:  # a boundary: a peer that breaks must not end the others' figures
        line["error"] = f"{type(error).__name__}: {error}"
    return line | {"took_seconds": round(time.monotonic() - started, 1)}


async def _run(
    plan: Plan, turn: Turn, server: DevPostgres, admin: asyncpg.Connection
) -> dict[str, Any]:
    async with fresh_place(server, admin, f"bench_{turn.who}") as place:
        with held(plan.lock, alone=False):
            if turn.who != SQL:
                await turn.peer.prepare(place)
        stage = Stage(turn.peer, place, turn.variant, plan.scale, plan.lock, plan.backlog)
        values: Values = await FIGURES[turn.figure].measure(stage)
        return {"values": values, "others_cores": round(max(stage.others_cores, default=0.0), 2)}


@asynccontextmanager
async def _server(plan: Plan) -> AsyncIterator[tuple[DevPostgres, asyncpg.Connection]]:
    with private_server(plan.postgres) as server:
        admin = await asyncpg.connect(server.dsn)
        try:
            with held(plan.lock, alone=False):
                await warm_up(admin, round(WARM_UP_ROWS * plan.scale))
            yield server, admin
        finally:
            await admin.close()


async def _session(plan: Plan, admin: asyncpg.Connection) -> dict[str, Any]:
    return {
        "at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": described(),
        "postgres": await settings_of(admin),
        "peers": {
            peer.name: {"version": peer.version(), "settings": peer.settings} for peer in plan.peers
        },
        "runs": plan.runs,
        "scale": plan.scale,
        "backlog": plan.backlog,
    }


def _said(line: dict[str, Any]) -> str:
    head = f"{line['figure']:9} {line['peer']:14} {line['variant']:26} run {line['run']}  "
    if "error" in line:
        return head + str(line["error"]).splitlines()[0]
    numbers = [
        f"{name} {value:,.4g}"
        for name, value in line["values"].items()
        if not isinstance(value, list)
    ]
    if disturbed(line):
        numbers.append(f"DISTURBED: others took {line['others_cores']} cores")
    return head + ", ".join(numbers)
