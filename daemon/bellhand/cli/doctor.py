"""`bellhand doctor`: what is wrong now, with the evidence and the command that mends it."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import asyncpg

from bellhand.cli.context import Cli, Given
from bellhand.cli.errors import FAILED, translated
from bellhand.cli.maintenance import Finding, examine, report_finding
from bellhand.cli.output import duration, say_json, tell
from bellhand.counted import counted
from bellhand.sql import query

SKEW_SECONDS_MAX = 2.0
ASK_SECONDS = 2.0
HORIZON_SECONDS = 600.0  # a transaction that is older holds VACUUM back
Fact = Mapping[str, Any]


async def doctor(*, cli: Given) -> int:
    """Look for what is wrong now, or soon will be: all of `check`, then the living system; exits 1 if something is.

    Nothing is changed. Each finding says what was seen, why it matters and what mends it.
    """
    findings = await diagnose(cli)
    if cli.json:
        say_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            report_finding(finding)
    wrong = [finding for finding in findings if finding.level != "ok"]
    if not cli.quiet and not cli.json:
        tell(f"{len(wrong)} of {len(findings)} need a look" if wrong else "all is well")
    return FAILED if wrong else 0


async def diagnose(cli: Cli) -> list[Finding]:
    """Everything that is looked at, and how it is; the living system only where what it stands on is fit.

    It does not stand on handlers and services: a schedule that makes no sense hides nothing of what runs.
    """
    findings = await examine(cli, environment=True)
    beside = "handlers", "services"
    if not any(found.level == "error" and found.layer not in beside for found in findings):
        findings += await _live(cli)
    return findings


async def _live(cli: Cli) -> list[Finding]:
    found = [await _port(cli)]
    own = cli.settings
    try:
        async with cli.database() as database:
            asked = time.clock_gettime(time.CLOCK_REALTIME)  # the clock itself is what is looked at
            facts = await database.connection.fetch(
                query("doctor"),
                own.worker.lease_seconds,
                HORIZON_SECONDS,
                timeout=own.database.statement_seconds,
            )
            answered = time.clock_gettime(time.CLOCK_REALTIME)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        problem = translated(error)
        if problem is None:
            raise
        return [*found, Finding("live", problem.what, "error", problem.why, problem.fix)]
    by_sort: dict[str, list[Fact]] = {}
    for fact in facts:
        by_sort.setdefault(fact["sort"], []).append(fact)
    found.append(_clock(by_sort["clock"][0]["number"], asked, answered))
    found += _workers(by_sort, pooled=own.database.pooler == "transaction")
    for sort, judge in JUDGES.items():
        found += [judge(fact) for fact in by_sort.get(sort, [])]
    return found


async def _port(cli: Cli) -> Finding:
    """Whether a daemon answers on the status port, or somebody else has it."""
    status = cli.settings.status
    where = f"{status.host}:{status.port}"
    if not status.port:
        return Finding("port", "any free one, so nothing to ask")
    try:
        async with asyncio.timeout(ASK_SECONDS):
            reader, writer = await asyncio.open_connection(status.host, status.port)
            try:
                writer.write(b"GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n")
                answer = (await reader.read(4096)).decode(errors="replace")
            finally:
                writer.transport.abort()  # whoever it is, there is nothing more to say
    except ConnectionRefusedError:
        return _free(status.host, status.port, where)
    except (OSError, TimeoutError) as error:
        if (not_ours := _free(status.host, status.port, where)).level == "error":
            return not_ours
        return Finding("port", f"{where} does not answer", "warning", str(error) or "it took too long",
                       "see what it does: journalctl -u bellhand -n 50")  # fmt: skip
    if "ok" in answer.partition("\r\n\r\n")[2] and "401" not in answer.split("\r\n")[0]:
        return Finding("port", f"a daemon answers on {where}")
    first = answer.split("\r\n")[0] or "nothing"
    return Finding("port", f"{where} is not a Bellhand that we may ask", "warning", f"it said: {first}",
                   "if another program has the port, change [status] port; ss -ltnp shows whose it is")  # fmt: skip


def _free(host: str, port: int, where: str) -> Finding:
    """Whether a daemon may listen there; root may more than the service."""
    if port < (first := _first_free_port()):
        return Finding(
            "port",
            f"{where} cannot be had",
            "error",
            f"ports below {first} are for programs with more rights than the service has",
            f"give [status] port a number from {first} on",
        )
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return Finding("port", f"somebody has {where} and does not answer", "warning", str(error), "ss -ltnp shows whose it is")  # fmt: skip
            return Finding("port", f"{where} cannot be had", "error", str(error), "give [status] host an address of this machine")  # fmt: skip
    return Finding("port", f"no daemon listens on {where} of this machine; it is free")


def _first_free_port() -> int:
    """The first port that anybody may listen on."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    except (OSError, ValueError):
        return 1024


def _clock(server: float, asked: float, answered: float) -> Finding:
    skew = max(asked - server, server - answered, 0.0)
    if skew <= SKEW_SECONDS_MAX:
        return Finding("clock", f"within {duration(max(skew, answered - asked))} of the database's")
    return Finding("clock", f"this machine's clock is {duration(skew)} off the database's", "warning",
                   "jobs go by the database's clock alone, but logs of this machine will not fit",
                   "timedatectl set-ntp true, on the machine that is wrong")  # fmt: skip


def _workers(facts: Mapping[str, list[Fact]], *, pooled: bool) -> list[Finding]:
    live = facts["workers"][0]
    count, ears = int(live["number"]), int(facts["ears"][0]["number"])
    if not count:
        return [Finding("workers", "no daemon runs", "error", "nobody claims jobs", "systemctl start bellhand, or bellhand run")]  # fmt: skip
    found = [Finding("workers", f"{count} alive, version {live['note']}")]
    if ", " in live["note"]:
        found[0] = Finding("workers", f"{count} alive, of several versions: {live['note']}", "warning",
                           "fine during an upgrade, and not for long", "restart the older ones", "BellhandMixedVersions")  # fmt: skip
    if not pooled and ears < count:
        found.append(Finding("listen", f"{ears} of {count} daemons listen", "warning",
                             "the others poll, so jobs start late; or this role may not see their sessions",
                             "journalctl -u bellhand --grep listen; behind a pooler give them a direct connection"))  # fmt: skip
    return found


def _of(layer: str, what: str, why: str, fix: str, level: str = "warning", docs: str = "") -> Callable[[Fact], Finding]:  # fmt: skip
    """What is said of a fact: {subject}, {note}, {count}, {jobs} and {time} stand for what was seen."""

    def judge(fact: Fact) -> Finding:
        number = fact["number"]
        seen = {"subject": fact["subject"], "note": fact["note"], "count": f"{number or 0:,.0f}", "jobs": counted(int(number or 0), "job"),
                "percent": f"{100 * (number or 0):.0f} %",
                "time": duration(number) if number is not None else "an unknown time"}  # fmt: skip
        return Finding(
            layer, what.format(**seen), level, why.format(**seen), fix.format(**seen), docs
        )

    return judge


def _filling(layer: str, what: str, fix: str) -> Callable[[Fact], Finding]:
    """A share that is fine below four fifths."""

    def judge(fact: Fact) -> Finding:
        share = fact["number"]
        said = f"{what} {100 * share:.0f} % full" + (f" ({fact['note']})" if fact["note"] else "")
        if share < 0.8:
            return Finding(layer, said)
        return Finding(layer, said, "warning", "at 100 % statements fail", fix)

    return judge


JUDGES: dict[str, Callable[[Fact], Finding]] = {
    "horizon": _of("horizon", "{subject} has had a transaction open for {time}", "VACUUM removes nothing younger, so queue tables grow ({note})", "in psql: select pg_terminate_backend(replace('{subject}', 'pid ', '')::integer)"),
    "prepared": _of("horizon", "prepared transaction {subject} is {time} old", "VACUUM removes nothing younger ({note})", "in psql: rollback prepared '{subject}', unless somebody still means to commit it"),
    "slot": _of("horizon", "replication slot {subject} holds back {count} transactions", "{note}, and VACUUM waits for it", "in psql: select pg_drop_replication_slot('{subject}'), unless its reader comes back"),
    "dead": _of("bloat", "{subject} has {count} dead rows", "{note}", "in psql: vacuum (analyze) bellhand.{subject}; if they stay, see the horizon"),
    "silent": _of("workers", "{subject} has been silent for {time}", "{note}; its jobs are taken over once another daemon looks", "see that host: systemctl status bellhand", docs="BellhandWorkersLost"),
    "draining": _of("workers", "{subject} drains", "{note}; it takes no new ones", "wait; if it hangs, a second SIGTERM makes it hand back at once", docs="BellhandWorkerDrainedLong"),
    "drained": _of("workers", "{subject} has been drained for {time}", "{note}; it takes no new ones", "bellhand undrain {subject}", docs="BellhandWorkerDrainedLong"),
    "orphans": _of("leases", "{jobs} leased to a worker that is gone", "claimed since {note}; the sweep of a living daemon puts them back within 10 minutes", "start a daemon, or restart one: it sweeps at its start"),
    "unhandled": _of("kinds", "{jobs} of {subject} waiting that nobody handles", "{note}: no living daemon has that kind", "add its module to `modules` and restart, or cancel them: bellhand bulk cancel --kind {subject}"),
    "parked": _of("kinds", "{jobs} of {subject} parked", "{note}", "bellhand why <one of them>: bellhand list --kind {subject}"),
    "overdue": _of("stalled", "{jobs} at {subject} running beyond the timeout", "{note}: that daemon does not turn any more, though it beats", "on its host: systemctl restart bellhand; what is done is not done again", "error"),
    "lane_paused": _of("pauses", "lane {subject} has been paused for {time}", "{note}", "bellhand resume --lane {subject}"),
    "kind_paused": _of("pauses", "kind {subject} has been paused for {time}", "{note}", "bellhand resume --kind {subject}"),
    "schedule_paused": _of("pauses", "schedule {subject} ({note}) is paused", "its ticks pass by", "bellhand schedule resume {subject}"),
    "schedule_error": _of("schedules", "schedule {subject} fails", "{note}", "correct [schedules.{subject}] and reload", "error"),
    "schedule_late": _of("schedules", "schedule {subject} ({note}) is {time} late", "no daemon fired it", "see that a daemon runs: bellhand status"),
    "canary": _of("canary", "the canary of lane {subject} has been out for {time}", "nothing of that lane is being finished", "bellhand status; bellhand list --state running"),
    "default_partition": _of("history", "{jobs} in {subject}", "the keeper had not prepared their day", "a daemon that runs moves on by itself; if this grows: journalctl -u bellhand --grep chore_failed"),
    "notifications": _filling("bell", "Postgres' queue of notifications is", "end the session that listens in an open transaction: see pg_stat_activity"),
    "connections": _filling("postgres", "connections are", "raise max_connections, or put a pooler before other clients"),
}  # fmt: skip
