"""A streaming replica of the stage's server, and its promotion once the primary is dead."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from bellhand.dev.postgres import DevPostgres

from .client import LOST
from .crashes import children
from .fault import Skip
from .stage import DATABASE, Stage

COPY_SECONDS = 60.0
CAUGHT_UP = """
select coalesce(bool_and(replay_lsn = pg_current_wal_lsn()), false) from pg_stat_replication where state = 'streaming'
"""


class Replica:
    """`server` follows the stage's own until `promote`; `dsn` names both hosts and asks for the one that takes writes."""

    def __init__(self, stage: Stage, server: DevPostgres) -> None:
        self.stage = stage
        self.server = server
        primary = urlsplit(stage.server.dsn_for(DATABASE, tcp=True))
        host = f"127.0.0.1:{primary.port},127.0.0.1:{server.port}"
        who = primary.netloc.rpartition("@")[0]
        self.dsn = f"postgresql://{who}@{host}/{DATABASE}?target_session_attrs=read-write"
        self.receiver = 0

    async def caught_up(self) -> None:
        """Wait until it has everything."""
        await self.stage.until(lambda: self.stage.value(CAUGHT_UP), 30, "the replica has caught up")

    def freeze(self) -> None:
        """From now on, until `thaw` or `promote`, nothing more reaches it: its receiver stands still."""
        for pid in children(self.server.pid or 0):
            if b"walreceiver" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGSTOP)
                self.receiver = pid
        self.stage.must(self.receiver > 0, "no_receiver")

    def thaw(self) -> None:
        """It goes on."""
        if self.receiver:
            with suppress(ProcessLookupError):
                os.kill(self.receiver, signal.SIGCONT)
        self.receiver = 0

    async def promote(self) -> None:
        """It takes writes from now on, and is what the stage looks at."""
        if self.receiver:
            with suppress(ProcessLookupError):  # what it has not written down by now is lost
                os.kill(self.receiver, signal.SIGTERM)
                os.kill(self.receiver, signal.SIGCONT)
        conn = await asyncpg.connect(self.server.dsn, timeout=10)
        try:
            await conn.execute("select pg_promote(wait => true, wait_seconds => 30)", timeout=40)
        finally:
            conn.terminate()
        self.stage.dsn = self.server.dsn_for(DATABASE)


async def _copy(stage: Stage, home: Path) -> None:
    """A base backup of the primary, with what makes it follow."""
    owner = stage.server.data.owner()
    who: dict[str, Any] = {"user": owner, "group": owner} if os.geteuid() == 0 else {}
    if who:
        shutil.chown(home, owner, owner)
    place = urlsplit(stage.server.dsn).query
    options = dict(pair.split("=") for pair in place.split("&"))
    child = await asyncio.create_subprocess_exec(
        str(stage.server.programs / "pg_basebackup"), "-h", options["host"], "-p", options["port"], "-U", options["user"],
        "-D", str(home / "data"), "-R", "-X", "stream", "-c", "fast",
        cwd=home, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, **who,
    )  # fmt: skip
    async with asyncio.timeout(COPY_SECONDS):
        said, _ = await child.communicate()
    if child.returncode:
        raise Skip(f"pg_basebackup: {said.decode(errors='replace').strip()}")
    shutil.copy(stage.server.home / "password", home / "password")


@asynccontextmanager
async def replica(stage: Stage, *, listen: str = "127.0.0.1") -> AsyncIterator[Replica]:
    """A replica that streams from the stage's server, and listens at these addresses."""
    if not (stage.server.programs / "pg_basebackup").exists():
        raise Skip("these programs of Postgres have no pg_basebackup")
    home = Path(tempfile.mkdtemp(prefix="bellhand-replica-"))
    settings = stage.server.settings | {"listen_addresses": listen}
    server = DevPostgres(
        home, prefer=stage.server.prefer, durable=True, tcp=True, settings=settings
    )
    try:
        await _copy(stage, home)
        await asyncio.to_thread(server.start)
        made = Replica(stage, server)
        await made.caught_up()
        yield made
    finally:
        with suppress(*LOST):
            await asyncio.to_thread(server.close)
        shutil.rmtree(home, ignore_errors=True)
