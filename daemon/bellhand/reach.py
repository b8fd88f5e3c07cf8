"""Opens a connection to the first of a DSN's hosts that fits, and gives each its share of the time.

asyncpg would wait for the first one as long as there is time: a primary whose machine is gone without a word would keep us
from the one that was promoted.
"""

from __future__ import annotations

import asyncio
import getpass
import os
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import asyncpg

# What may be different at the next host.
_NOT_HERE = (
    OSError, TimeoutError, asyncpg.TargetServerAttributeNotMatched, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError,
)  # fmt: skip


def each_host(dsn: str) -> list[str]:
    """The DSN once for each host that it names, in their order; as it is if it names one, or cannot be read."""
    try:
        parts = urlsplit(dsn)
    except ValueError:
        return [dsn]
    who, at, places = parts.netloc.rpartition("@")
    if "," in places:
        return [parts._replace(netloc=who + at + place).geturl() for place in places.split(",")]
    query = dict(parse_qsl(parts.query))
    hosts, ports = query.get("host", "").split(","), query.get("port", "").split(",")
    if len(hosts) == 1 or len(ports) not in (1, len(hosts)):
        return [dsn]
    found = []
    for number, host in enumerate(hosts):
        own = query | {"host": host}
        if ports != [""]:
            own["port"] = ports[number if len(ports) > 1 else 0]
        place = (
            f"{parts.scheme}://{parts.netloc}{parts.path}"  # geturl would leave out an empty netloc
        )
        found.append(f"{place}?{urlencode(own, quote_via=quote)}")
    return found


def role_of(dsn: str) -> str:
    """Who a DSN connects as, as libpq and asyncpg find it: what it says, else $PGUSER, else the system's user."""
    parts = urlsplit(dsn)
    said = dict(parse_qsl(parts.query)).get("user") or unquote(parts.username or "")
    return said or os.environ.get("PGUSER") or getpass.getuser()


async def reach(dsn: str, seconds: float, *, first: int = 0, **how: Any) -> tuple[asyncpg.Connection, int]:  # fmt: skip
    """A connection and the number of the host that gave it; host number `first` is asked first. `how` is asyncpg.connect's.

    Raises what asyncpg raises; where several hosts fail, what the last of them said.
    """
    ways = each_host(dsn)
    share = seconds / len(ways)
    for turn in range(len(ways)):
        number = (first + turn) % len(ways)
        try:
            async with asyncio.timeout(share):
                return await asyncpg.connect(ways[number], timeout=share, **how), number
        except _NOT_HERE:
            if turn == len(ways) - 1:
                raise
    raise AssertionError("a DSN has a host")
