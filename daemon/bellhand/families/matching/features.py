"""What tells whether two items are the same, as numbers: the columns that the verifier sees."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler, Levenshtein

from .candidates import Space, Weights, nearest, ngrams
from .item import Item, compact, plain

NEIGHBOURS = 10
MISSING = -1.0

# Nothing here depends on how large or how wordy the catalogues are, or what was learned on one would not hold on another.
PAIR_FEATURES = (
    "title_ratio", "title_sort", "title_set", "title_partial", "title_jaro",
    "words_shared", "words_kept_left", "words_kept_right", "first_word", "maker", "maker_in_left", "maker_in_right",
    "code_same", "code_start", "code_near", "code_across", "code_joined", "sku_same", "sku_near",
    "sizes_same", "sizes_differ", "whole_sizes_differ", "numbers_shared", "numbers_left", "numbers_right",
    "colours_same", "colours_differ", "price_ratio", "whole_set", "whole_shared", "title_in_right", "title_in_left",
    "attributes_same", "attributes_near", "attributes_least", "identifiers_same",
)  # fmt: skip
PLACE_FEATURES = (
    "cosine", "whole_cosine", "rank_left", "rank_right", "gap_left", "gap_right", "of_best_left", "of_best_right",
)  # fmt: skip
NAMES = PAIR_FEATURES + PLACE_FEATURES


@dataclass(frozen=True)
class Texts:
    """How rare words are in both catalogues together."""

    words: Weights
    whole_words: Weights

    @classmethod
    def of(cls, items: Sequence[Item]) -> Texts:
        """Counted over these items."""
        return cls(
            Weights(item.words for item in items),
            Weights(item.whole_words for item in items),
        )


class Comparison:
    """Two catalogues, and any pair of theirs as a row of features.

    The place of a pair among all others is part of it: that no other target is nearly as close
    says as much as the closeness. So the features of a pair depend on the catalogues.
    """

    def __init__(self, sources: Sequence[Item], targets: Sequence[Item]) -> None:
        self.sources, self.targets = sources, targets
        self.texts = Texts.of([*sources, *targets])
        self._titles = Space(
            [ngrams(item.title_text) for item in sources],
            [ngrams(item.title_text) for item in targets],
        )
        self._wholes = Space(
            [sorted(item.whole_words) for item in sources],
            [sorted(item.whole_words) for item in targets],
        )
        left, right = self._titles.rare()
        self.forward = nearest(left, right.T.tocsr(), NEIGHBOURS)
        self.backward = nearest(right, left.T.tocsr(), NEIGHBOURS)
        self._find_common()

    def _find_common(self) -> None:
        """Titles made of nothing but common terms are looked for by these, however long it takes."""
        for near, own, other in (
            (self.forward, self._titles.left, self._titles.right),
            (self.backward, self._titles.right, self._titles.left),
        ):
            lost = np.flatnonzero(near.columns[:, 0] < 0)
            if len(lost):
                found = nearest(own[lost], other.T.tocsr(), NEIGHBOURS)
                near.columns[lost], near.scores[lost] = found.columns, found.scores

    def candidates(self, most: int = NEIGHBOURS) -> list[tuple[int, int]]:
        """The pairs worth a look: the nearest of each source, and the sources of their nearest targets."""
        pairs = {
            (i, int(j)) for i, row in enumerate(self.forward.columns) for j in row[:most] if j >= 0
        }
        pairs |= {
            (int(i), j)
            for j, row in enumerate(self.backward.columns)
            for i in row[: most // 3]
            if i >= 0
        }
        return sorted(pairs)

    def features(self, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
        """One row a pair, columns as NAMES."""
        if not pairs:
            return np.zeros((0, len(NAMES)))
        alone = np.array(
            [pair_features(self.sources[i], self.targets[j], self.texts) for i, j in pairs]
        )
        return np.hstack([alone, self._places(pairs)])

    def _places(self, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
        left = np.array([i for i, _ in pairs])
        right = np.array([j for _, j in pairs])
        cosine = self._titles.cosine(left, right)
        whole = self._wholes.cosine(left, right)
        columns = [cosine, whole]
        ranks, gaps, shares = [], [], []
        for near, own, other in ((self.forward, left, right), (self.backward, right, left)):
            found, scores = near.columns[own], near.scores[own]
            better = (scores > cosine[:, None] + 1e-6) & (found != other[:, None])
            ranks.append(better.sum(axis=1).astype(float))
            rivals = np.where(found == other[:, None], 0.0, scores).max(axis=1)
            gaps.append(cosine - rivals)
            best = np.maximum(scores.max(axis=1), cosine)
            shares.append(np.divide(cosine, best, out=np.zeros_like(cosine), where=best > 0))
        return np.column_stack([*columns, *ranks, *gaps, *shares])


def pair_features(a: Item, b: Item, texts: Texts) -> list[float]:
    """The columns PAIR_FEATURES of one pair."""
    s, t = a.title_text, b.title_text
    return [
        fuzz.ratio(s, t) / 100, fuzz.token_sort_ratio(s, t) / 100, fuzz.token_set_ratio(s, t) / 100,
        fuzz.partial_ratio(s, t) / 100, JaroWinkler.normalized_similarity(s, t),
        *_words(a, b, texts.words), *_makers(a, b), *_codes(a, b), *_skus(a, b), *_sizes(a, b), *_colours(a, b),
        _price_ratio(a, b), *_wholes(a, b, texts.whole_words), *_attributes(a, b),
    ]  # fmt: skip


def _words(a: Item, b: Item, weights: Weights) -> list[float]:
    left, right = frozenset(a.words), frozenset(b.words)
    shared = left & right
    both = _sum(shared, weights)
    in_left, in_right = _sum(left, weights), _sum(right, weights)
    either = in_left + in_right - both
    return [
        both / either if either else 0.0,
        both / in_left if in_left else 0.0,
        both / in_right if in_right else 0.0,
        float(bool(a.words and b.words and a.words[0] == b.words[0])),
    ]


def _makers(a: Item, b: Item) -> list[float]:
    if not a.maker or not b.maker:
        return [MISSING, MISSING, MISSING]
    near = JaroWinkler.normalized_similarity(a.maker, b.maker)
    if a.maker.startswith(b.maker) or b.maker.startswith(a.maker):
        near = 1.0
    return [near, float(b.maker in a.joined), float(a.maker in b.joined)]


def _codes(a: Item, b: Item) -> list[float]:
    left, right = a.codes, b.codes
    start = near = 0.0
    for one in left:
        for other in right:
            if one == other:
                start = near = 1.0
                continue
            short, long = sorted((one, other), key=len)
            if len(short) >= 4 and (long.startswith(short) or long.endswith(short)):
                start = max(start, len(short) / len(long))
            if len(short) >= 4:
                near = max(near, Levenshtein.normalized_similarity(one, other))
    across = (left & b.whole_codes) | (right & a.whole_codes)
    joined = max(
        [len(code) for code in left if len(code) >= 4 and code in b.joined]
        + [len(code) for code in right if len(code) >= 4 and code in a.joined],
        default=0,
    )
    known = bool(left and right)
    return [
        float(bool(left & right)), start if known else MISSING, near if known else MISSING,
        float(bool(across)), float(joined),
    ]  # fmt: skip


def _skus(a: Item, b: Item) -> list[float]:
    left, right = a.sku_codes, b.sku_codes
    if not left or not right:
        return [MISSING, MISSING]
    near = max(Levenshtein.normalized_similarity(x, y) for x in left for y in right)
    starts = any(
        x.startswith(y) or y.startswith(x) for x in left for y in right if min(len(x), len(y)) >= 4
    )
    return [float(bool(left & right)), max(near, 0.9 * starts)]


def _sizes(a: Item, b: Item) -> list[float]:
    same, differ = _agree(a.sizes, b.sizes)
    _, whole_differ = _agree(a.whole_sizes, b.whole_sizes)
    left, right = a.numbers, b.numbers
    return [
        float(same), float(differ), float(whole_differ),
        len(left & right) / len(left | right) if left or right else MISSING,
        float(len(left - right)), float(len(right - left)),
    ]  # fmt: skip


def _agree(
    left: Mapping[str, frozenset[str]], right: Mapping[str, frozenset[str]]
) -> tuple[int, int]:
    """For how many units both give a common number, and for how many they give different ones."""
    shared = left.keys() & right.keys()
    same = sum(bool(left[unit] & right[unit]) for unit in shared)
    return same, len(shared) - same


def _colours(a: Item, b: Item) -> list[float]:
    shared = a.colours & b.colours
    return [float(len(shared)), float(bool(a.colours and b.colours and not shared))]


def _price_ratio(a: Item, b: Item) -> float:
    if not a.price or not b.price:
        return MISSING
    return min(a.price, b.price) / max(a.price, b.price)


def _wholes(a: Item, b: Item, weights: Weights) -> list[float]:
    left, right = a.whole_words, b.whole_words
    shared = _sum(left & right, weights)
    least = min(_sum(left, weights), _sum(right, weights))
    s, t = frozenset(a.words), frozenset(b.words)
    in_s, in_t = _sum(s, weights), _sum(t, weights)
    return [
        fuzz.token_set_ratio(a.whole_text[:400], b.whole_text[:400]) / 100,
        shared / least if least else 0.0,
        _sum(s & right, weights) / in_s if in_s else 0.0,
        _sum(t & left, weights) / in_t if in_t else 0.0,
    ]


def _attributes(a: Item, b: Item) -> list[float]:
    """Fields that both have by the same name: how many agree, and whether a long number does."""
    near, same, identified = [], 0, MISSING
    for name in a.attributes.keys() & b.attributes.keys():
        x, y = compact(a.attributes[name]), compact(b.attributes[name])
        if not x or not y:
            continue
        same += x == y
        near.append(
            fuzz.token_set_ratio(plain(a.attributes[name]), plain(b.attributes[name])) / 100
        )
        if sum(char.isdigit() for char in x) >= 6 and x.isdigit():
            identified = max(identified, float(x == y))
    if not near:
        return [MISSING, MISSING, MISSING, MISSING]
    return [same / len(near), sum(near) / len(near), min(near), identified]


def _sum(words: Iterable[str], weights: Weights) -> float:
    return math.fsum(weights[word] for word in words)
