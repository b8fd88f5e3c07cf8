"""Proving that a job survives: it dies at every boundary and must end as if it had not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .database import Loop
from .engine import Engine

if TYPE_CHECKING:
    from .desk import Bellhand, Report

MOMENTS = ("before", "inside", "after", "at the end")
RUNS_MAX = 50

# What a step says of itself, as the place where the process dies.
_WHEN = {"starts": "before", "ran": "inside", "completed": "after", "failed": "after"}
_SAID = {
    "before": "dying before the step {name!r}",
    "inside": "dying inside the step {name!r}, when its body had run and nothing was written yet",
    "after": "dying after the step {name!r}",
    "at the end": "dying after the handler had returned and before that was written",
}
_HINTS = {
    "before": "what the handler does between steps is done again by every attempt: put it into a "
    "step of its own, or make it harmless to repeat",
    "inside": "the body of a step can run twice: hand job.step_key(name) to the service as its "
    "idempotency key, write with an upsert, or use job.transaction()",
    "after": "what the handler does outside of steps is done again by every attempt: put it into "
    "a step of its own, or make it harmless to repeat",
    "at the end": "what the handler does outside of steps is done again by every attempt: put it "
    "into a step of its own, or use job.transaction()",
}


@dataclass(slots=True)
class CrashTest:
    """One call of assert_crash_safe."""

    desk: Bellhand
    loop: Loop
    engine: Engine
    kind: str
    payload: Any
    effects: Callable[[], Any] | None
    reset: Callable[[], object] | None
    at: tuple[str, ...]
    boundaries_max: int

    def run(self) -> Report:
        """Run it; raises AssertionError that names the boundary."""
        if unknown := set(self.at) - set(MOMENTS):
            raise ValueError(f"no such moments: {unknown}; there are {MOMENTS}")
        before = self._before()
        id = self._enqueue(0)
        moments = self.loop.run(self.engine.record(id))
        whole = self._finish(id)
        if whole.state != "completed":
            raise AssertionError(f"undisturbed, the job is {whole.state}: {whole.error}")
        wanted = self._since(before)
        try:
            for name, what in self._boundaries(moments):
                self._die_at(name, what, whole, wanted)
        finally:
            self.loop.run(self.engine.bury())
        return whole

    def _boundaries(self, moments: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Where to die; if there are too many, some of them all along the way, first and last."""
        chosen = [one for one in dict.fromkeys(moments) if _when(one[1]) in self.at]
        if len(chosen) <= self.boundaries_max:
            return chosen
        last = len(chosen) - 1
        places = max(2, self.boundaries_max)
        return [chosen[round(i * last / (places - 1))] for i in range(places)]

    def _die_at(self, name: str, what: str, whole: Report, wanted: Any) -> None:
        when = _when(what)
        said = _SAID[when].format(name=name)
        before = self._before()
        id = self._enqueue(1)
        if not self.loop.run(self.engine.run_until(id, (name, what))):
            raise AssertionError(
                f"{said}: this time the job never came there; its steps must have the same names "
                "in every run"
            )
        again = self._finish(id)
        problems = []
        if (again.state, again.partial) != (whole.state, whole.partial):
            problems.append(f"it is {_state(again)} then, not {_state(whole)}: {again.error}")
        if again.counters != whole.counters:
            problems.append(f"its counters are {again.counters}, not {whole.counters}")
        done = self._since(before)
        if done != wanted:
            problems.append(f"its effects are {done!r}, not {wanted!r}")
        if problems:
            raise AssertionError(
                "\n".join([f"{self.kind} is not crash-safe, {said}:", *problems, _HINTS[when]])
            )

    def _enqueue(self, deaths: int) -> int:
        """A job with as many attempts as its kind has, and one more for each death, which burns one: so what fails for
        ever ends as it would, failed or in part."""
        kind = self.engine.kinds.get(self.kind)
        attempts_max = kind.attempts_max + deaths if kind else None
        return self.desk.enqueue(self.kind, self.payload, attempts_max=attempts_max)

    def _finish(self, id: int) -> Report:
        """Run the job to its end, without waiting for backoffs and snoozes."""
        for _ in range(RUNS_MAX):
            report = self.desk.report(id)
            if report.over:
                return report
            if report.state in ("retrying", "scheduled"):
                self.loop.run(self.engine.fetch("cli_run_now", id, "test"))
            if self.loop.run(self.engine.run(id)) is None:
                break
        return self.desk.report(id)

    def _before(self) -> Any:
        if self.reset is not None:
            self.reset()
            return None
        return _copy(self.effects()) if self.effects is not None else None

    def _since(self, before: Any) -> Any:
        """What was done since; all of it where that cannot be told."""
        if self.effects is None:
            return None
        now = _copy(self.effects())
        if self.reset is not None:
            return now
        if isinstance(now, list) and isinstance(before, list) and now[: len(before)] == before:
            return now[len(before) :]
        numbers = isinstance(now, int | float) and isinstance(before, int | float)
        return now - before if numbers else now


def _when(what: str) -> str:
    return _WHEN.get(what, "at the end")


def _state(report: Report) -> str:
    return f"{report.state}, partly" if report.partial else report.state


def _copy(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return list(value)
    return dict(value) if isinstance(value, dict) else value
