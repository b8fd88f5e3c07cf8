"""How many orders customers can be expected to place, by when they bought before: the BG/NBD model.

Fader, Hardie and Lee, "Counting Your Customers the Easy Way" (Marketing Science, 2005): while somebody is a customer they buy at a
rate of their own (gamma over all customers), and after each purchase they may be gone for good (beta). `python -m` this, started by
expecting.py: scipy is more memory than the daemon should hold.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln, hyp2f1

MEMORY_BYTES_MAX = 2 * 1024**3
STARTS = ((0.3, 5.0, 0.8, 2.5), (1.0, 10.0, 2.0, 5.0))
BOUND = 9.0  # of the logarithm of each parameter
# A parameter far out says nothing more, and lets two of them run away together.
LEASH = 1e-3

# repeat purchases, weeks from the first to the last, weeks from the first till now, how many customers
Group = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Model:
    """The four parameters: purchases are gamma (shape r, rate alpha) a week, dropping out is beta (a, b)."""

    r: float
    alpha: float
    a: float
    b: float


def fit(groups: Sequence[Group]) -> Model:
    """The likeliest parameters for these customers; raises ValueError where there is none."""
    repeats, last, age, customers = np.array(groups, float).T
    again = repeats > 0

    def loss(logs: np.ndarray) -> float:
        r, alpha, a, b = np.exp(logs)
        same = gammaln(r + repeats) - gammaln(r) + r * np.log(alpha)
        stays = gammaln(a + b) + gammaln(b + repeats) - gammaln(b) - gammaln(a + b + repeats)
        here = -(r + repeats) * np.log(alpha + age)
        gone = np.log(a) - np.log(b + np.maximum(repeats, 1) - 1) - (r + repeats) * np.log(alpha + last)  # fmt: skip
        likely = same + stays + np.where(again, np.logaddexp(here, gone), here)
        return float(-(customers * likely).sum() / customers.sum() + LEASH * (logs**2).sum())

    bounds = [(-BOUND, BOUND)] * 4
    tried = [minimize(loss, np.log(start), method="L-BFGS-B", bounds=bounds) for start in STARTS]
    best = min(tried, key=lambda one: one.fun if np.isfinite(one.fun) else np.inf)
    if not np.isfinite(best.fun):
        raise ValueError("no parameters fit these customers")
    return Model(*(float(one) for one in np.exp(best.x)))


def expected(model: Model, groups: Sequence[Group], weeks: float) -> list[float]:
    """The orders of one customer of each group in the next weeks; not a number where it cannot be computed."""
    repeats, last, age, _ = np.array(groups, float).T
    r, alpha, b = model.r, model.alpha, model.b
    a = model.a if abs(model.a - 1) > 1e-6 else 1 + 1e-6  # where the formula divides by nothing
    with np.errstate(all="ignore"):
        shrunk = ((alpha + age) / (alpha + age + weeks)) ** (r + repeats)
        series = hyp2f1(
            r + repeats, b + repeats, a + b + repeats - 1, weeks / (alpha + age + weeks)
        )
        orders = (a + b + repeats - 1) / (a - 1) * (1 - shrunk * series)
        odds_gone = a / (b + np.maximum(repeats, 1) - 1) * ((alpha + age) / (alpha + last)) ** (r + repeats)  # fmt: skip
        made = orders / (1 + np.where(repeats > 0, odds_gone, 0.0))
    return [float(one) for one in made]


def main() -> None:
    """Read {groups, weeks} from stdin, write the expected orders of each group, null where there is no number."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    asked = json.load(sys.stdin)
    found = expected(fit(asked["groups"]), asked["groups"], asked["weeks"])
    json.dump([round(one, 4) if 0 <= one < 1e6 else None for one in found], sys.stdout)


if __name__ == "__main__":
    main()
