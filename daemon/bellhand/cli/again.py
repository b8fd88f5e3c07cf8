"""`--watch`: the same look again and again, until Ctrl-C."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated

from cyclopts import Parameter

from bellhand.cli.errors import Unreachable, translated
from bellhand.cli.output import plain, tell

LOOKS_APART_SECONDS = 2.0
HOME, CLEAR_BELOW = "\x1b[H", "\x1b[J"
Watch = Annotated[
    bool, Parameter(negative=(), help="Look again every 2 seconds until Ctrl-C; on a terminal in place.")
]  # fmt: skip


async def again(look: Callable[[], Awaitable[int]]) -> int:
    """Looks for ever; a database that is away is said and waited for."""
    live = sys.stdout.isatty()
    if live:
        sys.stdout.write("\n" * 200)  # what was there before can still be scrolled to
    while True:
        if live:
            sys.stdout.write(HOME + CLEAR_BELOW)
        try:
            await look()
        except Exception as error:
            problem = translated(error)
            if not isinstance(problem, Unreachable):
                raise
            tell(f"{plain(problem.what)}: {plain(problem.why)}; trying again")
        sys.stdout.flush()
        await asyncio.sleep(LOOKS_APART_SECONDS)
