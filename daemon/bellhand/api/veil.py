"""What of a job a caller sees who may look and not act: all of it, but values that are secret by their name.

Errors are told as they are: they are the handler's own words.
"""

from __future__ import annotations

from typing import Any

from bellhand.callers import Caller
from bellhand.logs import HIDDEN, SECRET_NAME


def veils(caller: Caller, source: str | None) -> bool:
    """Whether secrets are hidden from him: not from who may act on the job, nor from who enqueued it."""
    return not caller.may("operate") and source != caller.actor


def veiled(job: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """The job resource as the caller may see it; the rule is that of the log."""
    if not veils(caller, job.get("source")):
        return job
    return job | {name: hidden(job[name]) for name in ("payload", "result") if name in job}


def hidden(value: Any) -> Any:
    """JSON with what is secret by its name replaced."""
    if isinstance(value, dict):
        return {
            name: HIDDEN if SECRET_NAME.search(name) and inner is not None else hidden(inner)
            for name, inner in value.items()
        }
    return [hidden(inner) for inner in value] if isinstance(value, list) else value
