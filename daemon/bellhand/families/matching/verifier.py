"""Is it the same item? Boosted trees over the features of a pair, small enough to ship as JSON.

Trained in seconds with numpy alone: second-order gradient boosting of the log loss over binned
features (Friedman 2001; Chen and Guestrin 2016), trees of one depth stored as flat arrays.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np

BINS = 48
DEPTH = 4
FORESTS = 3
TREES = 100
RATE = 0.1
RIDGE = 2.0
WEIGHT_MIN = 2.0  # of a leaf: the sum of its second derivatives
FEATURE_SHARE = 0.6
ROW_SHARE = 0.8
GAIN_MIN = 1e-9
NEVER = 1e30  # no feature is above it


@dataclass(frozen=True)
class Verifier:
    """Trees as arrays: node i has children 2i+1 and 2i+2; `names` are the features, in order."""

    names: tuple[str, ...]
    base: float
    features: np.ndarray  # trees x inner nodes
    cuts: np.ndarray  # trees x inner nodes: right if above
    leaves: np.ndarray  # trees x leaves

    def probability(self, rows: np.ndarray) -> np.ndarray:
        """How likely each row of features is one of the same item, 0 to 1."""
        return _chance(self.score(rows))

    def score(self, rows: np.ndarray) -> np.ndarray:
        """The same as log odds."""
        depth = int(np.log2(self.leaves.shape[1]))
        total = np.full(len(rows), self.base)
        index = np.arange(len(rows))
        for tree in range(len(self.features)):
            node = np.zeros(len(rows), np.int64)
            for _ in range(depth):
                value = rows[index, self.features[tree, node]]
                node = 2 * node + 1 + (value > self.cuts[tree, node])
            total += self.leaves[tree, node - self.features.shape[1]]
        return total

    def to_json(self) -> str:
        """As shipped and stored."""
        return json.dumps(
            {
                "names": self.names,
                "base": round(self.base, 5),
                "features": self.features.tolist(),
                "cuts": [[float(f"{cut:.5g}") for cut in tree] for tree in self.cuts],
                "leaves": [[round(float(leaf), 4) for leaf in tree] for tree in self.leaves],
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str) -> Verifier:
        """The inverse of to_json."""
        told = json.loads(text)
        return cls(
            tuple(told["names"]),
            told["base"],
            np.array(told["features"], np.int64),
            np.array(told["cuts"], np.float64),
            np.array(told["leaves"], np.float64),
        )


def shipped() -> Verifier:
    """The verifier that comes with Bellhand; docs/matching.md says what it was trained on."""
    path = resources.files(__package__) / "verifier.json"
    return Verifier.from_json(path.read_text(encoding="utf-8"))


def train(
    rows: np.ndarray,
    same: np.ndarray,
    names: Sequence[str],
    *,
    weights: np.ndarray | None = None,
    start: Verifier | None = None,
    seed: int = 1,
) -> Verifier:
    """Learn from rows of features and whether each is of the same item (0 or 1).

    FORESTS runs with different draws are averaged. With `start` the new trees correct that one
    where these rows say otherwise, which needs far fewer of them.
    """
    weights = np.ones(len(rows)) if weights is None else weights
    edges = [_edges(rows[:, i]) for i in range(rows.shape[1])]
    binned = np.stack([np.searchsorted(e, rows[:, i]) for i, e in enumerate(edges)], axis=1)
    rate = float(np.clip(np.average(same, weights=weights), 1e-3, 1 - 1e-3))
    base = start.base if start else float(np.log(rate / (1 - rate)))
    before = start.score(rows) if start else np.full(len(rows), base)
    features, cuts, leaves = [], [], []
    for forest in range(FORESTS):
        draw = np.random.default_rng((seed, forest))
        total = before.copy()
        for _ in range(TREES):
            chance = _chance(total)
            kept = weights * (draw.random(len(rows)) < ROW_SHARE)
            used = np.sort(draw.permutation(rows.shape[1])[: int(FEATURE_SHARE * rows.shape[1])])
            tree = _grow(binned, used, kept * (same - chance), kept * chance * (1 - chance))
            total += tree.leaves[tree.leaf_of]
            features.append(tree.features)
            cuts.append([_cut(edges[f], b) for f, b in zip(tree.features, tree.bins, strict=True)])
            leaves.append(tree.leaves / FORESTS)
    grown = Verifier(tuple(names), base, np.array(features), np.array(cuts), np.array(leaves))
    return grown if start is None else _joined(start, grown)


def _joined(first: Verifier, then: Verifier) -> Verifier:
    return Verifier(
        then.names,
        then.base,
        np.concatenate([first.features, then.features]),
        np.concatenate([first.cuts, then.cuts]),
        np.concatenate([first.leaves, then.leaves]),
    )


def best_threshold(scores: np.ndarray, same: np.ndarray, positives: int | None = None) -> float:
    """The threshold with the best F1: the middle of the widest stretch where F1 stays the best.

    `positives` counts also those that are not among the rows; default: those that are.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(same[order])
    total = int(same.sum()) if positives is None else positives
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + total)
    below = np.append(ranked[1:], 0.0)
    f1[ranked == below] = 0.0  # no threshold parts two that are equal
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    widest = best[np.argmax(ranked[best] - below[best])]
    return float((ranked[widest] + below[widest]) / 2)


def _chance(log_odds: np.ndarray) -> np.ndarray:
    chance: np.ndarray = 1.0 / (1.0 + np.exp(-log_odds))
    return chance


def _edges(values: np.ndarray) -> np.ndarray:
    """Where to cut a feature: between its values, or at its quantiles when it has many."""
    distinct = np.unique(values)
    if len(distinct) > BINS:
        distinct = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)))
    edges: np.ndarray = (distinct[:-1] + distinct[1:]) / 2
    return edges


def _cut(edges: np.ndarray, bin_: int) -> float:
    """The value that a bin ends at; the last one, and a node without use, let everything go left."""
    return float(edges[bin_]) if bin_ < len(edges) else NEVER


@dataclass(frozen=True)
class _Tree:
    features: list[int]
    bins: list[int]
    leaves: np.ndarray
    leaf_of: np.ndarray  # of each row


def _grow(binned: np.ndarray, used: np.ndarray, slopes: np.ndarray, curves: np.ndarray) -> _Tree:
    """One tree, level by level, on the first and second derivatives of the loss of each row."""
    width = BINS + 1
    node = np.zeros(len(binned), np.int64)
    features: list[int] = []
    bins: list[int] = []
    columns = binned[:, used]
    offsets = np.arange(len(used)) * width
    for level in range(DEPTH):
        nodes = 2**level
        cell = (node[:, None] * (len(used) * width) + offsets + columns).ravel()
        shape = (nodes, len(used), width)
        length = nodes * len(used) * width
        g = np.bincount(cell, np.repeat(slopes, len(used)), length).reshape(shape).cumsum(axis=2)
        h = np.bincount(cell, np.repeat(curves, len(used)), length).reshape(shape).cumsum(axis=2)
        all_g, all_h = g[:, :1, -1:], h[:, :1, -1:]
        gain = g**2 / (h + RIDGE) + (all_g - g) ** 2 / (all_h - h + RIDGE)
        gain -= all_g**2 / (all_h + RIDGE)
        gain[(h < WEIGHT_MIN) | (all_h - h < WEIGHT_MIN)] = -np.inf
        flat = gain.reshape(nodes, -1)
        best = flat.argmax(axis=1)
        chosen, cut = np.divmod(best, width)
        cut = np.where(flat[np.arange(nodes), best] > GAIN_MIN, cut, width)
        features += [int(used[c]) for c in chosen]
        bins += [int(c) for c in cut]
        node = 2 * node + (columns[np.arange(len(node)), chosen[node]] > cut[node])
    g = np.bincount(node, slopes, 2**DEPTH)
    h = np.bincount(node, curves, 2**DEPTH)
    return _Tree(features, bins, RATE * g / (h + RIDGE), node)
