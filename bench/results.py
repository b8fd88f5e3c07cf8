"""The runs that were written down, and what they say together."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .arithmetic import Spread, spread
from .rows import BEST, OURS, Row

DISTURBED_CORES = 0.15
RATE = "per_second"


def disturbed(line: dict[str, Any]) -> bool:
    """Whether others used the machine during this run."""
    return bool(line.get("others_cores", 0.0) > DISTURBED_CORES)


@dataclass(frozen=True)
class Found:
    """A figure, and whether others used the machine in all of its runs."""

    spread: Spread
    disturbed: bool

    @property
    def median(self) -> float:
        return self.spread.median


@dataclass
class Results:
    """The runs of one server version: by figure, peer and variant, then by the name of the value."""

    session: dict[str, Any]
    runs: dict[tuple[str, str, str], list[dict[str, Any]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    errors: list[dict[str, Any]] = field(default_factory=list)

    @property
    def version(self) -> str:
        return str(self.session["postgres"]["server_version"]).split()[0]

    @property
    def peers(self) -> list[str]:
        return list(self.session["peers"])

    def sources(self) -> set[str]:
        """The states of Bellhand that were measured."""
        ours = (run for (_, peer, _), runs in self.runs.items() if peer == OURS for run in runs)
        return {run["source"] for run in ours if "source" in run}

    def kept(self, figure: str, peer: str, variant: str) -> list[dict[str, Any]]:
        """Its runs; those that were disturbed only if there are no others."""
        runs = self.runs.get((figure, peer, variant), [])
        return [run for run in runs if not disturbed(run)] or runs

    def look(self, figure: str, peer: str, variant: str, value: str = RATE) -> Found | None:
        """One value; None if it was not measured."""
        runs = [run for run in self.kept(figure, peer, variant) if value in run["values"]]
        if not runs:
            return None
        return Found(spread([run["values"][value] for run in runs]), all(map(disturbed, runs)))

    def best(self, row: Row, peer: str) -> Found | None:
        """For the variant that the row names, or for the one that this peer did best with."""
        names = self.variants(row.figure, peer) if row.variant == BEST else [row.variant]
        seen = [
            found
            for name in names
            if (found := self.look(row.figure, peer, name, row.value)) is not None
        ]
        choose = max if row.more_is_better else min
        return choose(seen, key=lambda found: found.median, default=None)

    def parts(self, figure: str, peer: str, variant: str) -> list[float]:
        """The median pace of each part of its runs."""
        runs = self.kept(figure, peer, variant)
        return [
            spread(same).median
            for same in zip(*(run["values"]["parts"] for run in runs), strict=True)
        ]

    def variants(self, figure: str, peer: str) -> list[str]:
        return [variant for f, p, variant in self.runs if (f, p) == (figure, peer)]


def load(paths: Iterable[Path]) -> list[Results]:
    """One for each version of Postgres and scale, whatever files and sessions its runs come from."""
    alike: dict[tuple[str, float], Results] = {}
    for path in paths:
        current: Results | None = None
        for text in path.read_text().splitlines():
            line = json.loads(text)
            if "session" in line:
                fresh = Results(line["session"])
                current = alike.setdefault((fresh.version, fresh.session["scale"]), fresh)
                current.session["peers"] |= fresh.session["peers"]
                continue
            assert current is not None, f"{path} does not begin with a session"
            if "error" in line:
                current.errors.append(line)
            else:
                current.runs[line["figure"], line["peer"], line["variant"]].append(line)
    return list(alike.values())
