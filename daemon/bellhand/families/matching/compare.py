"""The process that compares catalogues: `python -m bellhand.families.matching.compare MEMORY_BYTES_MAX`, started by
process.py.

It reads requests from stdin and answers each on stdout, one JSON value a line. It opens no connection and knows no
credentials; it ends when its stdin does, in the middle of whatever it computes.
"""

from __future__ import annotations

import json
import os
import queue
import resource
import sys
import threading
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby, islice
from typing import Any

import numpy as np

from .candidates import nearest_by_vector
from .features import NAMES, Comparison
from .item import item_from
from .verifier import Verifier, shipped, train

EVIDENCE = ("cosine", "words_shared", "code_same", "code_start", "sizes_differ", "colours_differ", "price_ratio", "rank_left", "rank_right")  # fmt: skip
VECTOR_NEIGHBOURS = 5
NICE = 10  # the daemon's loop comes first


class Comparer:
    """What was loaded, and the answers to questions about it."""

    def __init__(self) -> None:
        self.sides: dict[str, list[dict[str, Any]]] = {"source": [], "catalogue": []}
        self.comparison: Comparison | None = None
        self.verifier: Verifier | None = None
        self.targets_of: dict[int, list[int]] = {}
        self.vectors: dict[str, dict[int, np.ndarray]] = {"source": {}, "catalogue": {}}
        self.close: dict[tuple[int, int], float] = {}

    def answer(self, asked: dict[str, Any]) -> Any:
        """One request by its name: load, vectors, compare, score, learn."""
        match asked["ask"]:
            case "load":
                self.sides[asked["side"]] += asked["items"]
                return len(self.sides[asked["side"]])
            case "vectors":
                return self.keep_vectors(asked["side"], asked["items"], asked["vectors"])
            case "compare":
                return self.compare(asked["verifier"])
            case "score":
                return self.score(asked["start"], asked["stop"], asked["most"])
            case "learn":
                return self.learn(asked["pairs"])
            case other:
                raise ValueError(f"nobody knows how to {other}")

    def keep_vectors(self, side: str, items: Sequence[int], vectors: Sequence[str]) -> int:
        """The vectors of items by their ids, as embeddings.py packs them, in Base64; returns how many its side has."""
        own = self.vectors[side]
        for item, vector in zip(items, vectors, strict=True):
            own[item] = np.frombuffer(b64decode(vector), "<f2")
        return len(own)

    def compare(self, verifier: str | None) -> int:
        """Find the candidates of every source; returns how many pairs there are."""
        sides = [[item_from(row) for row in self.sides[side]] for side in ("source", "catalogue")]
        self.close = self._close()  # first, so that vectors and n-grams are not in memory together
        self.comparison = Comparison(*sides)
        pairs = sorted({*self.comparison.candidates(), *self.close})
        for source, target in pairs:
            self.targets_of.setdefault(source, []).append(target)
        self.verifier = Verifier.from_json(verifier) if verifier else shipped()
        return len(pairs)

    def _close(self) -> dict[tuple[int, int], float]:
        """The cosine of each source with its nearest targets by vectors; the vectors are given up for it."""
        own = [
            [(k, kept[row["id"]]) for k, row in enumerate(self.sides[side]) if row["id"] in kept]
            for side, kept in self.vectors.items()
        ]
        self.vectors = {side: {} for side in self.vectors}
        if not all(own):
            return {}
        # One model gives one length; what a changed server left under its name cannot be compared.
        length = len(own[1][-1][1])
        places, rows = [], []
        for side in own:
            fits = [(k, vector) for k, vector in side if len(vector) == length]
            places.append([k for k, _ in fits])
            rows.append(np.array([vector for _, vector in fits], np.float32).reshape(-1, length))
        found = nearest_by_vector(rows[0], rows[1], VECTOR_NEIGHBOURS)
        return {
            (places[0][i], places[1][j]): float(score)
            for i in range(len(rows[0]))
            for j, score in zip(found.columns[i], found.scores[i], strict=True)
        }

    def score(self, start: int, stop: int, most: int) -> list[dict[str, Any]]:
        """The `most` likeliest targets of the sources from `start` to `stop`.

        Where nothing tells several targets apart, each of them has its share of the confidence.
        """
        assert self.comparison is not None
        assert self.verifier is not None
        pairs = [(s, t) for s in range(start, stop) for t in self.targets_of.get(s, ())]
        rows = self.comparison.features(pairs)
        chances = [round(float(chance), 4) for chance in self.verifier.probability(rows)]
        alike = Counter(
            (source, chance) for (source, _), chance in zip(pairs, chances, strict=True)
        )
        best = sorted(range(len(pairs)), key=lambda k: (pairs[k][0], -chances[k], pairs[k][1]))
        return [
            {
                "source": self.sides["source"][source]["id"],
                "target": self.sides["catalogue"][pairs[k][1]]["id"],
                "confidence": round(chances[k] / alike[source, chances[k]], 4),
                "evidence": self._evidence(
                    rows[k], alike[source, chances[k]], self.close.get(pairs[k])
                ),
            }
            for source, group in groupby(best, key=lambda k: pairs[k][0])
            for k in islice(group, most)
        ]

    def learn(self, pairs: Sequence[tuple[int, int, bool]]) -> str:
        """The shipped verifier, corrected by what people said about these pairs (by ids)."""
        places = [{row["id"]: k for k, row in enumerate(rows)} for rows in self.sides.values()]
        self.compare(None)
        assert self.comparison is not None
        said = {(places[0][s], places[1][t]): same for s, t, same in pairs}
        return corrected(shipped(), self.comparison, self.targets_of, said).to_json()

    @staticmethod
    def _evidence(row: np.ndarray, alike: int, close: float | None) -> dict[str, float]:
        """What a reviewer may want to see; what is not known is left out."""
        told = {name: round(float(row[NAMES.index(name)]), 3) for name in EVIDENCE}
        known = {name: value for name, value in told.items() if value >= 0}
        if close is not None:
            known["embedding"] = round(close, 3)
        return known | ({"alike": alike} if alike > 1 else {})


def corrected(
    verifier: Verifier,
    comparison: Comparison,
    targets_of: Mapping[int, Sequence[int]],
    said: Mapping[tuple[int, int], bool],
) -> Verifier:
    """The verifier, corrected by pairs of which people said whether they are the same.

    An item has one partner, so whoever accepts a pair says of the item's other candidates that they are none: accepted pairs
    alone are enough to learn from. Raises ValueError where nothing says what is not the same.
    """
    settled = sorted({source for (source, _), same in said.items() if same})
    others = ((source, target) for source in settled for target in targets_of.get(source, ()))
    told = dict(said) | {pair: False for pair in others if pair not in said}
    same = np.array([float(one) for one in told.values()])
    if same.all():
        raise ValueError(
            "every candidate of these items was accepted; reject one, or accept items that have more"
        )
    # Yes and no count the same, however many of each there are.
    share = float(np.clip(same.mean(), 0.05, 0.95))
    weights = np.where(same == 1, 0.5 / share, 0.5 / (1 - share))
    return train(comparison.features(list(told)), same, NAMES, weights=weights, start=verifier)


def read_requests(requests: queue.Queue[str]) -> None:
    """Pass on what comes; when nobody can ask any more, nobody wants the answer."""
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)


def main() -> None:
    """Answer until stdin ends."""
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICE)
    requests: queue.Queue[str] = queue.Queue()
    threading.Thread(target=read_requests, args=(requests,), daemon=True).start()
    comparer = Comparer()
    while True:
        try:
            told = {"answer": comparer.answer(json.loads(requests.get()))}
        except MemoryError:
            told = {
                "error": f"the catalogues need more memory than matching may take ({limit} bytes)"
            }
        except Exception as error:  # the boundary: the job that asked decides what it means
            told = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
