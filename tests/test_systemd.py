"""What systemd hears, on a real datagram socket."""

import os
import socket
import tempfile
import time
from collections.abc import Iterator

import pytest

from bellhand.systemd import notify, watchdog_seconds
from bellhand.vitals import of_lanes, short


@pytest.fixture(params=["path", "abstract"])
def ear(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear,
    ):
        path = f"{folder}/notify"
        address = f"\0bellhand{path}" if request.param == "abstract" else path
        ear.bind(address)
        ear.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address.replace("\0", "@"))
        yield ear


def test_a_message_is_one_datagram(ear: socket.socket) -> None:
    assert notify("READY=1", "STATUS=7/8 busy · 45 pending")
    assert ear.recv(4096).decode() == "READY=1\nSTATUS=7/8 busy · 45 pending"


def test_a_line_break_cannot_smuggle_in_another_assignment(ear: socket.socket) -> None:
    notify("STATUS=fine\nSTOPPING=1")
    assert ear.recv(4096).decode() == "STATUS=fine STOPPING=1"


def test_reloading_says_when(ear: socket.socket) -> None:
    before = time.monotonic_ns() // 1000
    notify("RELOADING=1")
    said = dict(line.split("=", 1) for line in ear.recv(4096).decode().splitlines())
    assert said["RELOADING"] == "1"
    assert before <= int(said["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000


def test_a_listener_that_does_not_read_blocks_nobody(ear: socket.socket) -> None:
    started = time.monotonic()
    heard = [notify("WATCHDOG=1") for _ in range(5000)]
    assert not heard[-1]
    assert time.monotonic() - started < 30


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", f"{tmp_path}/gone")
    assert not notify("READY=1")


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [
        ("30000000", None, 30),
        ("30000000", "our own", 30),
        ("30000000", "1", None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_the_watchdog_is_ours_only_if_it_names_us(
    monkeypatch: pytest.MonkeyPatch, usec: str | None, pid: str | None, seconds: float | None
) -> None:
    given = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": usec, "WATCHDOG_PID": pid}
    if pid == "our own":
        given["WATCHDOG_PID"] = str(os.getpid())
    for name, value in given.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert watchdog_seconds() == seconds


def test_the_status_says_what_waits_longest_and_what_stands_still() -> None:
    lanes = [
        {"lane": "leads", "pending": 40, "oldest_due_seconds": 252.4, "canary_roundtrip_seconds": 0.018},
        {"lane": "sites", "pending": 5, "oldest_due_seconds": 1.2, "paused": True, "canary_roundtrip_seconds": None},
        {"lane": "other"},
    ]  # fmt: skip
    assert of_lanes(lanes) == ["45 pending", "oldest due 4m12s (leads)", "paused: sites", "canary 18 ms"]  # fmt: skip
    assert of_lanes([{"lane": "leads"}]) == ["lanes not read yet"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0s"), (61, "1m01s"), (11_100, "3h05m"), (187_200, "2d4h")]
)
def test_lengths_of_time_are_short(seconds: float, text: str) -> None:
    assert short(seconds) == text
