"""The comparing process, seen from the job: started, asked, and killed when the job stops.

Comparing large catalogues takes minutes of CPU, and no thread can be taken back from numpy.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

LINE_BYTES_MAX = 64 * 1024 * 1024
STDERR_CHARS_MAX = 2_000
# Enough to find Python's modules; nothing that could open the database.
PASSED_ON = ("PATH", "LANG", "LC_ALL", "HOME", "TMPDIR", "LD_LIBRARY_PATH")


class CompareError(Exception):
    """The comparing process said what it cannot do, or died."""


class ComparingProcess:
    """One request at a time, each answered by one line."""

    def __init__(self, child: Process) -> None:
        self._child = child
        self._turn = asyncio.Lock()

    async def ask(self, what: str, **more: Any) -> Any:
        """The answer to a request; raises CompareError."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        async with self._turn:
            line = json.dumps({"ask": what, **more}).encode() + b"\n"
            try:
                self._child.stdin.write(line)
                await self._child.stdin.drain()
                answered = await self._child.stdout.readline()
            except (OSError, ValueError) as error:
                raise CompareError(f"the comparing process cannot be talked to: {error}") from error
            if not answered:
                raise CompareError(f"the comparing process died: {await self._last_words()}")
            told = json.loads(answered)
            if "error" in told:
                raise CompareError(told["error"])
            return told["answer"]

    async def _last_words(self) -> str:
        assert self._child.stderr is not None
        said = (await self._child.stderr.read()).decode(errors="replace").strip()
        return said[-STDERR_CHARS_MAX:] or f"exit code {await self._child.wait()}"


@asynccontextmanager
async def comparing(memory_bytes_max: int) -> AsyncIterator[ComparingProcess]:
    """A comparing process; it is killed and reaped on the way out, whatever it does then."""
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment |= {
        "PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path),
        "MALLOC_ARENA_MAX": "1",
        # The work is sparse and gains nothing from threads, which a memory limit counts in full.
        "OPENBLAS_NUM_THREADS": "1",
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"{__package__}.compare", str(memory_bytes_max),
        stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment, limit=LINE_BYTES_MAX, start_new_session=True,
    )  # fmt: skip
    try:
        yield ComparingProcess(child)
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await asyncio.shield(child.wait())
