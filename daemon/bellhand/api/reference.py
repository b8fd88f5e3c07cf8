"""The pages of the reference, for a daemon: a process of its own makes them, since that imports the whole program, and the daemon keeps their text."""

from __future__ import annotations

import asyncio
import json
import os
import sys

SECONDS_MAX = 60.0
AGAIN_SECONDS = 60.0  # anybody may ask, so what fails is not tried at every question
_ERROR_CHARS_MAX = 300


class NoReference(Exception):
    """It could not be made; the message says why."""


class Reference:
    """Markdown by the names of guides (`reference/sql`), made when somebody first asks."""

    def __init__(self) -> None:
        self._made: dict[str, str] | None = None
        self._making = asyncio.Lock()
        self._failed = ""
        self._again_at = 0.0

    async def pages(self) -> dict[str, str]:
        """All pages; who asks meanwhile waits for the same process. Raises NoReference, which holds for AGAIN_SECONDS."""
        async with self._making:
            if self._made is None:
                clock = asyncio.get_running_loop().time
                if clock() < self._again_at:
                    raise NoReference(self._failed)
                try:
                    self._made = await _make()
                except NoReference as error:
                    self._failed, self._again_at = str(error), clock() + AGAIN_SECONDS
                    raise
            return self._made


async def _make() -> dict[str, str]:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path)
    }
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bellhand.reference", env=environment, start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except OSError as error:
        raise NoReference(str(error)) from error
    try:
        async with asyncio.timeout(SECONDS_MAX):
            text, said = await process.communicate()
    except TimeoutError as error:
        raise NoReference(f"it was not ready within {SECONDS_MAX:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise NoReference(
            f"it ended with {process.returncode}: {said.decode(errors='replace').strip()[-_ERROR_CHARS_MAX:]}"
        )
    made: dict[str, str] = json.loads(text)
    return made
