"""Tells systemd how things stand, over the datagram socket it names; silent when there is none."""

from __future__ import annotations

import os
import socket
import time


def notify(*assignments: str) -> bool:
    """Sends one message, such as `READY=1`, `STATUS=7/8 busy`; whether there was somebody to hear.

    Never raises and never blocks. RELOADING=1 gets the MONOTONIC_USEC that has to go with it.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    lines = [" ".join(line.split()) for line in assignments]  # a line break would begin another one
    if "RELOADING=1" in lines:
        lines.append(f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
    # A leading @ stands for the NUL of an abstract socket.
    target = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
            speaker.setblocking(False)
            speaker.sendto("\n".join(lines).encode(errors="replace"), target)
    except OSError:  # nobody reads, or nobody is there: nothing that we do depends on it
        return False
    return True


def watchdog_seconds() -> float | None:
    """Without `WATCHDOG=1` for so long systemd ends us; None if it does not watch this process."""
    usec = os.environ.get("WATCHDOG_USEC", "")
    watched = os.environ.get("WATCHDOG_PID") or str(os.getpid())
    if not usec.isdigit() or watched != str(os.getpid()) or not os.environ.get("NOTIFY_SOCKET"):
        return None
    return int(usec) / 1_000_000
