"""`python -m bench`: measures Bellhand and its peers on one Postgres and prints medians; `install` gets the peers.

Other verbs: `report FILE...` prints the table of earlier sessions again, `plots FILE...` draws them into docs/plots.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from .figures import FIGURES
from .install import HOME, ROOT, install
from .peers import PEERS
from .plots import draw
from .report import markdown
from .results import load
from .rows import OURS
from .session import Plan, measure
from .stage import BACKLOG_JOBS

QUICK = 0.1
INTERRUPTED = 130
USUAL = [name for name in FIGURES if name not in ("degrade", "options")]


def main(arguments: list[str]) -> int:
    verb, files = arguments[:1], [Path(word) for word in arguments[1:]]
    if verb == ["install"]:
        problems = install()
        print("\n".join(problems) or f"the peers are installed in {HOME}")
        return 1 if problems else 0
    if verb == ["report"]:
        print(markdown(load(files)))
        return 0
    if verb == ["plots"]:
        print("\n".join(str(path) for path in draw(load(files)[0], ROOT / "docs" / "plots")))
        return 0
    return _measure(_parser().parse_args(arguments))


def _measure(chosen: argparse.Namespace) -> int:
    # Stopping it cleans up, however it is asked to stop.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    for problem in install() if set(chosen.peers) - {OURS} else []:
        print(problem)
    able = [PEERS[name] for name in chosen.peers if _able(name)]
    scale = QUICK if chosen.quick else chosen.scale
    plan = Plan(
        chosen.figures, able, chosen.runs, scale, chosen.postgres, chosen.lock, chosen.backlog
    )
    out = chosen.out / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.getpid()}.jsonl"
    try:
        _run(plan, out)
    except KeyboardInterrupt:
        print(f"stopped; what was measured so far: python -m bench report {out}")
        return INTERRUPTED
    results = load([out])
    print(f"\n{markdown(results)}\n{out}")
    return 1 if any(one.errors for one in results) else 0


def _able(name: str) -> bool:
    missing = PEERS[name].missing()
    if missing:
        print(f"left out: {missing}")
    return missing is None


def _run(plan: Plan, out: Path) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(measure(plan, out))
    else:
        uvloop.run(measure(plan, out))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add = parser.add_argument
    add("--figures", type=_names(FIGURES), default=USUAL, help=f"of {','.join(FIGURES)}")
    add("--peers", type=_names(PEERS), default=list(PEERS), help=f"of {','.join(PEERS)}")
    add("--runs", type=int, default=3, help="of each, interleaved; the median counts")
    add("--quick", action="store_true", help="a tenth of all counts: to see that it works")
    add("--scale", type=float, default=1.0, help=argparse.SUPPRESS)
    add("--postgres", choices=["system", "embedded"], default="system", help="whose programs")
    add("--backlog", type=int, default=BACKLOG_JOBS, help="jobs that wait, in the figure degrade")
    add("--out", type=Path, default=HOME / "results", help="folder of the results")
    add("--lock", type=Path, help="a file to lock while measuring, where others measure too")
    return parser


def _names(known: Iterable[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        given = text.split(",")
        if unknown := set(given) - set(known):
            there = ", ".join(known)
            raise argparse.ArgumentTypeError(f"no {', '.join(sorted(unknown))}; there are {there}")
        return given

    return parse


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
