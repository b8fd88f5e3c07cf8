"""How urgent a job is, from what a business knows of it; the same rule as bellhand.priority() in SQL."""

from decimal import Decimal

BASE = 5
URGENCY = {"critical": 5, "high": 3, "low": -2}
TIER = {"vip": 3, "premium": 2}
VALUE = ((10_000, 3), (5_000, 2), (1_000, 1))


def priority(
    urgency: str | None = "medium",
    tier: str | None = "standard",
    value: float | Decimal | None = 0,
) -> int:
    """A priority from 1 to 10 (seed S4-05); words it does not know, and a value that is none, add nothing."""
    worth = value or 0
    total = BASE + URGENCY.get((urgency or "").lower(), 0) + TIER.get((tier or "").lower(), 0)
    total += next((points for over, points in VALUE if worth > over), 0)
    return min(10, max(1, total))
