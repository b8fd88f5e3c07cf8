"""What of a job a caller sees: from who may look and not act, values are hidden that are secret by their name; from everybody
what looks like a secret in the text of an error, as pages and logs hide it. `reveal` shows an admin the whole.
"""

from __future__ import annotations

from typing import Any

from asyncpg import Record

from bellhand.callers import Caller
from bellhand.logs import HIDDEN, SECRET_NAME, without_secrets
from bellhand.resource import resource


def seen(row: Record, position: Record | None = None, foretold: Record | None = None) -> dict[str, Any]:  # fmt: skip
    """The job resource as HTTP tells it."""
    return masked(resource(row, position, foretold), "error")


def masked(found: dict[str, Any], *names: str) -> dict[str, Any]:
    """The same without what looks like a secret in the texts of these names."""
    return found | {name: without_secrets(found[name]) for name in names if found[name]}


def masked_all(value: Any) -> Any:
    """JSON without what looks like a secret in any text of it."""
    if isinstance(value, dict):
        return {name: masked_all(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [masked_all(inner) for inner in value]
    return without_secrets(value) if isinstance(value, str) else value


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
