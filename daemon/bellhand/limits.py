"""What one worker may do, out of the settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one worker may do: jobs at once, jobs a claim, one in how many by age, seconds to end after a stop, seconds that
    a claim's answer may take, seconds without a beat after which it claims nothing, crashes before a job fails."""

    concurrency: int
    claim_batch_max: int
    oldest_first_one_in: int
    kill_grace_seconds: float
    claim_seconds: float
    unheard_seconds_max: float
    crashes_max: int
