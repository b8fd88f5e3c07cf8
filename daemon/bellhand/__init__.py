"""Background jobs on Postgres: anything that can insert a row enqueues, a daemon runs them."""

from .job import Job
from .kinds import job_kind
from .outcomes import Cancelled, Failed, Retry, Snooze
from .priorities import priority

__version__ = "0.1.0"
__all__ = ["Cancelled", "Failed", "Job", "Retry", "Snooze", "__version__", "job_kind", "priority"]
