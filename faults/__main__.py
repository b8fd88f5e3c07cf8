"""`python -m faults [NAME ...]`: plays faults and judges them; `--list` names them, `soak` mixes them for hours."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import signal
import sys
import traceback
from pathlib import Path

import structlog

from .fault import Fault, load
from .fleet import ROOT
from .history import check
from .play import play
from .report import table
from .soak import CHAPTER_SECONDS, JOBS_PER_SECOND, soak
from .witness import read

OUT = ROOT / "build" / "faults"


def main(arguments: list[str]) -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.judge:
        return _judge(chosen.judge)
    if chosen.table:
        print(table(chosen.table))
        return 0
    if chosen.names == ["soak"]:
        return asyncio.run(_soak(chosen))
    faults = load()
    if chosen.list:
        print(
            "\n".join(
                f"{fault.name:<14} {fault.title} ({fault.seconds:g} s)" for fault in faults.values()
            )
        )
        return 0
    unknown = [name for name in chosen.names if name not in faults]
    if unknown:
        parser.error(f"no fault {', '.join(unknown)}; `--list` names them")
    fleet = [name for name in faults if name.startswith("fleet-") and chosen.fleet]
    wanted = [faults[name] for name in [*chosen.names, *fleet]] or (
        list(faults.values()) if chosen.all else []
    )
    if not wanted:
        parser.error("name some faults, or --all; `--list` names them")
    return asyncio.run(_play(wanted, chosen))


def _end_in_order() -> None:
    """Daemons and the server must not outlive us."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


async def _soak(chosen: argparse.Namespace) -> int:
    _end_in_order()
    print(f"seed {chosen.seed}", flush=True)
    held = await soak(
        chosen.hours,
        chosen.out / "soak",
        seed=chosen.seed,
        postgres=chosen.postgres,
        chapter_seconds=chosen.seconds or CHAPTER_SECONDS,
        jobs_per_second=chosen.rate,
    )
    return 0 if held else 1


async def _play(wanted: list[Fault], chosen: argparse.Namespace) -> int:
    _end_in_order()
    broken = 0
    for fault in wanted:
        try:
            verdict = await play(
                fault,
                chosen.out / fault.name,
                seed=chosen.seed,
                seconds=chosen.seconds,
                postgres=chosen.postgres,
            )
        except Exception:  # a boundary: one that cannot be played must not hide the others
            print(f"{fault.name} could not be played", flush=True)
            traceback.print_exc()
            broken += 1
            continue
        print(verdict.line(), flush=True)
        broken += not verdict.valid
    print(
        f"seed {chosen.seed}; what was seen is in {chosen.out}"
        + (f"; {broken} of {len(wanted)} BROKEN" if broken else "")
    )
    return 1 if broken else 0


def _judge(file: Path) -> int:
    """Judge the events of an earlier run again."""
    verdict = check(read(file))
    print(verdict)
    return 0 if verdict["valid"] else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="faults to play, one after the other"
    )
    parser.add_argument("--all", action="store_true", help="all of them")
    parser.add_argument("--fleet", action="store_true", help="those with several machines")
    parser.add_argument("--list", action="store_true", help="name them")
    parser.add_argument(
        "--seed",
        type=int,
        default=random.randrange(1_000_000),
        help="the same seed makes the same choices",
    )
    parser.add_argument(
        "--seconds", type=float, help="how long each fault (or chapter of a soak) goes on"
    )
    parser.add_argument("--postgres", choices=["embedded", "system"], default="embedded")
    parser.add_argument(
        "--out", type=Path, default=OUT, help="where the events, logs and verdicts go"
    )
    parser.add_argument(
        "--judge", type=Path, metavar="EVENTS", help="judge an earlier run's events.jsonl again"
    )
    parser.add_argument(
        "--table", type=Path, nargs="+", metavar="FOLDER", help="a table of the verdicts in folders of earlier runs"
    )  # fmt: skip
    parser.add_argument("--hours", type=float, default=8.0, help="how long a soak goes on")
    parser.add_argument(
        "--rate", type=float, default=JOBS_PER_SECOND, help="jobs a second that a soak's clients insert"
    )  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
