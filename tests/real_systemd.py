"""`make systemd-test`: the package and the service on a machine of its own that a real systemd runs.

What is played elsewhere (test_systemd, test_units) happens here: systemd starts, watches, reloads, drains, kills and confines it.
The tests stand in the order of a machine's life, and each leaves the service running for the next.
"""

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from booting import Machine, why_not
from packages import newer
from support import ROOT

pytestmark = [
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "it can be done"),
    pytest.mark.timeout(300),
]
# The machine is thrown away, so nothing of it has to be on a disk.
APT = ("apt-get", "install", "-y", "-o", "Dpkg::Options::=--force-unsafe-io")
DSN = "postgresql://bellhand:secret@127.0.0.1/jobs"
HANDLERS, DROP_INS = "/etc/bellhand/handlers", "/etc/systemd/system/bellhand.service.d"
CONFIG = """
modules = ["booted_handlers"]
[worker]
concurrency = 8
lease_seconds = 3
heartbeat_seconds = 1
grace_seconds = 30
kill_grace_seconds = 1
[lanes.leads]
concurrency = 2
"""
REFUSED = {"PermissionError", "OSError", "FileNotFoundError", "ProcessLookupError"}
ALLOWED = {"its state", "its tmp"}


@pytest.fixture(scope="module")
def package() -> Path:
    found = sorted((ROOT / "dist").glob("bellhand_*.deb"), key=lambda file: file.stat().st_mtime)
    assert found, "make deb builds it"
    return found[-1]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, package: Path) -> Iterator[Machine]:
    """Booted, with Postgres, a database for the role bellhand, and the package beside it."""
    with Machine(tmp_path_factory.mktemp("machine") / "it") as booted:
        psql(booted, "create role bellhand login password 'secret'", "postgres")
        psql(booted, "create database jobs owner bellhand", "postgres")
        booted.path("/srv/bellhand.deb").write_bytes(package.read_bytes())
        yield booted


def psql(machine: Machine, statement: str, database: str = "jobs") -> str:
    return machine.out("runuser", "-u", "postgres", "--", "psql", "-qXAtc", statement, database)


def shown(machine: Machine, name: str, unit: str = "bellhand") -> str:
    return machine.out("systemctl", "show", "--value", "--property", name, unit)


def until(what: Any, seconds: float = 30, *, because: str = "") -> Any:
    """What it returns once that is true."""
    end = time.monotonic() + seconds
    while not (seen := what()):
        assert time.monotonic() < end, f"not within {seconds} s: {because}"
        time.sleep(0.2)
    return seen


def active(machine: Machine, unit: str = "bellhand") -> None:
    until(lambda: shown(machine, "ActiveState", unit) == "active", because=f"{unit} is active: {journal(machine)}")  # fmt: skip


def journal(machine: Machine, *words: str) -> str:
    return machine.out("journalctl", "--no-pager", "--output=cat", *(words or ("-u", "bellhand", "-n", "40")))  # fmt: skip


def enqueue(machine: Machine, kind: str, *payload: str) -> int:
    return int(json.loads(machine.out("bellhand", "enqueue", kind, *payload, "--json"))["id"])


def job_of(machine: Machine, job: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(machine.out("bellhand", "show", job, "--json"))
    return found


def ended(machine: Machine, job: int, seconds: int = 40) -> dict[str, Any]:
    machine.run("bellhand", "wait", job, "--timeout", f"{seconds}s", check=False)
    return job_of(machine, job)


def until_runs(machine: Machine, job: int) -> None:
    until(lambda: job_of(machine, job)["state"] == "running", because=f"job {job} runs")


def until_stepped(machine: Machine, job: int, steps: int = 1) -> None:
    count = (
        f"select count(*) >= {steps} from bellhand.steps where job = {job} and state = 'completed'"
    )
    until(lambda: psql(machine, count) == "t", because=f"job {job} has done {steps} steps")


def set_up(machine: Machine, *settings: str) -> None:
    """A drop-in, as `systemctl edit` would write it; none takes it back."""
    place = machine.path(DROP_INS)
    place.mkdir(parents=True, exist_ok=True)
    (place / "test.conf").write_text("\n".join(["[Service]", *settings, ""]))
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "bellhand")


def test_the_package_installs_offline_on_a_bare_debian_and_says_what_is_next(
    machine: Machine,
) -> None:
    said = machine.out(*APT, "/srv/bellhand.deb", seconds=240)
    assert "Next: sudo bellhand install --dsn" in said
    assert machine.out("getent", "passwd", "bellhand").endswith(":/usr/sbin/nologin")
    assert (
        machine.out("stat", "-c", "%A %U:%G", "/etc/bellhand/credentials") == "drwx------ root:root"
    )
    assert shown(machine, "ActiveState") == "inactive", "it knows no database yet"


def test_install_makes_a_service_of_it(machine: Machine) -> None:
    handlers = machine.path(HANDLERS)
    (handlers / "booted_handlers.py").write_bytes((ROOT / "tests/booted_handlers.py").read_bytes())
    machine.path("/etc/bellhand/config.toml").write_text(CONFIG)
    dry = machine.out("bellhand", "install", "--dsn", DSN, "--dry-run")
    assert "secret" not in dry
    assert machine.out("bellhand", "install", "--dsn", DSN) == dry
    assert shown(machine, "ActiveState") == "active", "READY came: systemctl waited for it"
    assert shown(machine, "UnitFileState") == "enabled"
    assert until(lambda: machine.run("bellhand", "health", check=False).stdout.strip()) == "ok"
    assert machine.out("bellhand", "doctor")


def test_systemctl_status_tells_how_it_is(machine: Machine) -> None:
    text = until(lambda: re.search(r"^0/8 busy · 0 pending", shown(machine, "StatusText")))
    assert text, shown(machine, "StatusText")
    assert 'Status: "0/8 busy' in machine.out("systemctl", "status", "bellhand", "--no-pager")


def test_the_journal_knows_the_job(machine: Machine) -> None:
    job, other = (enqueue(machine, "booted.steps", "steps:=2", "seconds:=0") for _ in range(2))
    assert ended(machine, job)["state"] == ended(machine, other)["state"] == "completed"
    lines = [
        json.loads(line)
        for line in machine.out(
            "journalctl", "-t", "bellhand", f"JOB_ID={job}", "--output=json"
        ).splitlines()
    ]
    assert {line["JOB_ID"] for line in lines} == {str(job)}
    assert {line.get("KIND") for line in lines} == {"booted.steps"}, lines
    assert {line["_SYSTEMD_UNIT"] for line in lines} == {"bellhand.service"}
    assert [line["BELLHAND_NUMBER"] for line in lines if line["EVENT"] == "stepped"] == ["0", "1"]
    assert "stepped" in machine.out("bellhand", "logs", job)


def test_the_secret_is_the_daemons_alone(machine: Machine) -> None:
    main = shown(machine, "MainPID")
    assert "secret" not in machine.path(f"/proc/{main}/environ").read_text()
    assert "secret" not in machine.path(f"/proc/{main}/cmdline").read_text()
    assert "secret" not in machine.out("systemctl", "show", "bellhand")
    assert "secret" not in machine.out("journalctl", "--no-pager")
    as_nobody = ("runuser", "-u", "nobody", "--")
    for place in (
        "/etc/bellhand/credentials/dsn",
        "/run/credentials/bellhand.service/bellhand_dsn",
    ):
        assert machine.run(*as_nobody, "cat", place, check=False).returncode != 0


def test_the_sandbox_is_in_force(machine: Machine) -> None:
    """S29: the daemon may write its state, and nothing else; so may what it starts."""
    machine.reach("169.254.169.254")
    ask = "import socket; socket.create_connection(('169.254.169.254', 80), timeout=2)"
    assert "ConnectionRefusedError" in machine.run("python3.11", "-c", ask, check=False).stderr
    for kind in ("booted.probe", "booted.isolated"):
        job = ended(machine, enqueue(machine, kind))
        assert job["state"] == "completed", job["error"]
        came = job["result"]["came"]
        seen = {"its secrets"} if kind == "booted.probe" else set()  # a handler in the daemon may
        assert {name for name, error in came.items() if not error} == ALLOWED | seen, (kind, came)
        assert came.pop("metadata of a cloud") == "TimeoutError", "what is sent there is dropped"
        assert set(came.values()) - {""} <= REFUSED, came


def test_what_it_runs_in_processes_is_capped_and_sees_nothing_of_others(machine: Machine) -> None:
    probe = ended(machine, enqueue(machine, "booted.probe"))["result"]
    assert probe["uid"] == int(machine.out("id", "-u", "bellhand"))
    assert (probe["others"], probe["environment"]) == (0, [])
    fits = ended(machine, enqueue(machine, "booted.isolated", "bytes:=50000000"))
    assert fits["result"]["taken"] == 50_000_000
    assert (
        ended(machine, enqueue(machine, "booted.isolated", "bytes:=500000000"))["state"] == "failed"
    )
    assert shown(machine, "NRestarts") == "0"


def test_reload_takes_the_configuration_in_without_a_restart(machine: Machine) -> None:
    main, config = shown(machine, "MainPID"), machine.path("/etc/bellhand/config.toml")
    config.write_text(CONFIG.replace("concurrency = 8", "concurrency = 5"))
    machine.run("systemctl", "reload", "bellhand")
    until(
        lambda: shown(machine, "StatusText").startswith("0/5 busy"),
        because="the new limit is in force",
    )
    config.write_text("concurency = 1\n")
    machine.run("systemctl", "reload", "bellhand")
    until(
        lambda: "concurency is not a setting" in journal(machine), because="it says what is wrong"
    )
    assert (shown(machine, "MainPID"), shown(machine, "ActiveState")) == (main, "active")
    config.write_text(CONFIG)
    machine.run("systemctl", "reload", "bellhand")


def test_a_stop_waits_for_what_runs_and_asks_for_the_time(machine: Machine) -> None:
    set_up(machine, "TimeoutStopSec=2")
    job = enqueue(machine, "booted.steps", "steps:=1", "seconds:=8")
    until_runs(machine, job)
    began = time.monotonic()
    machine.run("systemctl", "stop", "bellhand")
    took = time.monotonic() - began
    assert 4 < took < 25, f"a stop with 8 s of work and TimeoutStopSec=2 took {took:.1f} s"
    assert shown(machine, "Result") == "success"
    assert job_of(machine, job)["state"] == "completed"
    set_up(machine)


def test_a_daemon_that_stands_still_is_ended_and_started_again(machine: Machine) -> None:
    set_up(machine, "WatchdogSec=3")
    job = enqueue(machine, "booted.steps", "steps:=12", "seconds:=0.5")
    until_stepped(machine, job)
    main = shown(machine, "MainPID")
    machine.run("sh", "-c", f"kill -STOP {main}")
    until(lambda: shown(machine, "NRestarts") == "1", because="the watchdog ended it")
    assert "Watchdog timeout" in journal(machine, "_PID=1", "-n", "50")
    active(machine)
    assert ended(machine, job)["state"] == "completed"
    repeated = psql(
        machine, f"select count(*) from bellhand.steps where job = {job} and attempts > 1"
    )
    assert int(repeated) <= 1, "only the step that was under way ran again"


def test_a_handler_that_blocks_the_loop_is_found_by_the_watchdog(machine: Machine) -> None:
    set_up(machine, "WatchdogSec=3")
    before = int(shown(machine, "NRestarts"))
    job = enqueue(machine, "booted.block", "seconds:=60")
    until(lambda: int(shown(machine, "NRestarts")) > before, because="the loop did not turn")
    psql(machine, f"select bellhand.cancel({job})")
    set_up(machine)
    until(
        lambda: job_of(machine, job)["state"] in ("cancelled", "failed"), 60, because="it is over"
    )


def test_killed_it_comes_back_and_goes_on(machine: Machine) -> None:
    active(machine)
    before = int(shown(machine, "NRestarts"))
    job = enqueue(machine, "booted.steps", "steps:=8", "seconds:=0.5")
    until_stepped(machine, job, 2)
    machine.run("systemctl", "kill", "--signal=KILL", "bellhand")
    assert ended(machine, job)["result"] == {"done": list(range(8))}
    assert int(shown(machine, "NRestarts")) == before + 1


def test_what_eats_the_machine_is_stopped_before_it_has(machine: Machine) -> None:
    """MemoryMax: the kernel ends the daemon, not its neighbours; the job is given up as the one that did it."""
    set_up(machine, "MemoryHigh=infinity", "MemoryMax=250M", "MemorySwapMax=0")
    job = enqueue(machine, "booted.eat", "bytes:=1500000000")
    found = ended(machine, job, 90)
    assert (found["state"], found["error"].split(":")[0]) == ("failed", "worker_lost"), found[
        "error"
    ]
    set_up(machine)


def test_a_configuration_that_is_wrong_ends_it_once_and_says_where(machine: Machine) -> None:
    config = machine.path("/etc/bellhand/config.toml")
    config.write_text(CONFIG.replace("concurrency = 8", "concurency = 8"))
    machine.run("systemctl", "restart", "bellhand", check=False)
    until(lambda: shown(machine, "ActiveState") == "failed", because="it does not try for ever")
    assert shown(machine, "ExecMainStatus") == "78"
    assert '/etc/bellhand/config.toml, line 4: [worker] concurency is not a setting; did you mean "concurrency"?' in journal(machine)  # fmt: skip
    config.write_text(CONFIG)
    config.chmod(0o600)  # as an editor leaves it that writes a new file
    said = machine.run("bellhand", "check", check=False)
    assert (said.returncode, "cannot be read by bellhand, whom the service runs as" in said.stdout) == (78, True), said  # fmt: skip
    config.chmod(0o640)
    machine.run("systemctl", "restart", "bellhand")


def test_a_process_for_one_lane(machine: Machine) -> None:
    machine.run("systemctl", "stop", "bellhand")
    machine.run("systemctl", "enable", "--now", "bellhand@leads")
    job = ended(machine, enqueue(machine, "booted.lane"))
    assert job["state"] == "completed"
    assert job["result"]["process"] == int(shown(machine, "MainPID", "bellhand@leads")), (
        "PIDs are not hidden from oneself"
    )
    assert [
        row["name"] for row in json.loads(machine.out("bellhand", "status", "--json"))["workers"]
    ] == ["machine-leads"]
    assert enqueue(machine, "booted.steps", "steps:=1", "seconds:=0")
    machine.run("systemctl", "disable", "--now", "bellhand@leads")
    machine.run("systemctl", "start", "bellhand")


def test_a_machine_that_boots_again_goes_on(machine: Machine) -> None:
    job = enqueue(machine, "booted.steps", "steps:=10", "seconds:=0.5")
    until_stepped(machine, job, 2)
    machine.reboot()
    active(machine)
    assert ended(machine, job)["result"] == {"done": list(range(10))}


def test_a_machine_that_loses_power_goes_on(machine: Machine) -> None:
    job = enqueue(machine, "booted.steps", "steps:=10", "seconds:=0.5")
    until_stepped(machine, job, 2)
    machine.off()
    machine.boot()
    active(machine)
    assert ended(machine, job)["result"] == {"done": list(range(10))}


def test_an_upgrade_restarts_it_and_what_runs_is_not_lost(machine: Machine, package: Path) -> None:
    newer(package, machine.path("/srv/newer.deb"))
    main = shown(machine, "MainPID")
    job = enqueue(machine, "booted.steps", "steps:=6", "seconds:=1")
    until_stepped(machine, job)
    said = machine.run(*APT, "/srv/newer.deb", seconds=240)
    assert "Next:" not in said.stdout
    active(machine)
    assert shown(machine, "MainPID") != main
    assert ended(machine, job)["state"] == "completed"
    assert machine.path("/etc/bellhand/config.toml").read_text() == CONFIG, (
        "what people wrote is theirs"
    )
    machine.run("bellhand", "install")  # again, as the page says
    assert (
        ended(machine, enqueue(machine, "booted.steps", "steps:=1", "seconds:=0"))["state"]
        == "completed"
    )


def test_removed_it_drains_and_purged_it_leaves_nothing(machine: Machine) -> None:
    shutil.rmtree(machine.path(DROP_INS), ignore_errors=True)
    job = enqueue(machine, "booted.steps", "steps:=1", "seconds:=4")
    until_runs(machine, job)
    machine.run("apt-get", "remove", "-y", "bellhand")
    assert psql(machine, f"select state from bellhand.all_jobs where id = {job}") == "completed"
    assert machine.path("/etc/bellhand/credentials/dsn").exists(), "purge takes it, remove does not"
    machine.run("apt-get", "purge", "-y", "bellhand")
    left = machine.out("sh", "-c", "find / -xdev -name '*bellhand*' -not -path '/srv/*' -not -path \"$HOME/*\" -not -path '/var/lib/postgresql/*' -not -path '/var/log/*' -not -path '/var/lib/dpkg/*'")  # fmt: skip
    assert left == ""
    assert machine.run("getent", "passwd", "bellhand", check=False).stdout == ""
    assert psql(machine, "select count(*) > 0 from bellhand.all_jobs") == "t", (
        "the database is never touched"
    )


def test_without_a_package_install_and_uninstall_do_the_same(machine: Machine) -> None:
    """A program that somebody put into /opt with pip: the same files as in the package."""
    machine.run(
        "sh",
        "-c",
        "mkdir -p /opt && dpkg-deb -x /srv/bellhand.deb /srv/x && cp -a /srv/x/opt/bellhand /opt/bellhand",
    )
    program = "/opt/bellhand/bin/bellhand"
    machine.run(program, "install", env={"BELLHAND_DSN": DSN})
    assert shown(machine, "ActiveState") == "active"
    assert machine.out("bellhand", "health") == "ok"
    again = machine.out("bellhand", "install")
    assert not re.search(r"^\+ (write|replace|make)", again, re.MULTILINE), again
    machine.run("bellhand", "uninstall", "--purge")
    assert shown(machine, "LoadState") == "not-found"
    assert not machine.path("/etc/bellhand").exists()
