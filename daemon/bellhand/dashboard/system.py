"""What jobs run on: the database, and the configuration of the daemon that answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from bellhand.dashboard.site import Site
from bellhand.dashboard.usage import by_service

DAYS_LOOKED_AT = 7


class System:
    """GET /system."""

    def __init__(self, site: Site, settings: dict[str, Any], origins: Sequence[tuple[str, str, str]]) -> None:  # fmt: skip
        self.site = site
        self.settings = settings
        self.origins = origins

    async def show(self, request: web.Request) -> web.Response:
        """The database and the configuration as this daemon has it, without secrets; what was done and by whom."""
        row = await self.site.look.row("page_system")
        assert row
        told = {name: json.loads(row[name] or "null") for name in ("connections", "tables", "audit", "days")}  # fmt: skip
        services = await by_service(self.site, self.settings)
        days = self.settings.get("retention", {}).get("history_days", 0)
        return await self.site.page(
            request, "system.html", title="System", system=dict(row) | told, settings=self.settings, origins=self.origins, services=services,
            kept=kept(told["days"] or [], days), kept_days=days, pooled=self.settings.get("database", {}).get("pooler") == "transaction",
        )  # fmt: skip


def kept(days: list[dict[str, Any]], history_days: int) -> dict[str, Any] | None:
    """What history will hold at the pace of its newest days: bytes a day, bytes in all, and what that stands on; None with nothing to go by.

    `days` are its partitions, the newest first, each with its bytes, its rows, and what part of the day is over.
    """
    whole = [day for day in days if day["part"] >= 1 and day["rows"]][:DAYS_LOOKED_AT]
    if whole:
        a_day = sum(day["bytes"] for day in whole) / len(whole)
        basis = f"{len(whole)} whole days" if len(whole) > 1 else "one whole day"
    else:
        today = next((day for day in days if 0 < day["part"] < 1 and day["rows"]), None)
        if today is None:
            return None
        a_day, basis = today["bytes"] / today["part"], "today so far"
    return {"a_day": round(a_day), "in_all": round(a_day * history_days), "basis": basis}
