"""pgbench, which comes with Postgres: producers that cost little themselves."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from .place import Place

GRACE_SECONDS = 60


class PgbenchFailed(Exception):
    """pgbench did not end well."""


@dataclass(frozen=True)
class Ran:
    """Transactions that committed, and how many a second without the time to connect."""

    transactions: int
    per_second: float


async def pgbench(
    place: Place,
    script: str,
    *,
    clients: int,
    seconds: int | None = None,
    transactions: int | None = None,
) -> Ran:
    """Runs one script over and over: for so long, or so many times a client."""
    path = place.folder / "script.sql"
    path.write_text(script)
    how_long = ["-T", str(seconds)] if seconds else ["-t", str(transactions)]
    threads = min(clients, 2)
    options = f"-n -M prepared -c {clients} -j {threads}".split() + how_long
    process = await asyncio.create_subprocess_exec(
        str(place.server.programs / "pgbench"), *options, "-f", str(path), env=place.environment,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout((seconds or 0) + GRACE_SECONDS):
            said = (await process.communicate())[0].decode(errors="replace")
    except TimeoutError:
        process.kill()
        await process.wait()
        raise PgbenchFailed(f"it did not end within {GRACE_SECONDS} s of its time") from None
    return read(said, process.returncode or 0)


def read(said: str, code: int) -> Ran:
    """The figures in what pgbench printed."""
    done = re.search(r"transactions actually processed: (\d+)", said)
    rate = re.search(r"tps = ([\d.]+) \(without", said)
    if code or not done or not rate:
        raise PgbenchFailed(f"exit code {code}:\n{said[-2000:]}")
    return Ran(int(done[1]), float(rate[1]))
