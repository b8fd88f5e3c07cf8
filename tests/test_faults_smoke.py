"""A selection of the faults, each for a few seconds; `make faults` plays them all, for longer."""

import os
from pathlib import Path

import asyncpg
import pytest

from bellhand.dev.programs import Preference
from faults.fault import load
from faults.play import play
from mutants import MUTANTS, Mutant, apply
from support import Server

SEED = 7
SECONDS = {"F1": 5.0, "F2": 5.0, "F3": 4.0, "F30-wire": 5.0, "F34": 8.0, "F36": 8.0, "F51": 5.0}
PG: Preference = "system" if os.environ.get("BELLHAND_TEST_PG") == "system" else "embedded"

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]


@pytest.mark.parametrize("name", SECONDS)
async def test_it_holds(name: str, server: Server, tmp_path: Path) -> None:
    verdict = await play(load()[name], tmp_path / name, seed=SEED, seconds=SECONDS[name], postgres=PG)  # fmt: skip
    print(verdict.line())
    assert not verdict.skipped
    assert verdict.valid, verdict.violations
    assert verdict.figures["acked"] > 0


# Broken engines: what is broken, the fault that must show it in so many seconds, and as what.
UNFENCED = [
    Mutant("still_held", "if p_held is null or", "if true or"),
    Mutant("settle_completed", " and j.epoch = coalesce(u.epoch, p_epochs[1])", ""),
]
LEAST_FIRST = Mutant("claim", "for k in 1 .. cardinality(p_lanes) loop\n    exit", "for k in reverse cardinality(p_lanes) .. 1 loop\n    exit")  # fmt: skip
BROKEN = {
    "a completion is not fenced": (UNFENCED, "F2", 9.0, "completed_without_run"),
    "a lane's limit is off by one": ([MUTANTS["a lane's limit is off by one"]], "F0", 3.0, "lane_over_limit"),
    "what matters least goes first": ([LEAST_FIRST], "F0", 2.0, "passed_over"),
    "made ready without a new epoch": (
        [MUTANTS["made ready without a new epoch"]], "F0", 2.0, "epoch_claimed_twice"),
}  # fmt: skip


@pytest.mark.parametrize("engine", BROKEN)
async def test_a_broken_engine_is_found_out(engine: str, server: Server, tmp_path: Path) -> None:
    mutants, name, seconds, wanted = BROKEN[engine]

    async def mutate(conn: asyncpg.Connection) -> None:
        statements: list[str] = []
        for mutant in mutants:
            apply(mutant, statements.append)
        for statement in statements:
            await conn.execute(statement)

    # Whether a fault meets what is broken is chance, on a busy machine more so: of three plays one must show it.
    for n in range(3):
        out, seed = tmp_path / f"{name}-{n}", SEED + n
        verdict = await play(
            load()[name], out, seed=seed, seconds=seconds, postgres=PG, prepare=mutate
        )
        print(verdict.line())
        if wanted in verdict.violations:
            return
    pytest.fail(f"{wanted} was never seen")
