"""`make recording`: docs/pictures/recording.svg, a job that is watched while its daemon is killed; everything in it happened."""

import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bellhand.dev.postgres import DevPostgres
from support import ROOT
from terminal import Screen, svg

FILE = ROOT / "docs" / "pictures" / "recording.svg"
COLUMNS, ROWS_ABOVE, FRAME_SECONDS, LAST_SECONDS = 92, 11, 0.2, 3.0
CONFIG = """
modules = ["bellhand.dev.demo"]
[worker]
lease_seconds = 3
heartbeat_seconds = 1
[status]
port = 0
"""
REGIONS = ["north", "north-east", "east", "south", "south-west", "west"]
PAYLOAD = json.dumps({"regions": REGIONS, "step_seconds": 1.2})
TITLE = "A job goes on after kill -9"
TEXT = (
    "A terminal: a job is inserted with psql and watched. Its bar grows step by step. The daemon is killed with kill -9 "
    "and started again; after the lease of three seconds the job goes on with the step that was under way. None of the "
    "finished steps runs again, and it completes."
)


class Film:
    """A screen that several write to, and what it showed when."""

    def __init__(self) -> None:
        self.screen, self.lock = Screen(), threading.Lock()
        self.began = time.monotonic()
        self.frames: list[tuple[float, tuple[str, ...]]] = []
        self.below: list[str] = []

    def write(self, text: str) -> None:
        with self.lock:
            self.screen.write(text)

    def type(self, text: str) -> None:
        """A line in the second terminal, which lies below."""
        with self.lock:
            self.below.append(text)

    def look(self) -> None:
        """Keep what is shown now, if it is another picture."""
        with self.lock:
            other = Screen()
            other.write("\r\n".join(["\x1b[2m" + "─" * COLUMNS + "\x1b[0m", *self.below]))
            above = self.screen.picture()
            shown = (*above, *[""] * (ROWS_ABOVE - len(above)), *other.picture())
        if not self.frames or self.frames[-1][1] != shown:
            self.frames.append((time.monotonic() - self.began, shown))


def main() -> None:
    """Act, watch, draw."""
    with tempfile.TemporaryDirectory() as name, DevPostgres(durable=False) as server:
        folder, dsn = Path(name), server.create_database("recording")
        (folder / "config.toml").write_text(CONFIG)
        env = {**os.environ, "BELLHAND_DSN": dsn, "COLUMNS": str(COLUMNS), "CLICOLOR_FORCE": "1", "TERM": "xterm-256color"}  # fmt: skip
        bellhand = [sys.executable, "-m", "bellhand"]
        subprocess.run([*bellhand, "migrate", "--quiet"], env=env, cwd=folder, check=True)

        def daemon() -> subprocess.Popen[bytes]:
            with (folder / "log").open("ab") as log:
                return subprocess.Popen([*bellhand, "run"], env=env, cwd=folder, stdout=log, stderr=log)  # fmt: skip

        at_work = daemon()
        until(lambda: b"ready" in (folder / "log").read_bytes())
        film = Film()
        film.type(
            f"\x1b[32m$\x1b[0m bellhand run   \x1b[2m# the daemon, process {at_work.pid}\x1b[0m"
        )
        insert = f"insert into bellhand.jobs (kind, payload) values ('demo.report', '{PAYLOAD}')"
        subprocess.run([server.psql, "-qX", dsn, "-c", insert], env=env, check=True)
        film.write("\x1b[32m$\x1b[0m psql -c \"insert into bellhand.jobs (kind, payload) values ('demo.report', '{...}')\"\r\n")  # fmt: skip
        film.write("\x1b[32m$\x1b[0m bellhand watch 1\r\n")
        watching = watch(bellhand, env, folder, film)
        second = time.monotonic()
        script: list[tuple[float, Callable[[], None]]] = []
        holder = [at_work]

        def kill() -> None:
            film.type(f"\x1b[32m$\x1b[0m kill -9 {holder[0].pid}")
            holder[0].send_signal(signal.SIGKILL)
            holder[0].wait()

        def again() -> None:
            holder[0] = daemon()
            film.type(f"\x1b[32m$\x1b[0m bellhand run   \x1b[2m# again, process {holder[0].pid}; its lease was 3 s (30 unless set)\x1b[0m")  # fmt: skip

        script = [(4.3, kill), (5.5, again)]
        while watching.poll() is None:
            film.look()
            if script and time.monotonic() - second > script[0][0]:
                script.pop(0)[1]()
            time.sleep(FRAME_SECONDS)
        holder[0].terminate()
        holder[0].wait()
        film.look()
        steps = "select name, attempts from bellhand.steps where job = 1 order by position"
        print(subprocess.run([server.psql, "-qXAt", dsn, "-c", steps], env=env, check=True, capture_output=True, text=True).stdout)  # fmt: skip
    seconds = film.frames[-1][0] + LAST_SECONDS
    FILE.write_text(svg(film.frames, COLUMNS, seconds, title=TITLE, text=TEXT))
    print(f"{FILE}: {len(film.frames)} pictures, {seconds:.0f} s, {FILE.stat().st_size} bytes")


def watch(bellhand: list[str], env: dict[str, str], folder: Path, film: Film) -> subprocess.Popen[bytes]:  # fmt: skip
    """`bellhand watch 1` in a terminal of its own, which writes into the film."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen([*bellhand, "watch", "1"], env=env, cwd=folder, stdout=theirs, stderr=theirs)  # fmt: skip
    os.close(theirs)

    def read() -> None:
        with suppress(OSError):
            while heard := os.read(ours, 65536):
                film.write(heard.decode())

    threading.Thread(target=read, daemon=True).start()
    return child


def until(what: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.1)


if __name__ == "__main__":
    main()
