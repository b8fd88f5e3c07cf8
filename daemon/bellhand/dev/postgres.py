"""A Postgres of our own for development and tests: no system service, no container, no set-up.

The server belongs to the process that starts it. A shell holds the other end of a pipe: however
that process ends, the pipe closes and the shell stops the server.
"""

import hashlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bellhand.dev.programs import (
    NoPostgres,
    Preference,
    copy_programs,
    find_programs,
    major_version,
    roomy,
)

ROLE = "postgres"
DATABASE = "bellhand"
SOCKET_FOLDER_BYTES_MAX = 85  # the whole path of a socket may have 107
INITDB_SECONDS = 60
START_SECONDS = 30
STOP_SECONDS = 20
TRIES_APART_SECONDS = 0.01
MEMORY = "/dev/shm"  # noqa: S108 (mkdtemp makes unguessable folders in these)
TEMPORARY = ("/tmp", "/var/tmp", MEMORY)  # noqa: S108

# Runs "$@" until it ends, or until standard input closes because our owner is gone; then a
# temporary home ($1, else empty) goes too.
KEEPER = """
home=$1; shift
exec 3<&0
"$@" 3<&- </dev/null & server=$!
trap 'gone=1; kill -INT "$server" 2>/dev/null' TERM
(read -r _; kill -TERM $$) <&3 & watch=$!
wait "$server"; code=$?
if [ -n "$gone" ]; then wait "$server"; [ -z "$home" ] || rm -rf "$home"; fi
kill "$watch" 2>/dev/null
exit "$code"
"""

# What is thrown away after the tests need not survive a power cut.
FORGETFUL = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


def dsn_of(home: Path, database: str = DATABASE) -> str | None:
    """How to reach the server that runs in `home`, started by any process; None if none runs."""
    with suppress(OSError, ValueError, IndexError):
        lines = (place_of(home) / "data" / "postmaster.pid").read_text().splitlines()
        with suppress(PermissionError):
            os.kill(int(lines[0]), 0)
        if lines[7].strip() == "ready":
            return f"postgresql:///{database}?host={lines[4]}&port={lines[3]}&user={ROLE}"
    return None


def place_of(home: Path) -> Path:
    """Where the data of `home` really is: elsewhere if that is closed to the server's user.

    Only under root, whose server runs as somebody else; one place for each home, so that it is
    found again.
    """
    home = home.absolute()
    if os.geteuid() != 0:
        return home
    user = _unprivileged()
    for parent in home.parents:
        with suppress(FileNotFoundError):
            status = parent.stat()
            mine = 0o100 if status.st_uid == user.pw_uid else 0o001
            if not status.st_mode & mine:
                digest = hashlib.sha256(bytes(home)).hexdigest()[:8]
                return Path("/var/lib") / f"{DATABASE}-dev-{digest}"
    return home


class DevPostgres:
    """One server: `start`, `stop` (keeps the data), `close` (and removes a temporary home).

    `home` holds the data (see place_of); None makes a temporary one. As root the server runs as
    `postgres` or `nobody`, who then owns it. `tcp=True` also listens on 127.0.0.1, with a password.
    """

    def __init__(
        self,
        home: Path | None = None,
        *,
        prefer: Preference = "system",
        durable: bool = True,
        tcp: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.prefer: Preference = prefer
        self.durable = durable
        self.tcp = tcp
        self.settings = dict(settings or {})
        self.temporary = home is None
        self.port = _free_port() if tcp else 5432
        self.password = ""
        self._home = place_of(home) if home else None
        self._programs: Path | None = None
        self._sockets: Path | None = None
        self._shell: subprocess.Popen[bytes] | None = None
        self._user = _unprivileged() if os.geteuid() == 0 else None

    # What there is, once started

    @property
    def home(self) -> Path:
        assert self._home, "not started yet"
        return self._home

    @property
    def programs(self) -> Path:
        assert self._programs, "not started yet"
        return self._programs

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def dsn(self) -> str:
        """Of the maintenance database, over the socket, as a superuser."""
        return self.dsn_for("postgres")

    def dsn_for(self, database: str, *, tcp: bool = False) -> str:
        """How to reach one database, over the socket unless `tcp`."""
        if tcp:
            assert self.tcp, "this server does not listen on TCP"
            return f"postgresql://{ROLE}:{self.password}@127.0.0.1:{self.port}/{database}"
        return f"postgresql:///{database}?host={self._sockets}&port={self.port}&user={ROLE}"

    @property
    def psql(self) -> Path:
        return self.programs / "psql"

    @property
    def pid(self) -> int | None:
        """Of the server itself, None while it is down."""
        with suppress(OSError, ValueError, IndexError):
            return int((self.data / "postmaster.pid").read_text().splitlines()[0])
        return None

    # What one does with it

    def start(self) -> None:
        """Starts the server and returns when it answers; makes the data first if there is none."""
        assert self._shell is None, "already started"
        try:
            self._prepare_home()
            self._prepare_programs()
            self._prepare_sockets()
            if not (self.data / "PG_VERSION").exists():
                self._initdb()
            self._launch()
            self._wait_until_ready()
        except BaseException:
            if self.temporary:
                self.close()
            self.stop(immediate=True)
            raise

    def stop(self, *, immediate: bool = False) -> None:
        """Stops the server and keeps its data; `immediate` is as sudden as a crash."""
        shell, self._shell = self._shell, None
        if shell is None:
            return
        assert shell.stdin
        if shell.poll() is None and (pid := self.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT if immediate else signal.SIGINT)
        try:
            shell.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)  # backends end with their parent
            shell.wait(STOP_SECONDS)
        shell.stdin.close()

    def close(self) -> None:
        """Stops the server, and removes its home if it was temporary."""
        self.stop(immediate=not self.durable)
        if self._sockets and self._sockets != self._home:
            shutil.rmtree(self._sockets, ignore_errors=True)
        if self.temporary and self._home:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None
        self._sockets = None

    def create_database(self, name: str) -> str:
        """Makes a database unless it is there, and returns its DSN."""
        listed = self._run([self.psql, "-XAtd", self.dsn, "-c", "\\l"], STOP_SECONDS)
        if not any(line.split("|")[0] == name for line in listed.splitlines()):
            createdb = [self.programs / "createdb", "-h", self._sockets, "-p", str(self.port)]
            self._run([*createdb, "-U", ROLE, name], STOP_SECONDS)
        return self.dsn_for(name)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # How

    def _as_user(self) -> dict[str, Any]:
        # The caller's folder may be closed to that user, and its locale foreign to Postgres.
        how: dict[str, Any] = {"cwd": self.home, "env": {"PATH": os.environ.get("PATH", "")}}
        how["env"]["LC_ALL"] = "C"
        if self._user:
            how |= {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        return how

    def _own(self, path: Path) -> None:
        if self._user:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)

    def _run(self, command: Sequence[Any], seconds: float) -> str:
        """Runs one program as the server's user and returns what it said, stderr included."""
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
            **self._as_user(),
        )
        said = str(done.stdout, errors="replace")
        if done.returncode:
            raise NoPostgres(f"{Path(command[0]).name} failed", why=said.strip(), fix="see above")
        return said

    def _can(self, command: Sequence[Any]) -> bool:
        try:
            self._run(command, INITDB_SECONDS)
        except (NoPostgres, OSError):
            return False
        return True

    def _prepare_home(self) -> None:
        if self._home is None:
            self._home = self._temporary_home()
            return
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if running := dsn_of(self._home):
            raise NoPostgres(
                f"a server already runs in {self._home}",
                why="two servers cannot share one folder of data",
                fix=f"use that one ({running}), or stop it, or choose another folder",
            )
        self._own(self._home)
        if not self._can(["/bin/sh", "-c", 'test -w "$0"', self._home]):
            raise NoPostgres(
                f"{self._home} is out of reach for the user who runs Postgres",
                why="Postgres refuses to run as root, so it runs as postgres or nobody",
                fix="choose another folder, or run this as an ordinary user",
            )

    def _temporary_home(self) -> Path:
        """A new folder that the server's user can reach; a private $TMPDIR may be closed to it."""
        places = [tempfile.gettempdir(), *TEMPORARY]
        if not self.durable and "TMPDIR" not in os.environ and roomy(MEMORY):
            places.insert(0, MEMORY)  # a database a test: copying one takes a tenth of the time
        for parent in dict.fromkeys(places):
            with suppress(OSError):
                self._home = Path(tempfile.mkdtemp(prefix="bellhand-", dir=parent))
                self._own(self._home)
                if self._can(["/bin/sh", "-c", 'test -w "$0"', self._home]):
                    return self._home
                shutil.rmtree(self._home, ignore_errors=True)
        raise NoPostgres(
            "no folder for temporary data",
            why="neither $TMPDIR nor /tmp can be written by the server's user",
            fix="set TMPDIR to a folder that everybody may reach",
        )

    def _prepare_programs(self) -> None:
        if self._programs:
            return
        try:
            major = int((self.data / "PG_VERSION").read_text())
        except OSError:
            major = None
        self._programs = find_programs(self.prefer, major)
        if not self._can([self._programs / "postgres", "-V"]):
            name = f"postgresql-{major_version(self._programs)}"
            self._programs = copy_programs(self._programs, self.home / name)

    def _prepare_sockets(self) -> None:
        if self._sockets is None:
            self._sockets = self.home
            if len(bytes(self.home)) > SOCKET_FOLDER_BYTES_MAX:
                self._sockets = Path(tempfile.mkdtemp(prefix="bh-", dir=TEMPORARY[0]))
                self._own(self._sockets)

    def _initdb(self) -> None:
        # In two steps, so that a half-made folder is never taken for a database.
        half = self.home / "data.new"
        shutil.rmtree(half, ignore_errors=True)
        word = self.home / "password"
        word.touch(mode=0o600)
        word.write_text(secrets.token_urlsafe(24))
        self._own(word)
        initdb = [self.programs / "initdb", "-D", half, "-U", ROLE, "-E", "UTF8", "--locale=C"]
        initdb += ["--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={word}"]
        self._run([*initdb, *([] if self.durable else ["--no-sync"])], INITDB_SECONDS)
        half.rename(self.data)

    def _launch(self) -> None:
        if self.tcp:
            self.password = (self.home / "password").read_text().strip()
        options = {
            "listen_addresses": "127.0.0.1" if self.tcp else "",
            "port": str(self.port),
            "unix_socket_directories": str(self._sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "cluster_name": DATABASE,
            **({} if self.durable else FORGETFUL),
            **self.settings,
        }
        server = [str(self.programs / "postgres"), "-D", str(self.data)]
        server += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        doomed = str(self.home) if self.temporary else ""
        with (self.home / "log").open("ab") as log:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", KEEPER, "bellhand-postgres", doomed, *server],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us; we stop the server when we are done
                **self._as_user(),
            )

    def _wait_until_ready(self) -> None:
        assert self._shell
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if dsn_of(self.home):
                return
            if self._shell.poll() is not None:
                break
            time.sleep(TRIES_APART_SECONDS)
        said = (self.home / "log").read_text(errors="replace").splitlines()
        raise NoPostgres(
            f"Postgres did not start in {self.home}",
            why=" / ".join(said[-5:]) or f"it said nothing in {START_SECONDS} s",
            fix="see why" if self.temporary else f"read {self.home / 'log'}",
        )


def _unprivileged() -> pwd.struct_passwd:
    """Postgres refuses to run as root: the user it runs as instead."""
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise NoPostgres(
        "no user to run Postgres as",
        why="it refuses to run as root, and there is neither a user postgres nor nobody",
        fix="run this as an ordinary user",
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
