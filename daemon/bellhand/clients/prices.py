"""What a model costs, and how much of a budget is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..settings_services import Price
from .errors import BudgetSpent


def price_of(model: str, prices: Mapping[str, Price]) -> Price | None:
    """The price of a model, also under its dated name (gpt-4o-mini-2024-07-18); None if nobody knows it."""
    if model in prices:
        return prices[model]
    dated = [name for name in prices if model.startswith(f"{name}-2")]
    return prices[max(dated, key=len)] if dated else None


def cost_microdollars(price: Price, tokens_in: int, cached: int, tokens_out: int) -> int:
    """A dollar for a million tokens is a microdollar a token; what is cached is part of what goes in."""
    cached = min(max(cached, 0), tokens_in)
    cached_price = price.input if price.cached_input is None else price.cached_input
    fresh = (tokens_in - cached) * price.input
    return round(fresh + cached * cached_price + tokens_out * price.output)


@dataclass(slots=True)
class Budget:
    """How many dollars some calls may cost together; what a call could cost at most is set aside while it is under way,
    so that calls side by side cannot overdraw it."""

    cost_max: float
    spent: float = 0.0
    held: float = 0.0

    def hold(self, dollars: float, service: str) -> None:
        """Set so much aside, or raise BudgetSpent."""
        left = self.cost_max - self.spent - self.held
        if dollars > left + 1e-12:
            what = "the call could cost more than its budget has left"
            why = f"up to ${dollars:.6f}, and ${max(left, 0.0):.6f} of ${self.cost_max:g} are left"
            raise BudgetSpent("budget_spent", what, why, service=service)
        self.held += dollars

    def settle(self, held: float, spent: float) -> None:
        """What was held is free again, and so much was spent."""
        self.held -= held
        self.spent += spent
