"""`make grafana-picture`: docs/pictures/grafana.svg, the panels as a Prometheus answers them that has watched `bellhand dev` at work."""

import asyncio
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from html import escape
from pathlib import Path
from typing import Any

import asyncpg

from bellhand.dev.postgres import place_of
from support import ROOT, eventually
from watching import GRAFANA, RULES, Prometheus, chosen, free_port, prometheus

FILE = ROOT / "docs" / "pictures" / "grafana.svg"
WATCH_SECONDS, STEP_SECONDS, START_SECONDS = 240, 4, 120
COLUMN, LINE, GAP = 50, 19, 4
COLOURS = ("#3274d9", "#e0592a", "#37872d", "#a352cc", "#c4162a", "#b08800", "#1f8a8a", "#7a6f5d")
NAMES_MAX, SERIES_MAX = 4, 12
SERVICES, PLACES = ("Bakery", "Plumber", "Dentist"), ("Lisbon", "Leeds", "Lyon", "Graz")


async def work(dsn: str, until: float) -> None:
    """Jobs of several families, in waves."""
    conn = await asyncpg.connect(dsn)
    enqueue = "insert into bellhand.jobs (kind, payload, priority) values ($1, $2, $3)"
    while time.monotonic() < until:
        left = until - time.monotonic()
        for _ in range(random.randint(1, 12 if 60 < left < 140 else 4)):
            await conn.execute(enqueue, "demo.greet", "{}", random.randint(1, 10))
        if random.random() < 0.5:
            report = {"step_seconds": random.uniform(0.1, 3)}
            await conn.execute(enqueue, "demo.report", json.dumps(report), 5)
        if random.random() < 0.3:
            await conn.execute(enqueue, "demo.letters", "{}", 5)
        if random.random() < 0.15:
            asked = {"services": [random.choice(SERVICES)], "locations": [random.choice(PLACES)]}
            await conn.execute(enqueue, "leads.collect", json.dumps(asked), 5)
        await asyncio.sleep(0.7)
    await conn.close()


async def main() -> None:
    """Watch, ask for every panel, draw."""
    random.seed(3)
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        env = os.environ | {
            "BELLHAND_DEV_DIR": str(folder / "dev"), "BELLHAND_STATUS__PORT": str(port), "BELLHAND_METRICS__CANARY_SECONDS": "5",
            "BELLHAND_LANES__DEMO__CONCURRENCY": "6", "BELLHAND_METRICS__WAIT_SLO_SECONDS": "30", "BELLHAND_WORKER__CONCURRENCY": "16",
        }  # fmt: skip
        bellhand = [sys.executable, "-m", "bellhand"]
        dev = subprocess.Popen([*bellhand, "dev"], env=env, cwd=folder, stdout=subprocess.DEVNULL)

        def dsn() -> str:
            done = subprocess.run(
                [*bellhand, "env", "--dsn"], env=env, cwd=folder, capture_output=True, text=True
            )
            return done.stdout.strip() if "dev" in done.stdout else ""

        try:
            found = await eventually(dsn, START_SECONDS)
            target = f"127.0.0.1:{port}"
            async with prometheus(folder, RULES.read_text(), [target], free_port()) as watch:
                up = 'up{job="bellhand"} == 1'
                await eventually(lambda: _is_up(watch, up), START_SECONDS)
                await work(found, time.monotonic() + WATCH_SECONDS)
                FILE.write_text(await drawn(watch))
        finally:
            dev.terminate()
            dev.wait()
            shutil.rmtree(place_of(folder / "dev" / "postgres"), ignore_errors=True)  # under root


async def _is_up(watch: Prometheus, expr: str) -> bool:
    return await watch.value(expr) is not None


async def drawn(watch: Prometheus) -> str:
    """The whole picture."""
    board = json.loads((GRAFANA / "bellhand.json").read_text())
    parts, bottom = [], 0
    for panel in board["panels"]:
        place = panel["gridPos"]
        x, y = place["x"] * COLUMN, place["y"] * LINE
        w, h = place["w"] * COLUMN - GAP, place["h"] * LINE - GAP
        bottom = max(bottom, y + h + GAP)
        if panel["type"] == "row":
            parts.append(f'<text class="row" x="{x + 2}" y="{y + 15}">{escape(panel["title"])}</text>')  # fmt: skip
            continue
        series = [
            one for target in panel["targets"] for one in await asked(watch, panel["type"], target)
        ]
        inside = SORTS.get(panel["type"], lines)(
            series, w, h, panel["fieldConfig"]["defaults"]["unit"]
        )
        parts.append(
            f'<g transform="translate({x},{y})"><rect class="box" width="{w}" height="{h}"/>'
            f'<text class="title" x="6" y="14">{escape(panel["title"])}</text>{inside}</g>'
        )
    style = (
        "text{font:10px sans-serif;fill:#333}.row{font:bold 12px sans-serif}.title{font:bold 10.5px sans-serif}"
        ".box{fill:#fff;stroke:#ccc}.big{font:22px sans-serif;fill:#37872d}polyline{fill:none;stroke-width:1.3}.grid{stroke:#e6e6e6}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {24 * COLUMN} {bottom}" role="img" aria-label="The panels of the dashboard">'
        f'<style>{style}</style><rect width="100%" height="100%" fill="#f4f4f4"/>{"".join(parts)}</svg>\n'
    )


Series = tuple[str, list[tuple[float, float]]]


async def asked(watch: Prometheus, sort: str, target: dict[str, Any]) -> list[Series]:
    """What Prometheus says to one query: names, and (seconds since the start, value)."""
    now = float((await watch.get("query", query="time()"))["result"][1])
    start = now - WATCH_SECONDS + 10
    given = {"start": f"{start}", "end": f"{now}", "step": f"{STEP_SECONDS}"}
    # An hour or a day is not watched here.
    expr = re.sub(r"\[(1h|1d|15m)\]", "[1m]", chosen(target["expr"])).replace("[1m]", "[20s]")
    found = (await watch.get("query_range", query=expr, **given))["result"]
    series = []
    for one in found:
        name = re.sub(r"\{\{(\w+)\}\}", lambda m, labels=one["metric"]: labels.get(m[1], ""), target["legendFormat"])  # fmt: skip
        name = re.sub(r"127\.0\.0\.1:\d+", "jobs1:7700", name)
        points = [(t - start, float(v)) for t, v in one["values"] if math.isfinite(float(v))]
        if points and (sort == "heatmap" or any(v for _, v in points) or len(found) < NAMES_MAX):
            series.append((name, points))
    series.sort(key=lambda one: -max(v for _, v in one[1]))
    return series if sort == "heatmap" else series[:SERIES_MAX]


def said(value: float, unit: str) -> str:
    """A value as a person reads it."""
    if unit == "s":
        return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
    if unit == "percentunit":
        return f"{value:.0%}"
    if unit == "bytes":
        return f"{value / 1e6:.1f} MB"
    ends = {"ops": "/s", "currencyUSD": " $"}
    return f"{value:,.2f}".rstrip("0").rstrip(".") + ends.get(unit, "")


def stat(series: list[Series], w: int, h: int, unit: str) -> str:
    """The last value, large."""
    shown = ", ".join(said(points[-1][1], unit) for _, points in series) or "-"
    name = series[0][0] if unit == "short" and series and series[0][0][:1].isdigit() else ""
    return f'<text class="big" x="{w / 2}" y="{h / 2 + 14}" text-anchor="middle">{shown}</text><text x="{w / 2}" y="{h - 6}" text-anchor="middle">{escape(name)}</text>'


def lines(series: list[Series], w: int, h: int, unit: str) -> str:
    """A line for each series."""
    if not series:
        return f'<text x="{w / 2}" y="{h / 2}" text-anchor="middle">nothing of this sort has happened</text>'
    most = max(v for _, points in series for _, v in points)
    top = most or 1.0
    left, upper, lower = 8, 22, h - 24
    parts = [
        f'<line class="grid" x1="{left}" x2="{w - 8}" y1="{y}" y2="{y}"/>' for y in (upper, lower)
    ]
    parts.append(f'<text x="{w - 8}" y="{upper - 8}" text-anchor="end">{said(most, unit)}</text>')
    for i, (_, points) in enumerate(series):
        at = " ".join(
            f"{left + (w - 16) * t / WATCH_SECONDS:.0f},{lower - (lower - upper) * v / top:.1f}"
            for t, v in points
        )
        parts.append(f'<polyline points="{at}" stroke="{COLOURS[i % len(COLOURS)]}"/>')
    x = left
    for i, (name, _) in enumerate(series[:NAMES_MAX]):
        if x + 6 * len(name) > w:
            break
        parts.append(f'<text x="{x}" y="{h - 7}" style="fill:{COLOURS[i % len(COLOURS)]}">{escape(name)}</text>')  # fmt: skip
        x += 6 * len(name) + 12
    return "".join(parts)


def heatmap(series: list[Series], w: int, h: int, _unit: str) -> str:
    """Darker where more fell into a bucket."""
    series = sorted(series, key=lambda one: float(one[0].replace("+Inf", "inf")))
    below: dict[float, float] = {}
    cells = []
    for row, (_, points) in enumerate(series):
        for t, v in points:
            cells.append((t, row, max(0.0, v - below.get(t, 0.0))))
            below[t] = v
    top = max((n for _, _, n in cells), default=0.0) or 1.0
    cell = (w - 60) / (WATCH_SECONDS / STEP_SECONDS)
    tall = (h - 40) / max(1, len(series))
    parts = [
        f'<rect x="{50 + (w - 60) * t / WATCH_SECONDS:.0f}" y="{h - 16 - tall * (row + 1):.1f}" width="{cell:.1f}" height="{tall:.1f}" fill="#e0592a" opacity="{(n / top) ** 0.5:.2f}"/>'
        for t, row, n in cells if n > 0
    ]  # fmt: skip
    parts += [
        f'<text x="46" y="{h - 16 - tall * row:.1f}" text-anchor="end">{escape(name)} s</text>'
        for row, (name, _) in enumerate(series) if row % 3 == 0
    ]  # fmt: skip
    return "".join(parts)


SORTS = {"stat": stat, "heatmap": heatmap}

if __name__ == "__main__":
    asyncio.run(main())
