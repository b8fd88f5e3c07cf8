"""Tells journald events as fields of their own, so that `journalctl -t bellhand JOB_ID=42` is the log of a job (systemd has a JOB_ID too).

https://systemd.io/JOURNAL_NATIVE_PROTOCOL
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import struct
from collections.abc import Mapping
from typing import Any

ADDRESS = "/run/systemd/journal/socket"
SEND_SECONDS = 2.0
PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
# What people search by has a short name; the rest is BELLHAND_<NAME>, so that it never hides a field of journald's own.
FIELDS = {"job": "JOB_ID", "kind": "KIND", "lane": "LANE", "attempt": "ATTEMPT", "step": "STEP", "event": "EVENT"}  # fmt: skip
IDENTIFIER = "bellhand"


def is_ours(fd: int) -> bool:
    """Whether what is written to `fd` goes to journald: $JOURNAL_STREAM names its device and inode."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        seen = os.fstat(fd)
    except OSError:
        return False
    return (device, inode) == (str(seen.st_dev), str(seen.st_ino))


def entry(event: Mapping[str, Any], message: str) -> bytes:
    """One entry in journald's form; values may hold line breaks, and none can begin another field."""
    fields = {
        "MESSAGE": message,
        "PRIORITY": str(PRIORITIES.get(str(event.get("level")), 6)),
        "SYSLOG_IDENTIFIER": IDENTIFIER,
    }
    for name, value in event.items():
        if name in ("at", "level", "exception") or value is None:
            continue  # journald has its own time, and the message ends with the traceback
        fields[FIELDS.get(name) or _field(name)] = str(value)
    return b"".join(_encoded(name, value) for name, value in fields.items())


def _field(name: str) -> str:
    return ("BELLHAND_" + re.sub(r"[^A-Z0-9_]", "_", name.upper()))[:64]


def _encoded(name: str, value: str) -> bytes:
    data = value.encode(errors="backslashreplace")
    if b"\n" not in data:
        return name.encode() + b"=" + data + b"\n"
    return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"


def send(data: bytes, address: str = "") -> None:
    """Hands journald one entry; OSError when it is not there, or takes nothing for two seconds."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
        speaker.settimeout(SEND_SECONDS)
        try:
            speaker.sendto(data, address or ADDRESS)
        except OSError as error:
            if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
                raise
            _send_as_file(speaker, data, address or ADDRESS)


def _send_as_file(speaker: socket.socket, data: bytes, address: str) -> None:
    """What is too long goes as a sealed file in memory, which nobody can change while journald reads it."""
    fd = os.memfd_create("bellhand-log", os.MFD_ALLOW_SEALING)
    try:
        os.write(fd, data)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
        speaker.connect(address)  # send_fds takes an address too, and forgets it (Python 3.11)
        socket.send_fds(speaker, [b""], [fd])
    finally:
        os.close(fd)
