"""What systemd hears, on a real datagram socket."""

import os
import socket
import tempfile
import time
from collections.abc import Iterator

import pytest

from bellhand.systemd import Systemd


@pytest.fixture(params=["path", "abstract"])
def listening(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, str]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear,
    ):
        path = f"{folder}/notify"
        address = f"\0bellhand{path}" if request.param == "abstract" else path
        ear.bind(address)
        ear.settimeout(5)
        yield ear, address.replace("\0", "@")


def test_every_message_is_heard(listening: tuple[socket.socket, str]) -> None:
    ear, address = listening
    systemd = Systemd({"NOTIFY_SOCKET": address})

    def heard() -> dict[str, str]:
        return dict(line.split("=", 1) for line in ear.recv(4096).decode().splitlines())

    systemd.ready("7/8 busy\n· 45 pending")
    assert heard() == {"READY": "1", "STATUS": "7/8 busy · 45 pending"}
    before = time.monotonic_ns() // 1000
    systemd.reloading()
    message = heard()
    assert message["RELOADING"] == "1"
    assert before <= int(message["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    systemd.status("draining")
    assert heard() == {"STATUS": "draining"}
    systemd.watchdog()
    assert heard() == {"WATCHDOG": "1"}
    systemd.extend_timeout(1.5)
    assert heard() == {"EXTEND_TIMEOUT_USEC": "1500000"}
    systemd.stopping("bye")
    assert heard() == {"STOPPING": "1", "STATUS": "bye"}


def test_nobody_listens_and_nothing_happens(tmp_path: object) -> None:
    Systemd({}).ready("x")
    Systemd({"NOTIFY_SOCKET": f"{tmp_path}/gone"}).watchdog()


def test_a_listener_that_does_not_read_blocks_nobody(listening: tuple[socket.socket, str]) -> None:
    _, address = listening
    systemd = Systemd({"NOTIFY_SOCKET": address})
    for _ in range(5000):
        systemd.status("x" * 500)


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_ours_only_if_it_names_us(
    environment: dict[str, str], seconds: float | None
) -> None:
    assert Systemd({"NOTIFY_SOCKET": "@x", **environment}).watchdog_seconds == seconds
