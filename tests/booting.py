"""A machine of its own under a real systemd: Debian's root in namespaces of this machine's kernel, with its own processes,
mounts, network (loopback alone), cgroups and journal. Needs root, debootstrap (and its mirror, once) and overlayfs."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from support import ROOT

HERE = ROOT / "build" / "machine"
BASE = HERE / "bookworm"
PACKAGES = "systemd,systemd-sysv,dbus,postgresql,python3.11"
BOOT_SECONDS, RUN_SECONDS = 60, 120
HOST_CGROUPS = Path("/sys/fs/cgroup")
NEEDED = ("debootstrap", "unshare", "nsenter", "pivot_root", "setpriv", "ip")
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}  # fmt: skip
# Runs as process 1 of the new namespaces, and becomes systemd.
BOOT = r"""
set -eu
root=$1 base=$2 layers=$3 console=$4 name=$5; shift 5
mount -t overlay machine -o "lowerdir=$base,upperdir=$layers/upper,workdir=$layers/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 dev "$root/dev"
for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
  IFS=: read -r what major minor <<END
$node
END
  mknod -m 666 "$root/dev/$what" c "$major" "$minor"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
mount -t tmpfs -o mode=755 run "$root/run"
: > "$root/dev/console"
mount --bind "$console" "$root/dev/console"
if [ "$#" = 0 ]; then
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else  # controllers of the first version, where systemd 252 still uses them
  mount -t tmpfs -o mode=755 cgroups "$root/sys/fs/cgroup"
  mkdir "$root/sys/fs/cgroup/unified"
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/unified"
  for one in "$@"; do
    mkdir "$root/sys/fs/cgroup/$one"
    case $one in systemd) options=none,name=systemd ;; *) options=$one ;; esac
    mount -t cgroup -o "$options" cgroup "$root/sys/fs/cgroup/$one"
  done
fi
echo "$name" > "$root/etc/hostname"
cd "$root"
pivot_root . mnt
# Shared, as a kernel's start leaves it: systemd hands secrets to its services through that.
exec chroot . /bin/sh -c 'umount -l /mnt; mount --make-rshared /; exec env -i container=machine /lib/systemd/systemd' </dev/console >/dev/console 2>&1
"""


def why_not() -> str:
    """Why no machine can be booted here; empty if one can."""
    if os.geteuid() != 0:
        return "it needs root, for namespaces and mounts"
    if missing := [word for word in NEEDED if shutil.which(word) is None]:
        return (
            f"there is no {', no '.join(missing)} (apt-get install debootstrap util-linux iproute2)"
        )
    if not os.access(HOST_CGROUPS, os.W_OK) or not _is_writable():
        return "this machine's cgroups are not ours to divide"
    return ""


def _is_writable() -> bool:
    try:
        (probe := _groups("probe")[0]).mkdir()
        probe.rmdir()
    except (OSError, IndexError):
        return False
    return True


def _groups(name: str) -> list[Path]:
    """A cgroup of that name below ours, in every hierarchy that is mounted."""
    found = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top = HOST_CGROUPS / "unified"
            top = top if top.is_dir() else HOST_CGROUPS
        else:
            top = HOST_CGROUPS / controllers.removeprefix("name=")
        # cpuset and freezer are of no use to systemd, and a new cpuset of the first version takes no process.
        if top.is_dir() and controllers not in ("cpuset", "freezer"):
            found.append(top / path.lstrip("/") / f"bellhand-{name}-{os.getpid()}")
    return found


def base() -> Path:
    """Debian as debootstrap makes it, once."""
    if not (BASE / "made").exists():
        shutil.rmtree(BASE, ignore_errors=True)
        BASE.mkdir(parents=True)
        # Without a language Postgres would make its cluster for ASCII alone.
        words = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", BASE]
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"})  # fmt: skip
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        (BASE / "made").touch()
    return BASE


@dataclass
class Machine:
    """One machine; what it writes lies in `folder` and is kept over its reboots."""

    folder: Path
    name: str = "machine"
    console: list[bytes] = field(default_factory=list)
    _init: int = 0
    _outer: subprocess.Popen[bytes] | None = None
    _terminal: int | None = None

    def __enter__(self) -> Self:
        for name in ("root", "layers/upper", "layers/work"):
            (self.folder / name).mkdir(parents=True)
        self.boot()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:  # fmt: skip
        self.off()
        shutil.rmtree(self.folder, ignore_errors=True)

    def boot(self) -> None:
        """Switch it on; returns once systemd has started all that it starts."""
        ours, theirs = pty.openpty()
        groups = _groups(self.name)
        for group in groups:
            group.mkdir(exist_ok=True)
        names = [group.relative_to(HOST_CGROUPS).parts[0] for group in groups]
        controllers = [name for name in names if name != "unified"] if "unified" in names else []
        enter = "".join(f"echo $$ > {group}/cgroup.procs; " for group in groups)
        words = ["unshare", "--fork", "--kill-child", "--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup", "sh", "-c", BOOT, "boot",
                 self.folder / "root", base(), self.folder / "layers", os.ttyname(theirs), self.name, *controllers]  # fmt: skip
        # However we end, it does not outlive us.
        self._outer = subprocess.Popen(
            ["sh", "-c", f'{enter}exec setpriv --pdeathsig KILL "$@"', "enter", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._terminal = theirs  # while nobody has this end open, the other one reads an error
        threading.Thread(target=self._listen, args=(ours,), daemon=True).start()
        try:
            self._await_boot()
        except BaseException:
            self.off()
            raise

    def _listen(self, terminal: int) -> None:
        with suppress(OSError):
            while heard := os.read(terminal, 4096):
                self.console.append(heard)
        os.close(terminal)

    def _await_boot(self) -> None:
        assert self._outer
        until = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < until:
            if self._outer.poll() is not None:
                assert self._outer.stdout
                raise AssertionError(f"it did not boot: {self._outer.stdout.read().decode()} {self.said()}")  # fmt: skip
            children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text()
            if children and Path(f"/proc/{children.strip()}/comm").read_text() == "systemd\n":
                self._init = int(children)
                state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
                if state in ("running", "degraded"):
                    return
            time.sleep(0.1)
        raise AssertionError(f"it did not boot within {BOOT_SECONDS} s: {self.said()}")

    def said(self) -> str:
        """The end of what it wrote on its console."""
        return b"".join(self.console).decode(errors="replace")[-4000:]

    def run(
        self, *words: object, check: bool = True, stdin: str = "", env: dict[str, str] | None = None, seconds: float = RUN_SECONDS
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """A command as root in it; AssertionError with all that it said if it fails."""
        enter = ["nsenter", f"--target={self._init}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--", "env", "--chdir=/"]  # fmt: skip
        done = subprocess.run(
            [*enter, *map(str, words)], input=stdin, env=ENVIRONMENT | (env or {}), capture_output=True, text=True,
            timeout=seconds, check=False,
        )  # fmt: skip
        if check:
            assert done.returncode == 0, f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}"  # fmt: skip
        return done

    def reach(self, address: str) -> None:
        """Give it an address of its own."""
        enter = ["nsenter", f"--target={self._init}", "--net", "--"]
        subprocess.run([*enter, "ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)

    def out(self, *words: object, **more: object) -> str:
        """What a command prints."""
        return self.run(*words, **more).stdout.strip()  # type: ignore[arg-type]

    def path(self, name: str) -> Path:
        """A file of its own, as this machine sees it, through its process 1."""
        return Path(f"/proc/{self._init}/root") / name.lstrip("/")

    def reboot(self, words: Sequence[str] = ("systemctl", "reboot")) -> None:
        """Have it go down by itself, and switch it on again."""
        assert self._outer
        self.run(*words, check=False)
        self._outer.wait(BOOT_SECONDS)
        self._forget()
        self.boot()

    def off(self) -> None:
        """Pull the plug."""
        if self._outer:
            self._outer.kill()  # its child goes with it, and with that the whole namespace
            self._outer.wait(BOOT_SECONDS)
        self._forget()

    def _forget(self) -> None:
        if self._outer and self._outer.stdout:
            self._outer.stdout.close()
        if self._terminal is not None:
            os.close(self._terminal)
        self._outer, self._init, self._terminal = None, 0, None
        until = time.monotonic() + BOOT_SECONDS
        for group in _groups(self.name):
            for inner in sorted(group.rglob("*"), key=lambda path: -len(path.parts)):
                if inner.is_dir():
                    _remove(inner, until)
            _remove(group, until)


def _remove(group: Path, until: float) -> None:
    """Once the last process in it has gone."""
    while group.is_dir():
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
