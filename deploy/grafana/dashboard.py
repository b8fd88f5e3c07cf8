"""Writes bellhand.json, the dashboard for Grafana, from the table in panels.py: `make grafana`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from panels import ROWS, Panel

FILE = Path(__file__).with_name("bellhand.json")
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# A box at the top, not the instances chosen: those are several at once, and may be ports that serve metrics alone.
PAGES = "${pages:raw}"
CHOSEN = {
    "S": 'job=~"$job",instance=~"$instance"',
    "L": 'job=~"$job",instance=~"$instance",lane=~"$lane"',
    "K": 'job=~"$job",instance=~"$instance",kind=~"$kind"',
}
HEIGHTS = {"stat": 4}
HEIGHT, WIDTH = 8, 24


def expression(query: str) -> str:
    """A query of panels.py as Prometheus takes it, with Grafana's variables in it."""
    return re.sub(r"\{([SLK])(?=[,}])", lambda found: "{" + CHOSEN[found[1]], query)


def dashboard() -> dict[str, Any]:
    """All of it."""
    shown: list[dict[str, Any]] = []
    y = 0
    for title, panels in ROWS.items():
        shown.append({"type": "row", "id": len(shown) + 1, "title": title, "collapsed": False, "panels": [],
                      "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}})  # fmt: skip
        x, y, tallest = 0, y + 1, 0
        for panel in panels:
            if x + panel.width > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            height = HEIGHTS.get(panel.sort, HEIGHT)
            place = {"x": x, "y": y, "w": panel.width, "h": height}
            shown.append(_panel(panel, len(shown) + 1, place))
            x, tallest = x + panel.width, max(tallest, height)
        y += tallest
    return {
        "uid": "bellhand", "title": "Bellhand", "description": "Background jobs: the fleet, lanes, kinds, outside services, Postgres.",
        "tags": ["bellhand"], "schemaVersion": 38, "version": 1, "editable": False, "graphTooltip": 1, "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"}, "timezone": "browser", "annotations": {"list": [_restarts()]},
        "templating": {"list": _variables()}, "panels": shown,
        "links": [{"type": "link", "title": "Bellhand", "url": f"{PAGES}/", "targetBlank": True, "icon": "external link"}],
    }  # fmt: skip


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + i), "datasource": SOURCE, "expr": expression(query), "legendFormat": legend,
         "editorMode": "code", "range": True} | ({"format": "heatmap"} if panel.sort == "heatmap" else {})
        for i, (query, legend) in enumerate(panel.queries)
    ]  # fmt: skip
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if panel.sort == "timeseries":
        stacking = {"mode": "normal" if panel.stacked else "none", "group": "A"}
        defaults["custom"] = {"fillOpacity": 20 if panel.stacked else 0, "stacking": stacking, "showPoints": "never"}  # fmt: skip
    link = {"title": "In Bellhand", "url": PAGES + panel.link, "targetBlank": True}
    return {
        "type": panel.sort, "id": number, "title": panel.title, "description": panel.description, "datasource": SOURCE,
        "gridPos": place, "targets": targets, "links": [link], "options": _options(panel.sort),
        "fieldConfig": {"defaults": defaults, "overrides": []},
    }  # fmt: skip


def _options(sort: str) -> dict[str, Any]:
    if sort == "stat":
        return {"colorMode": "value", "graphMode": "area", "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}  # fmt: skip
    if sort == "heatmap":
        return {"calculate": False, "yAxis": {"unit": "s"}, "color": {"mode": "scheme", "scheme": "Oranges"}}  # fmt: skip
    return {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _variables() -> list[dict[str, Any]]:
    source = {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus"}  # fmt: skip
    pages = "http://127.0.0.1:7700"  # `bellhand rules grafana` writes another instead
    box = {"type": "textbox", "name": "pages", "label": "Bellhand's pages at", "query": pages, "current": {"text": pages, "value": pages},
           "description": "Where links lead: the address of a daemon's dashboard."}  # fmt: skip
    return [source, *(_variable(*one) for one in (
        ("job", "bellhand_build_info", "job"),
        ("instance", 'bellhand_build_info{job=~"$job"}', "instance"),
        ("lane", 'bellhand_lane_jobs{job=~"$job"}', "lane"),
        ("kind", 'bellhand_jobs_finished_total{job=~"$job"}', "kind"),
    )), box]  # fmt: skip


def _variable(name: str, series: str, label: str) -> dict[str, Any]:
    return {
        "type": "query", "name": name, "label": name.title(), "datasource": SOURCE, "query": f"label_values({series}, {label})",
        "definition": f"label_values({series}, {label})", "refresh": 2, "sort": 1, "multi": True, "includeAll": True,
        "allValue": ".+", "current": {"selected": True, "text": "All", "value": "$__all"},
    }  # fmt: skip


def _restarts() -> dict[str, Any]:
    """A mark wherever a daemon began, as it does with every deployment, however long it was away; of a step of a minute one falls into the 90 s."""
    expr = expression(
        "(time() - process_start_time_seconds{S} < 90) * on (job, instance) group_left (version) bellhand_build_info{S}"
    )
    return {"name": "Daemon started", "datasource": SOURCE, "enable": True, "iconColor": "orange", "expr": expr, "step": "60s",
            "titleFormat": "{{instance}} started, version {{version}}"}  # fmt: skip


def text() -> str:
    """The file as it should be."""
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
