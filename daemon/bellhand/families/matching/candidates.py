"""Which items of a catalogue may be meant: character n-grams, weighted by how rare they are.

Everything is sparse and goes in blocks, so memory is bounded by one block whatever the catalogue.
"""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

NGRAM_CHARS = (2, 3, 4)
BLOCK_ROWS = 500
VECTOR_BLOCK_ROWS = 250  # dense: 250 x 20,000 products and their order take 60 MB
PAIRS_AT_ONCE = 5_000
# A term that more than this share of a large catalogue has finds nothing; it still counts when two are compared.
COMMON_SHARE = 0.05
COMMON_MIN = 1_000

_SPLIT = re.compile(r"[^a-z0-9.]+")


def ngrams(text: str) -> list[str]:
    """The n-grams of each word with a space on both sides, so that beginnings and ends count."""
    found: list[str] = []
    for word in _SPLIT.split(text):
        if word:
            padded = f" {word} "
            for size in NGRAM_CHARS:
                if len(padded) < size:
                    break
                found += [padded[i : i + size] for i in range(len(padded) - size + 1)]
    return found


class Weights:
    """How much each term of a collection says: log((1 + n) / (1 + df)) + 1; unknown ones the most."""

    def __init__(self, documents: Iterable[Iterable[str]]) -> None:
        counts: Counter[str] = Counter()
        self.size = 0
        for document in documents:
            counts.update(set(document))
            self.size += 1
        self.frequency = counts
        self._weights = {term: self._weight(count) for term, count in counts.items()}
        self.most = self._weight(0)

    def _weight(self, count: int) -> float:
        return math.log((1 + self.size) / (1 + count)) + 1.0

    def __getitem__(self, term: str) -> float:
        return self._weights.get(term, self.most)


class Space:
    """Documents of two sides, each a list of terms, as rows of unit length over the terms of both."""

    def __init__(self, left: Sequence[Sequence[str]], right: Sequence[Sequence[str]]) -> None:
        frequency: Counter[str] = Counter()
        for document in (*left, *right):
            frequency.update(set(document))
        self._columns = {term: i for i, term in enumerate(frequency)}
        counts = np.fromiter(frequency.values(), np.float64, len(frequency))
        documents = len(left) + len(right)
        self._idf = np.log((1 + documents) / (1 + counts)) + 1.0
        self._rare = counts <= max(COMMON_MIN, COMMON_SHARE * documents)
        self.left, self.right = self._rows(left), self._rows(right)

    def _rows(self, documents: Sequence[Sequence[str]]) -> sparse.csr_matrix:
        """Sublinear counts times rarity, of length 1; a document without terms is all 0."""
        starts, columns, counts = array("q", [0]), array("i"), array("f")
        for document in documents:
            found = Counter(document)
            columns.extend(self._columns[term] for term in found)
            counts.extend(found.values())
            starts.append(len(columns))
        where = np.frombuffer(columns, np.int32) if columns else np.zeros(0, np.int32)
        values = np.log(np.frombuffer(counts, np.float32)) + 1 if counts else np.zeros(0, "f4")
        data = (values * self._idf[where]).astype(np.float32)
        shape = (len(documents), len(self._columns))
        rows = sparse.csr_matrix((data, where, np.frombuffer(starts, np.int64)), shape)
        lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
        lengths[lengths == 0] = 1.0
        return sparse.csr_matrix(sparse.diags(1.0 / lengths).astype(np.float32) @ rows)

    def rare(self) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        """Both sides without the terms that everybody has: these find nothing, and cost the most."""
        if self._rare.all():
            return self.left, self.right
        return self.left[:, self._rare], self.right[:, self._rare]

    def cosine(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """How close the `left[k]`th row of the left is to the `right[k]`th of the right, 0 to 1."""
        parts = [np.zeros(0)]
        for start in range(0, len(left), PAIRS_AT_ONCE):
            some = slice(start, start + PAIRS_AT_ONCE)
            products = self.left[left[some]].multiply(self.right[right[some]])
            parts.append(np.asarray(products.sum(axis=1)).ravel())
        return np.concatenate(parts).astype(float)


@dataclass(frozen=True)
class Neighbours:
    """For each row its best columns, best first: `columns[i, j]` with `scores[i, j]`; -1 for none."""

    columns: np.ndarray
    scores: np.ndarray


def nearest(left: sparse.csr_matrix, right_by_term: sparse.csr_matrix, most: int) -> Neighbours:
    """The `most` best columns for each row of `left`, by the product of rows; in blocks."""
    total, width = left.shape[0], right_by_term.shape[1]
    most = min(most, width)
    columns = np.full((total, most), -1, np.int32)
    scores = np.zeros((total, most), np.float32)
    for start in range(0, total, BLOCK_ROWS):
        product = sparse.csr_matrix(left[start : start + BLOCK_ROWS] @ right_by_term)
        for i in range(product.shape[0]):
            begin, end = product.indptr[i], product.indptr[i + 1]
            found, values = product.indices[begin:end], product.data[begin:end]
            if len(found) > most:
                best = np.argpartition(values, -most)[-most:]
                found, values = found[best], values[best]
            # Equal scores in the order of the catalogue, or two runs would differ.
            order = np.lexsort((found, -values))
            columns[start + i, : len(order)] = found[order]
            scores[start + i, : len(order)] = values[order]
    return Neighbours(columns, scores)


def nearest_by_vector(left: np.ndarray, right: np.ndarray, most: int) -> Neighbours:
    """The `most` best columns for each row of `left`, by cosine; both have rows of length 1 (float32). In blocks."""
    most = min(most, len(right))
    columns = np.full((len(left), most), -1, np.int32)
    scores = np.zeros((len(left), most), np.float32)
    for start in range(0, len(left) if most else 0, VECTOR_BLOCK_ROWS):
        rows = slice(start, start + VECTOR_BLOCK_ROWS)
        product = left[rows] @ right.T
        best = np.argpartition(product, -most, axis=1)[:, -most:]
        values = np.take_along_axis(product, best, axis=1)
        order = np.lexsort((best, -values))
        columns[rows] = np.take_along_axis(best, order, axis=1)
        scores[rows] = np.take_along_axis(values, order, axis=1)
    return Neighbours(columns, scores)
