"""`bellhand doctor`: it finds what is wrong, with evidence and a fix, and nothing where all is well."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import re
import socket
from typing import Any

import asyncpg
import pytest

from bellhand.cli import doctor
from bellhand.cli.app import main
from bellhand.cli.maintenance import GUIDES
from commands import Bellhand, Said, bare, bellhand
from daemons import at_work
from process_handlers import nap


def findings(said: Said, layer: str) -> list[dict[str, Any]]:
    return [one for one in said.json if one["layer"] == layer and one["level"] != "ok"]


@pytest.fixture(autouse=True)
def _own_port(bellhand: Bellhand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLHAND_STATUS__PORT", "0")
    monkeypatch.setenv("BELLHAND_MODULES", "process_handlers")


async def test_where_all_is_well_it_says_so(
    bellhand: Bellhand, dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with at_work(dsn, nap):
        capsys.readouterr()
        code = await asyncio.to_thread(main, ["doctor"])
        out, err = capsys.readouterr()
    assert (code, err) == (0, "all is well\n"), out


def test_each_thing_that_is_wrong_is_found_with_evidence_and_a_fix(bellhand: Bellhand) -> None:
    bellhand.kind("a", "slow")
    bellhand.job("a")
    bellhand.sql("select bellhand.pause_lane('slow', 'the cat')")
    bellhand.sql("insert into bellhand.schedules (name, cron, kind, next_at) values ('nightly', '0 3 * * *', 'a', bellhand.now() - interval '2 hours')")  # fmt: skip
    bellhand.sql("insert into bellhand.schedules (name, cron, kind, error) values ('odd', 'x', 'a', 'no such cron')")  # fmt: skip
    bellhand.sql("insert into bellhand.workers (id, name, host, pid, version, kinds, lanes, capacity, beat) values (gen_random_uuid(), 'w9', 'h', 1, '0', '{}', '{}', 1, bellhand.now() - interval '1 hour')")  # fmt: skip
    bellhand.sql("insert into bellhand.leases (worker, ids, epochs, claimed_at) values (gen_random_uuid(), '{1,2}', '{1,1}', bellhand.now() - interval '1 hour')")  # fmt: skip
    said = bellhand("doctor", "--json")
    assert said.code == 1
    told = {layer: findings(said, layer) for layer in ("workers", "leases", "pauses", "schedules")}
    assert [one["what"] for one in told["workers"]] == ["no daemon runs", "w9 has been silent for 1 h"]  # fmt: skip
    assert [one["what"] for one in told["leases"]] == ["2 jobs leased to a worker that is gone"]
    (pause,) = told["pauses"]
    assert pause["why"] == "the cat"
    assert pause["fix"] == "bellhand resume --lane slow"
    assert [one["what"] for one in told["schedules"]] == ["schedule odd fails", "schedule nightly (0 3 * * *) is 2 h late"]  # fmt: skip
    assert all(one["fix"] for one in said.json if one["level"] != "ok")
    (silent,) = [one["docs"] for one in told["workers"] if "w9" in one["what"]]
    assert silent == "bellhand help BellhandWorkersLost"
    assert {one["docs"] == "" for one in said.json if one["level"] == "ok"} == {True}
    bellhand.ok("resume", "--lane", "slow")
    assert not findings(bellhand("doctor", "--json"), "pauses")


def test_every_finding_leads_to_a_page_that_there_is(bellhand: Bellhand) -> None:
    """Each layer has a section of its own name, and each page that is named can be shown."""
    fact = {"subject": "1", "number": 1.0, "note": ""}
    found = [judge(fact) for judge in doctor.JUDGES.values()]
    named = {one.docs.removeprefix("bellhand help ") for one in found if one.docs}
    assert {one.layer for one in found} <= set(GUIDES)
    for topic in {*GUIDES.values(), *named}:
        assert bellhand.ok("help", topic).out
    page = bellhand.ok("help", "doctor").out
    assert set(re.findall(r"^## (\w+)$", page, re.M)) == set(GUIDES)


def test_jobs_that_nobody_handles_are_counted(bellhand: Bellhand) -> None:
    bellhand.kind("a")
    for _ in range(3):
        bellhand.job("a")
    bellhand.sql("with q as (delete from bellhand.queue returning id) insert into bellhand.parked (kind, id, epoch, rank, reason) select 'a', id, 1, 5, 'no_handler' from q")  # fmt: skip
    (one,) = findings(bellhand("doctor", "--json"), "kinds")
    assert one["what"] == "3 jobs of a waiting that nobody handles"


async def test_a_transaction_that_holds_back_vacuum_is_named(
    bellhand: Bellhand, conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await conn.execute("begin; select 'the culprit'")
    assert not findings(await asyncio.to_thread(bellhand, "doctor", "--json"), "horizon")
    monkeypatch.setattr(doctor, "HORIZON_SECONDS", 0.0)
    (one,) = findings(await asyncio.to_thread(bellhand, "doctor", "--json"), "horizon")
    pid = await conn.fetchval("select pg_backend_pid()")
    assert one["what"].startswith(f"pid {pid} has had a transaction open")
    assert "the culprit" in one["why"] or "pg_backend_pid" in one["why"]
    assert await conn.fetchval(f"select replace('pid {pid}', 'pid ', '')::integer") == pid


@pytest.mark.parametrize("speaks", [True, False])
def test_a_port_that_somebody_else_has_is_told(
    bellhand: Bellhand, monkeypatch: pytest.MonkeyPatch, speaks: bool
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        if speaks:
            other.listen()
        monkeypatch.setenv("BELLHAND_STATUS__PORT", str(other.getsockname()[1]))
        (one,) = findings(bellhand("doctor", "--json"), "port")
    assert one["fix"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("PORT", "80", "from 1024 on"), ("HOST", "192.0.2.7", "an address of this machine")],
)
def test_a_port_that_the_service_could_not_have_is_told(
    bellhand: Bellhand, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    """Root could have port 80, and is who asks."""
    monkeypatch.setattr(doctor, "_first_free_port", lambda: 1024)
    monkeypatch.setenv("BELLHAND_STATUS__PORT", "7702")
    monkeypatch.setenv("BELLHAND_STATUS__TOKEN", "0123456789abcdef0123456789abcdef")
    monkeypatch.setenv(f"BELLHAND_STATUS__{name}", value)
    (one,) = findings(bellhand("doctor", "--json"), "port")
    assert (one["level"], one["fix"].endswith(said)) == ("error", True), one


def test_what_check_finds_comes_first_and_alone(bellhand: Bellhand, empty_dsn: str) -> None:
    """An old schema, a wrong DSN: nothing else can be looked at."""
    old = bellhand("--dsn", empty_dsn, "doctor", "--json")
    (one,) = findings(old, "schema")
    assert (old.code, one["fix"]) == (1, "run: bellhand migrate")
    away = bellhand("--dsn", "postgresql://x@127.0.0.1:1/x", "doctor", "--json")
    (one,) = findings(away, "environment")
    assert one["what"] == "the database cannot be reached"
    assert one["why"].endswith("tried postgresql://x@127.0.0.1:1/x")
