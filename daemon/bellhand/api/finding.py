"""Search in the documentation, by words.

A page is cut into passages at its headings. A passage is found if it has all words that are asked for, in the title of its page, its heading or
its text; a word also finds what begins with it. Titles count more than headings, headings more than text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

QUERY_CHARS_MAX = 200
WORDS_MAX = 8
FOUND_MAX = 30
_PER_PAGE_MAX = 3
_SNIPPET_CHARS = 220
_WORD = re.compile(r"\w+")
# Everybody says them, so they tell nothing apart.
_EMPTY = {
    "a", "an", "and", "are", "at", "be", "by", "can", "do", "does", "for", "from", "how", "i", "in", "is", "it", "my", "of", "on", "or", "the",
    "to", "what", "when", "where", "with",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a page under one heading, and where that is."""

    title: str
    heading: str
    address: str
    text: str
    weight: float  # 1; less for what is rarely meant
    words: tuple[frozenset[str], frozenset[str], dict[str, int]] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """A passage that fits; `snippet` is text of it in pieces, every second of which is a word that was asked for."""

    title: str
    heading: str
    address: str
    snippet: tuple[str, ...]


def passage(title: str, heading: str, address: str, text: str, weight: float = 1.0) -> Passage:
    """One passage, with its words at hand."""
    counts: dict[str, int] = {}
    for word in _words(text):
        counts[word] = counts.get(word, 0) + 1
    words = (frozenset(_words(title)), frozenset(_words(heading)), counts)
    return Passage(title, heading, address, text, weight, words)


def words_of(query: str) -> list[str]:
    """What is looked for: the telling words of a question, in small letters, each once."""
    all_words = list(dict.fromkeys(_words(query[:QUERY_CHARS_MAX])))
    return ([word for word in all_words if word not in _EMPTY] or all_words)[:WORDS_MAX]


def find(index: Iterable[Passage], query: str) -> list[Found]:
    """The passages that fit best, the best first; where none has all words, those with the most of them."""
    wanted = words_of(query)
    if not wanted:
        return []
    scored = [(*_score(one, wanted), at, one) for at, one in enumerate(index)]
    most = max((hits for hits, *_ in scored), default=0)
    best = sorted((-score, at, one) for hits, score, at, one in scored if hits == most > 0)
    found: list[Found] = []
    pages: dict[str, int] = {}
    for _, _, one in best:
        page = one.address.partition("#")[0]
        pages[page] = pages.get(page, 0) + 1
        if pages[page] <= _PER_PAGE_MAX or page == "/docs":
            found.append(Found(one.title, one.heading, one.address, _snippet(one.text, wanted)))
    return found[:FOUND_MAX]


def _score(one: Passage, wanted: Sequence[str]) -> tuple[int, float]:
    """How many of the words it has, and how well."""
    titles, headings, counts = one.words
    hits, score = 0, 0.0
    for word in wanted:
        best = max(
            12.0 * _closeness(word, titles) * (1.0 if not one.heading else 0.6),
            8.0 * _closeness(word, headings),
        )
        times = counts.get(word, 0)
        inside = 1.0 + min(times, 5) * 0.4 if times else 0.5 * _closeness(word, counts)
        hits += bool(best or inside)
        score += best + inside
    return hits, score * one.weight


def _closeness(word: str, among: Iterable[str]) -> float:
    """1 for the word itself, less for one that begins with it."""
    if word in among:
        return 1.0
    if len(word) < 3:
        return 0.0
    return max((len(word) / len(one) for one in among if one.startswith(word)), default=0.0) * 0.8


def _snippet(text: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """Text around the first word that was asked for, cut where words end."""
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, wanted))})\w*", re.IGNORECASE)
    first = pattern.search(text)
    begin = max(first.start() - _SNIPPET_CHARS // 3, 0) if first else 0
    if begin:
        begin = text.find(" ", begin) + 1
    end = begin + _SNIPPET_CHARS
    if end < len(text):
        end = max(text.rfind(" ", begin, end), begin + 1)
    pieces: list[str] = []
    at = begin
    for hit in pattern.finditer(text, begin, end):
        pieces += [text[at : hit.start()], hit[0]]
        at = hit.end()
    pieces.append(text[at:end])
    pieces[0] = ("… " if begin else "") + pieces[0]
    pieces[-1] += " …" if end < len(text) else ""
    return tuple(pieces)


def _words(text: str) -> list[str]:
    return [part for word in _WORD.findall(text.lower()) for part in _parts(word)]


def _parts(word: str) -> list[str]:
    """`lease_seconds` is found by itself and by each of its words."""
    return [word, *word.split("_")] if "_" in word.strip("_") else [word]
