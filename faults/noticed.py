"""When daemons noticed something, by their logs."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from .figures import percentile
from .fleet import Daemon
from .witness import Event


def noticed(daemons: Iterable[Daemon], event: str, since: float, until: float) -> list[float]:
    """Seconds from `since` to the first line of that event before `until` (both monotonic), of each daemon that wrote one."""
    ahead = time.time() - time.monotonic()
    found = []
    for daemon in daemons:
        at = [datetime.fromisoformat(line["at"]).timestamp() - ahead for line in daemon.said(event)]
        later = [moment - since for moment in at if since <= moment <= until]
        if later:
            found.append(later[0])
    return found


def spread(name: str, values: list[float], *, digits: int = 2) -> dict[str, Any]:
    """p50, p99 and max under that name; nothing if there are none."""
    return {
        f"{name}_{label}_s": round(percentile(values, share), digits)
        for label, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
        if values
    }


def pickups(said: list[Event], journal: list[Event], since: float, until: float) -> list[float]:
    """Seconds from the acknowledgement of each insert in that time to the first start of its job."""
    inserted = {
        event["token"]: event["t1"]
        for event in said
        if event["f"] == "enqueue" and event["res"] == "ok" and since <= event["t1"] <= until
    }
    started: dict[str, float] = {}
    for event in journal:
        token = str(event.get("token"))
        if event["f"] == "start" and token in inserted:
            started.setdefault(token, event["t"])
    return [max(0.0, at - inserted[token]) for token, at in started.items()]
