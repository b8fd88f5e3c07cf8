"""The fixture `bellhand`: enqueue, run, move the clock, look at what came of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

from ..errors import Problem
from ..kinds import ATTRIBUTE, Kind, find_kinds
from ..outcomes import encode
from ..settings_notify import Mail
from ..settings_services import Services
from ..states import OVER
from .crashes import MOMENTS, CrashTest
from .database import Loop, Server
from .engine import LOCAL, Engine

JOBS_MAX = 1_000
BOUNDARIES_MAX = 60
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MISSING = object()


@dataclass(frozen=True, slots=True)
class StepReport:
    """A step: `completed` or `failed`, how often it was tried, its result or error."""

    name: str
    state: str
    attempts: int
    result: Any
    error: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """A job as it stands; `attempts` counts those that failed, and the one that completed it."""

    id: int
    kind: str
    payload: Any
    state: str
    partial: bool
    result: Any
    error: str | None
    attempts: int
    counters: dict[str, float] = field(default_factory=dict)
    steps: list[StepReport] = field(default_factory=list)
    progress: dict[str, Any] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether it is completed, failed or cancelled."""
        return self.state in OVER


class Clock:
    """What bellhand.now() says: the real time until it is set, then frozen until it is moved.

    Connections that were open before keep their time.
    """

    def __init__(self, move: Callable[[str | None, float], datetime]) -> None:
        self._move = move

    @property
    def now(self) -> datetime:
        """The database's time."""
        return self._move(None, 0.0)

    def set(self, moment: datetime | str) -> datetime:
        """Freeze the clock at a moment, for example "2026-03-01 09:00+01"."""
        return self._move(str(moment), 0.0)

    def advance(self, span: str | float | timedelta) -> datetime:
        """Move it on: "10m", "1h30m", "2d", a number of seconds, or a timedelta."""
        return self._move(None, _seconds(span))


class Bellhand:
    """Jobs on a real Postgres database of this test's own, run by the daemon's own code.

    Everything blocks: from an async test call it with asyncio.to_thread, or what the handler needs
    of the test's loop never answers.
    """

    def __init__(self, loop: Loop, server: Server) -> None:
        self._loop = loop
        self._server = server
        self._name = server.create()
        self.dsn = server.dsn_for(self._name)
        self._engine = Engine(self.dsn)
        self.clock = Clock(self._move)

    def close(self) -> None:
        """End what runs and drop the database."""
        try:
            self._loop.run(self._engine.close())
        finally:
            self._server.drop(self._name)

    def use(self, *sources: Any) -> None:
        """Take in kinds: modules, their names, or handlers."""
        kinds: dict[str, Kind] = {}
        for source in sources:
            kind = getattr(source, ATTRIBUTE, None)
            if isinstance(kind, Kind):
                kinds[kind.name] = kind
            else:
                kinds |= find_kinds([source if isinstance(source, str) else source.__name__])
        self._engine.kinds |= kinds
        self._loop.run(self._engine.restart())
        self._loop.run(self._engine.alive())

    def publish(self, kind: Kind) -> None:
        """Tell the database of a kind, without running jobs of it; raises what the database says if it takes it not."""
        self._fetch("publish_kinds", json.dumps([kind.published()]))

    def use_services(self, **sections: Any) -> None:
        """Settings of outside services, for example `serpapi={"base_url": stand_in, "key": "any"}`; loopback is allowed."""
        self._engine.service_settings = Services(allow_networks=LOCAL, **sections)
        self._loop.run(self._engine.restart())

    def use_mail(self, **settings: Any) -> None:
        """Settings of the mail server, for example `host="127.0.0.1", port=2525, tls="none", sender="a@example.com"`; without
        them mail waits."""
        self._engine.mail_settings = Mail(**settings)
        self._loop.run(self._engine.restart())

    def enqueue(
        self, kind: str, payload: Any = None, *, unique_key: str | None = None,
        run_at: datetime | None = None, priority: int | None = None,
        attempts_max: int | None = None, timeout_seconds: float | None = None,
        tags: dict[str, Any] | None = None, owner: str | None = None,
        depends_on: Sequence[int] = (),
    ) -> int:  # fmt: skip
        """Enqueue a job with bellhand.enqueue(), as any producer would; its id."""
        values = (
            kind, encode(payload, "payload") or "{}", unique_key, run_at, priority, attempts_max,
            timeout_seconds, encode(tags, "tags"), owner, list(depends_on) or None, None, None,
            "test",
        )  # fmt: skip
        return int(self._fetch("enqueue", *values)[0]["id"])

    def run(self, kind: str, payload: Any = None, /, **fields: Any) -> Report:
        """Enqueue a job and run it once, and no other; what came of it."""
        return self.run_job(self.enqueue(kind, _merged(payload, fields)))

    def run_job(self, id: int) -> Report:
        """Run this job once, and no other; what came of it."""
        self._loop.run(self._engine.run(id))
        return self.report(id)

    def drain(self) -> list[Report]:
        """Run all jobs that are due, and those that they enqueue; the reports in that order.

        What is due later waits for the clock.
        """
        ran: list[int] = []
        while (id := self._loop.run(self._engine.run())) is not None:
            ran.append(id)
            if len(ran) > JOBS_MAX:
                raise AssertionError(
                    f"still jobs due after {JOBS_MAX}; do they enqueue each other?"
                )
        return [self.report(id) for id in dict.fromkeys(ran)]

    def report(self, id: int) -> Report:
        """A job as it stands."""
        rows = self._fetch("testing_jobs", None, id)
        if not rows:
            raise LookupError(f"there is no job {id}")
        return self._report(rows[0])

    def jobs(self, kind: str | None = None) -> list[Report]:
        """Every job of a kind (or of any) that was enqueued in this test, in that order."""
        return [self._report(row) for row in self._fetch("testing_jobs", kind, None)]

    def assert_enqueued(self, kind: str, **fields: Any) -> Report:
        """The first job of the kind whose payload has these fields; it may have run meanwhile."""
        misses = []
        for job in self.jobs(kind):
            missed = _missed(json.loads(encode(fields) or "{}"), job.payload)
            if not missed:
                return job
            misses.append((len(missed), f"  #{job.id} {job.state}: {'; '.join(missed)}"))
        raise AssertionError(
            "\n".join([f"no {_named(kind, fields)} was enqueued", *self._near(kind, misses)])
        )

    def refute_enqueued(self, kind: str, **fields: Any) -> None:
        """Fails if a job of the kind whose payload has these fields was enqueued."""
        wanted = json.loads(encode(fields) or "{}")
        found = [job for job in self.jobs(kind) if not _missed(wanted, job.payload)]
        if found:
            listed = [f"  #{job.id} {job.state}: {json.dumps(job.payload)}" for job in found]
            raise AssertionError("\n".join([f"{_named(kind, fields)} was enqueued", *listed]))

    def assert_crash_safe(
        self, kind: str, payload: Any = None, /, *, effects: Callable[[], Any] | None = None,
        reset: Callable[[], object] | None = None, at: Sequence[str] = MOMENTS,
        boundaries_max: int = BOUNDARIES_MAX, **fields: Any,
    ) -> Report:  # fmt: skip
        """Runs the job to its end, then again and again, each time dying at the next boundary.

        It dies before, inside (the body ran, nothing is written yet) and after every step, and
        once the handler has returned. Each time it is taken up again by another worker and must
        end as the undisturbed job did, with the same counters and the same effects.
        `effects()` returns what was done so far: a list, a number, or anything that compares;
        what it grows by is compared, or with `reset()`, called before each run, all of it. Returns
        the report of the undisturbed job.
        """
        return CrashTest(
            self, self._loop, self._engine, kind, _merged(payload, fields), effects, reset, tuple(at),
            boundaries_max,
        ).run()  # fmt: skip

    # How

    def _fetch(self, name: str, *args: Any) -> list[Any]:
        return self._loop.run(self._engine.fetch(name, *args))

    def _move(self, moment: str | None, seconds: float) -> datetime:
        text = str(self._fetch("testing_moment", moment, seconds)[0][0])
        if moment is not None or seconds:
            self._engine.now = text
            self._server.freeze(self._name, text)
            self._loop.run(self._engine.restart())
        return datetime.fromisoformat(text)

    def _report(self, row: Any) -> Report:
        progress = json.loads(row["progress"] or "{}")
        steps = [
            StepReport(
                step["name"], step["state"], step["attempts"],
                json.loads(step["result"] or "null"), step["error"],
            )
            for step in self._fetch("steps", row["id"])
        ]  # fmt: skip
        return Report(
            row["id"], row["kind"], json.loads(row["payload"]), row["state"], row["partial"],
            json.loads(row["result"] or "null"), row["error"],
            row["attempts"] + (row["state"] == "completed"), progress.get("counters", {}), steps, progress,
        )  # fmt: skip

    def _near(self, kind: str, misses: list[tuple[int, str]]) -> list[str]:
        if misses:
            return [f"jobs of the kind {kind}:", *(text for _, text in sorted(misses)[:10])]
        others = Counter(job.kind for job in self.jobs())
        if not others:
            return ["no job at all was enqueued"]
        counts = ", ".join(f"{n} of {name}" for name, n in others.items())
        near = get_close_matches(kind, [*others, *self._engine.kinds], n=1)
        meant = [f"did you mean {near[0]}?"] if near and near[0] != kind else []
        return [f"what was enqueued: {counts}", *meant]


@contextmanager
def thrown_away(dsn: str | None = None) -> Iterator[Bellhand]:
    """A database for one command alone, on the server of `dsn`, else on a server of its own."""
    loop = Loop()
    try:
        server = Server(loop, dsn, None)
        try:
            desk = Bellhand(loop, server)
            try:
                yield desk
            finally:
                desk.close()
        finally:
            server.close()
    finally:
        loop.close()


def _merged(payload: Any, fields: dict[str, Any]) -> Any:
    if payload is None:
        return fields
    if not fields:
        return payload
    if not isinstance(payload, dict):
        raise Problem(
            "a payload and fields cannot be joined",
            why=f"the payload is a {type(payload).__name__}",
            fix="give one of them",
        )
    return payload | fields


def _named(kind: str, fields: dict[str, Any]) -> str:
    given = ", ".join(f"{name}={value!r}" for name, value in fields.items())
    return f"{kind} job with {given}" if given else f"{kind} job"


def _missed(wanted: Any, there: Any, at: str = "") -> list[str]:
    """How a payload differs from what was wanted; what it has besides does not matter."""
    if isinstance(wanted, dict) and isinstance(there, dict):
        return [
            miss
            for name, value in wanted.items()
            for miss in _missed(value, there.get(name, _MISSING), f"{at}.{name}" if at else name)
        ]
    if there is _MISSING:
        return [f"{at} is missing"]
    return [] if wanted == there else [f"{at or 'the payload'} is {there!r}, not {wanted!r}"]


def _seconds(span: str | float | timedelta) -> float:
    if isinstance(span, timedelta):
        return span.total_seconds()
    if not isinstance(span, str):
        return float(span)
    parts = re.findall(r"([\d.]+)\s*([smhdw])", span)
    if not parts or re.sub(r"[\d.]+\s*[smhdw]|\s", "", span):
        raise ValueError(f"{span!r} is no span of time; write 30s, 10m, 1h30m, 2d or 1w")
    return sum(timedelta(**{_UNITS[unit]: float(n)}).total_seconds() for n, unit in parts)
