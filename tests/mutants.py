"""Broken versions of the SQL functions, each by one replacement in one file that must fit exactly."""

from collections.abc import Callable
from typing import NamedTuple

from bellhand.sql import ROOT


class Mutant(NamedTuple):
    """What to write instead of what, in which function; and what to run besides."""

    function: str
    old: str
    new: str
    besides: str = ""


MUTANTS = {
    "a completion is not fenced": Mutant("settle_completed", " and j.epoch = coalesce(u.epoch, p_epochs[1])", ""),
    "other ends are not fenced": Mutant("settle_others", "u.id = j.id and u.epoch = j.epoch", "u.id = j.id"),
    "parked without a new epoch": Mutant("settle_others", "in ('pause', 'park'))::int", "in ('pause'))::int"),
    "a lease that is gone still counts": Mutant("still_held", "l.worker = p_worker) = cardinality", "l.worker = p_worker) <= cardinality"),
    "a lease of somebody else counts": Mutant("still_held", " and l.worker = p_worker) = card", ") = card"),
    "a beat does not look at the lease": Mutant("stops", " and l.id is not null", ""),
    "taken out, and left in the queue": Mutant("take_out", "delete from bellhand.queue q where", "perform from bellhand.queue q where"),
    "taken out, and left in the schedule": Mutant("take_out", "delete from bellhand.scheduled s where", "perform from bellhand.scheduled s where"),
    "taken out, and left parked": Mutant("take_out", "delete from bellhand.parked p where", "perform from bellhand.parked p where"),
    "a rescue does not look at the beat": Mutant(
        "rescue", "where x.beat < bellhand.now() - make_interval(secs => p_lease_seconds) for", "for"
    ),
    "a beat does not count": Mutant("beat", "set beat = bellhand.now(), busy", "set busy"),
    "a beat tells nobody to stop": Mutant("stops", " or j.stop is not null", ""),
    "a retry wins over a cancel": Mutant(
        "settle_others", "coalesce(j.stop, ", "coalesce(nullif(j.stop, 'cancel'), "
    ),
    "the stop flag is ignored": Mutant("settle_others", "coalesce(j.stop, ", "coalesce("),
    "a pause that was taken back pauses": Mutant("settle_others", "coalesce(j.stop, nullif(u.outcome, 'pause'), 'release')", "coalesce(j.stop, u.outcome)"),
    "who was given up claims on": Mutant("claim", "    return next;\n    return;\n  end if;\n\n  -- What each", "    null;\n  end if;\n\n  -- What each"),
    "slots that others have are held too": Mutant("keep_slots", "greatest(p_most, had)", "1000"),
    "by age over the lane's limit": Mutant("claim", "where a.nth <= free[a.lane]", ""),
    "attempts are not counted": Mutant(
        "settle_others", "attempts = j.attempts + (u.outcome in ('retry', 'crash', 'fail', 'crash_fail'))::int", "attempts = j.attempts"
    ),
    "a unique key is not unique": Mutant(
        "enqueue", "on conflict (kind, unique_key) where unique_key is not null do nothing", "", "drop index bellhand.jobs_unique_key"
    ),
    "promoted too early": Mutant("promote", "s.run_at <= bellhand.now()", "s.run_at <= bellhand.now() + interval '5 s'"),
    "a paused lane is not told of": Mutant("look_around", "'paused', l.paused", "'paused', false"),
    "a paused lane still gives slots": Mutant("claim", "case when l.paused then 0 else p_room end", "p_room"),
    "a lane's limit is off by one": Mutant(
        "claim", "greatest(0, l.concurrency\n", "greatest(0, l.concurrency + 1\n"
    ),
    "one parent is enough": Mutant(
        "release_dependents", "and not exists (select from bellhand.dependencies d where d.child = j.id)", ""
    ),
    "made ready without a new epoch": Mutant("make_ready", "state = 'pending', epoch = j.epoch + 1", "state = 'pending'"),
    "retried without a new epoch": Mutant("retry", "h.epoch + 1", "h.epoch"),
}  # fmt: skip


def apply(mutant: Mutant, execute: Callable[[str], object]) -> None:
    """Put the broken version into the database."""
    text = (ROOT / "functions" / f"{mutant.function}.sql").read_text()
    assert text.count(mutant.old) == 1, (
        f"{mutant.function}.sql: {text.count(mutant.old)} times {mutant.old!r}"
    )
    if mutant.besides:
        execute(mutant.besides)
    execute(text.replace(mutant.old, mutant.new))
