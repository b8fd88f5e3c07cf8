"""Background jobs on Postgres: anything that can insert a row enqueues, a daemon runs them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .job import Job
    from .kinds import job_kind
    from .outcomes import Cancelled, Failed, Retry, Snooze
    from .priorities import priority
    from .producer import Enqueued, NewJob, enqueue, enqueue_many, enqueue_many_sync, enqueue_sync

__version__ = "0.1.0"
__all__ = [
    "Cancelled", "Enqueued", "Failed", "Job", "NewJob", "Retry", "Snooze", "__version__", "enqueue", "enqueue_many",
    "enqueue_many_sync", "enqueue_sync", "job_kind", "priority",
]  # fmt: skip
_HOMES = {
    "Cancelled": "outcomes", "Enqueued": "producer", "Failed": "outcomes", "Job": "job", "NewJob": "producer",
    "Retry": "outcomes", "Snooze": "outcomes", "enqueue": "producer", "enqueue_many": "producer",
    "enqueue_many_sync": "producer", "enqueue_sync": "producer", "job_kind": "kinds", "priority": "priorities",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """A public name, from where it lives, once somebody asks for it: a command that lists jobs needs no handler's tools."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
