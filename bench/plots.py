"""Drawings of results, as SVG that a browser shows and a text editor reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from .figures import degrade
from .results import Results
from .rows import HEADLINE, OURS, Row

WIDTH, LEFT, RIGHT, TOP, STEP = 720, 130, 150, 56, 34
HEIGHT = 320  # of drawings of lines
OURS_COLOUR, PEER_COLOUR, INK = "#c2410c", "#64748b", "#0f172a"
COLOURS = (OURS_COLOUR, "#2563eb", "#059669", "#7c3aed")
DRAWN = {
    "drain": "drain, one worker process",
    "enqueue": "bulk enqueue",
    "inserts": "one-row INSERTs, 16 producers, a worker working",
    "pickup": "pickup by an idle worker, p50",
    "steady": "500 jobs/s for 20 s, p99",
    "postgres-cpu": "500 jobs/s for 20 s, CPU of Postgres",
}


def draw(results: Results, folder: Path) -> list[Path]:
    """Writes a drawing for each figure that was measured, and returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    drawings = {
        name: bars(results, row)
        for name, label in DRAWN.items()
        for row in HEADLINE
        if row.label == label
    }
    drawings["horizon"] = horizon(results)
    written = []
    for name, svg in drawings.items():
        if svg:
            written.append(folder / f"{name}.svg")
            written[-1].write_text(svg)
    return written


def bars(results: Results, row: Row) -> str:
    """One bar a peer, as long as the median, with a line from the least to the most."""
    seen = [(peer, of.spread) for peer in results.peers if (of := results.best(row, peer))]
    if not seen:
        return ""
    scale = (WIDTH - LEFT - RIGHT) / max(one.high for _, one in seen)
    parts = []
    for number, (peer, one) in enumerate(seen):
        y = TOP + number * STEP
        colour = OURS_COLOUR if peer == OURS else PEER_COLOUR
        end = LEFT + one.median * scale
        parts += [
            _text(LEFT - 10, y + 16, peer, "end"),
            f'<rect x="{LEFT}" y="{y}" width="{one.median * scale:.1f}" height="22" fill="{colour}"/>',
            f'<path d="M{LEFT + one.low * scale:.1f} {y + 11}H{LEFT + one.high * scale:.1f}" stroke="{INK}"/>',
            _text(
                max(end, LEFT + one.high * scale) + 8, y + 16, f"{_short(one.median)} {row.unit}"
            ),
        ]
    better = "more is better" if row.more_is_better else "less is better"
    return _svg(f"{row.label} ({better})", results, TOP + len(seen) * STEP + 10, parts)


def horizon(results: Results) -> str:
    """The pace of each sixth of the jobs while a foreign transaction pins the horizon, as a part of the clean pace."""
    lines: dict[str, list[float]] = {}
    for peer in results.peers:
        clean = results.look("degrade", peer, degrade.CLEAN)
        parts = results.parts("degrade", peer, degrade.PINNED)
        if clean and parts:
            lines[peer] = [part / clean.median for part in parts]
    if not lines:
        return ""
    top = max(1.1, *(max(values) for values in lines.values()))
    bottom, right = HEIGHT - 40, WIDTH - RIGHT

    def place(part: int, value: float) -> tuple[float, float]:
        x = LEFT + (right - LEFT) * part / (degrade.PARTS - 1)
        return x, bottom - (bottom - TOP) * value / top

    drawn = [_text(LEFT + (right - LEFT) / 2, HEIGHT - 8, "sixths of the jobs, in order", "middle")]
    for value in (0.0, 0.5, 1.0):
        _, y = place(0, value)
        drawn += [
            f'<path d="M{LEFT} {y:.1f}H{right}" stroke="#cbd5e1"/>',
            _text(LEFT - 10, y + 4, f"{value:g}", "end"),
        ]
    for (peer, values), colour in zip(lines.items(), COLOURS, strict=False):
        points = [place(part, value) for part, value in enumerate(values)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        drawn += [
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>',
            _text(points[-1][0] + 8, points[-1][1] + 4, f"{peer} {values[-1]:.2f}"),
        ]
    return _svg("pace with a pinned horizon, of the clean pace", results, HEIGHT, drawn)


def _svg(title: str, results: Results, height: float, parts: Sequence[str]) -> str:
    machine = results.session["machine"]
    about = f"Postgres {results.version}, {machine['cores']} cores, {results.session['at']}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
        'font-family="system-ui, sans-serif" font-size="13">'
    )
    background = f'<rect width="{WIDTH}" height="{height:g}" fill="#ffffff"/>'
    lines = [head, background, _text(12, 20, title), _text(12, 38, about, colour=PEER_COLOUR)]
    return "\n".join([*lines, *parts, "</svg>"]) + "\n"


def _text(x: float, y: float, words: str, anchor: str = "start", colour: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}" if value < 10 else f"{value:.0f}"
