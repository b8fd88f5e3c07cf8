"""What is written into the search box: qualifiers such as state:failed kind:sites.validate tag.team:core."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any
from uuid import UUID

from bellhand.logs import SECRET_NAME
from bellhand.states import OVER, PARTIAL, STATES, nearest_state, states_named

WORDS = ("state", "kind", "lane", "owner", "since", "slow", "error")
TERMS_MAX = 20
DIGITS_MAX = 18
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|min|m|h|d|w)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True)
class Search:
    """What is looked for; `problems` says what could not be understood, and was left out."""

    text: str = ""
    states: frozenset[str] = frozenset((*STATES, PARTIAL))
    kind: str | None = None
    lane: str | None = None
    owner: str | None = None
    since_seconds: float | None = None
    slow_seconds: float | None = None
    words: str | None = None
    paths: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    problems: tuple[str, ...] = field(default=(), compare=False)
    reader: bool = False  # words are not looked for in payloads

    def for_a_reader(self) -> Search:
        """The same for who does not see what is secret in payloads: nor may he find it out by looking for it."""
        kept = [(p, v) for p, v in zip(self.paths, self.values, strict=True) if not SECRET_NAME.search(p)]  # fmt: skip
        problems = self.problems
        if len(kept) < len(self.paths):
            problems += ("what is secret by its name is looked for only by who may operate",)
        paths, values = tuple(path for path, _ in kept), tuple(value for _, value in kept)
        return replace(self, reader=True, paths=paths, values=values, problems=problems)

    @property
    def over(self) -> frozenset[str]:
        """The wanted states of jobs that are over; `partial` is one here."""
        return self.states & (OVER | {PARTIAL})

    @property
    def live(self) -> frozenset[str]:
        """The wanted states of jobs that are not over."""
        return self.states - OVER - {PARTIAL}

    @property
    def is_filtered(self) -> bool:
        """Whether anything narrows the list."""
        return bool(self.text.strip())

    @property
    def looks_inside(self) -> bool:
        """Whether each job must be looked at to know: no index knows."""
        return bool(self.lane or self.owner or self.slow_seconds or self.words or self.paths)

    def as_filter(self) -> dict[str, Any] | None:
        """The same as bellhand.bulk_matching takes it; None for what only a look into each job could tell."""
        paths = dict(zip(self.paths, self.values, strict=True))
        if self.words or self.slow_seconds or self.since_seconds or not self.is_filtered:
            return None
        if any(not path.startswith("tag.") or path.count(".") != 1 for path in paths):
            return None
        named: dict[str, Any] = {"kind": self.kind, "lane": self.lane, "owner": self.owner}
        found = {name: value for name, value in named.items() if value is not None}
        if paths:
            found["tags"] = {path.removeprefix("tag."): value for path, value in paths.items()}
        if self.states != frozenset((*STATES, PARTIAL)):
            found["states"] = sorted(self.states)
        return found

    def state_word(self) -> str:
        """The states as one word of a select, or an empty text."""
        for word in (*STATES, PARTIAL, "live", "over"):
            if self.states == states_of(word):
                return word
        return ""


def states_of(word: str) -> frozenset[str]:
    """The states that a word means here: those that are over hold `partial` too; ValueError."""
    found = frozenset().union(*(states_named(one) for one in word.split(",") if one))
    if word in ("over", "any", "all"):
        found |= {PARTIAL}
    return found


def duration_seconds(word: str) -> float:
    """`90s`, `15min`, `2h`, `1d`; a bare number is seconds; ValueError."""
    if re.fullmatch(r"\d{1,9}(\.\d{1,3})?", word):
        return float(word)
    if found := _DURATION.fullmatch(word):
        return float(found[1]) * _SECONDS[found[2]]
    raise ValueError(f"{word!r} is no duration; write 90s, 15min, 2h or 1d")


def is_number(text: str) -> bool:
    """Whether it is a whole number that the database can hold; other digits than 0 to 9 are none."""
    return text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX


def job_named(text: str) -> str | None:
    """The id or key, if that is all that was written."""
    word = text.strip()
    if is_number(word):
        return word
    try:
        return str(UUID(word))
    except ValueError:
        return None


def parse(text: str) -> Search:
    """What was written; words without a qualifier are looked for in payloads and errors."""
    found: dict[str, object] = {"text": text}
    words: list[str] = []
    paths: list[tuple[str, str]] = []
    problems: list[str] = []
    for term in _terms(text)[:TERMS_MAX]:
        name, colon, value = term.partition(":")
        if not colon or not value:
            words.append(term)
        elif name.startswith(("tag.", "payload.")):
            paths.append((name, value))
        elif name in WORDS:
            try:
                _take(found, words, name, value)
            except ValueError as error:
                near = nearest_state(value) if name == "state" else None
                problems.append(f"{error}" + (f"; did you mean {near}?" if near else ""))
        elif meant := get_close_matches(name, WORDS, 1):
            problems.append(f"there is no {name}: to search by; did you mean {meant[0]}:?")
        else:
            words.append(term)
    if words:
        found["words"] = " ".join(words)
    found["paths"] = tuple(path for path, _ in paths)
    found["values"] = tuple(value for _, value in paths)
    return Search(**found, problems=tuple(problems))  # type: ignore[arg-type]  # gathered by name


def without_one(text: str) -> list[tuple[str, str]]:
    """Each term of a search with what is left without it; none where there is one term alone."""
    terms = _terms(text)[:TERMS_MAX]
    if len(terms) < 2:
        return []
    return [
        (one, shlex.join(terms[:place] + terms[place + 1 :])) for place, one in enumerate(terms)
    ]


def _take(found: dict[str, object], words: list[str], name: str, value: str) -> None:
    if name == "state":
        found["states"] = states_of(value)
    elif name in ("since", "slow"):
        found[f"{name}_seconds"] = duration_seconds(value)
    elif name == "error":
        words.append(value)
        found["states"] = frozenset({"failed", "cancelled", PARTIAL, "retrying"})
    else:
        found[name] = value


def _terms(text: str) -> list[str]:
    """Words, with "quotes around blanks"; an open quote closes at the end."""
    for tried in (text, f'{text}"', f"{text}'"):
        try:
            return shlex.split(tried)
        except ValueError:
            continue
    return text.split()
