"""Results as tables: medians with their range, and Bellhand against the best peer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .arithmetic import Spread, ratio, spread
from .figures import degrade, floor, options, single
from .results import DISTURBED_CORES, Found, Results, disturbed
from .rows import HEADLINE, OURS, Row


def markdown(results: Sequence[Results]) -> str:
    """Everything, as text that reads well in a terminal and in a document."""
    parts = []
    for one in results:
        parts += [_about(one), *_tables(one)]
    if len(results) > 1:
        parts.append(_versions(results))
    return "\n\n".join(part for part in parts if part) + "\n"


def _about(one: Results) -> str:
    machine, postgres = one.session["machine"], one.session["postgres"]
    settings = ", ".join(
        f"{name} {value}" for name, value in postgres.items() if name != "server_version"
    )
    lines = [
        f"## Postgres {one.version}",
        f"{one.session['at']}; {machine['cores']} cores of {machine['processor']}, {machine['memory_gb']} GB, "
        f"Linux {machine['kernel']}, Python {machine['python']}; client, workers and server on this machine, over a socket.",
        f"Postgres: {settings}.",
        "Jobs do nothing and carry about 100 bytes; medians of "
        f"{one.session['runs']} interleaved runs [least to most]; a fresh database each.",
    ]
    if one.session["scale"] != 1:
        lines.append(
            f"Scaled: counts and seconds times {one.session['scale']:g}. Not to be quoted."
        )
    lines += [f"* {peer['version']}: {peer['settings']}" for peer in one.session["peers"].values()]
    if len(sources := one.sources()) > 1:
        lines.append(f"Bellhand itself changed in between: {len(sources)} states of its source.")
    lines += [
        f"* FAILED: {e['figure']} {e['peer']} {e['variant']}, run {e['run']}: {e['error']}"
        for e in one.errors
    ]
    return "\n".join(lines)


def _tables(one: Results) -> list[str]:
    head = ["figure", "unit", *one.peers, "Bellhand / best peer"]
    rows = [_headline(one, row) for row in HEADLINE]
    tables = [_table(head, [row for row in rows if row])]
    tables += [_floor(one), _trigger(one), _degradation(one), _options(one)]
    if any(disturbed(run) for runs in one.runs.values() for run in runs):
        tables.append("~ other programs took more than "
                      f"{DISTURBED_CORES} cores in each run; where there are runs without, only these count.")  # fmt: skip
    return tables


def _headline(one: Results, row: Row) -> list[str] | None:
    found = {peer: one.found(row, peer) for peer in one.peers}
    cells = [_cell(seen.spread, seen.disturbed) if seen else "" for seen in found.values()]
    return [row.label, row.unit, *cells, _times(row, found)] if any(cells) else None


def _times(row: Row, found: Mapping[str, Found | None]) -> str:
    """How many times the best peer's figure ours is; marked if anyone in it was disturbed."""
    there = {peer: seen for peer, seen in found.items() if seen}
    ours = there.get(OURS)
    others = [seen.spread.median for peer, seen in there.items() if peer != OURS]
    times = ours and ratio(ours.spread.median, others, more_is_better=row.more_is_better)
    if not times:
        return ""
    return f"{times:.2f}" + (" ~" if any(seen.disturbed for seen in there.values()) else "")


def _against(
    one: Results,
    title: str,
    figure: str,
    base: str,
    variants: Iterable[str],
    extra: Sequence[str] = (),
) -> str:
    """Bellhand's variants of a figure, each against one of them."""
    zero = one.spread(figure, OURS, base, "per_second")
    rows = []
    for variant in dict.fromkeys(variants):
        seen = one.spread(figure, OURS, variant, "per_second")
        if zero and seen:
            cells = [
                _cell(s, False) if (s := one.spread(figure, OURS, variant, v)) else ""
                for v in extra
            ]
            marked = _cell(seen, one.was_disturbed(figure, OURS, variant))
            rows.append([variant, marked, f"{seen.median / zero.median:.2f}", *cells])
    return _table([title, "jobs/s", f"of {base}", *extra], rows)


def _floor(one: Results) -> str:
    rows = []
    for variant in floor.VARIANTS["sql"]:
        least = one.spread("floor", "sql", variant, "per_second")
        if not least:
            continue
        shares = []
        for workers in ("one worker", "two workers"):
            ours = one.spread("drain", OURS, workers, "per_second")
            shares.append(f"{ours.median / least.median:.2f}" if ours else "")
        rows.append([variant, _cell(least, one.was_disturbed("floor", "sql", variant)), *shares])
    return _table(
        ["floor of SQL, batches of 500 by pgbench", "jobs/s", "Bellhand, one worker", "two"], rows
    )


def _trigger(one: Results) -> str:
    return _against(
        one, "one-row INSERTs, 16 producers", "single", single.BARE, single.VARIANTS[OURS]
    )


def _options(one: Results) -> str:
    return _against(
        one,
        "option",
        "options",
        "plain",
        options.OPTIONS,
        ("worker_us", "postgres_us", "wal_bytes"),
    )


def _degradation(one: Results) -> str:
    rows = []
    for peer in one.peers:
        clean = one.spread("degrade", peer, degrade.CLEAN, "per_second")
        for variant in dict.fromkeys(one.variants("degrade", peer)):
            seen = one.spread("degrade", peer, variant, "per_second")
            if clean and seen:
                parts = zip(
                    *(run["values"]["parts"] for run in one.kept("degrade", peer, variant)),
                    strict=True,
                )
                paces = ", ".join(_number(spread(part).median / 1000) for part in parts)
                marked = _cell(seen, one.was_disturbed("degrade", peer, variant))
                rows.append([peer, variant, marked, f"{seen.median / clean.median:.2f}", paces])
    table = _table(["", "while", "jobs/s", "of clean", "thousand/s in each sixth"], rows)
    return f"{table}\n\n{_depth(one)}" if degrade.BACKLOG in (row[1] for row in rows) else table


def _depth(one: Results) -> str:
    jobs = one.session["backlog"] * one.session["scale"]
    return f"{degrade.BACKLOG}: {jobs:,.0f} jobs, of which the first are drained."


def _versions(results: Sequence[Results]) -> str:
    head = ["Bellhand", "unit", *(f"Postgres {one.version}" for one in results)]
    rows = []
    for row in HEADLINE:
        seen = [one.found(row, OURS) for one in results]
        cells = [_cell(one.spread, one.disturbed) for one in seen if one]
        if len(cells) == len(results):
            rows.append([row.label, row.unit, *cells])
    return _table(head, rows)


def _cell(seen: Spread, was_disturbed: bool) -> str:
    text = _number(seen.median)
    if seen.runs > 1:
        text += f" [{_number(seen.low)} to {_number(seen.high)}]"
    return text + (" ~" if was_disturbed else "")


def _number(value: float) -> str:
    size = abs(value)
    return (
        f"{value:,.0f}"
        if size >= 100 or value == 0
        else f"{value:.1f}"
        if size >= 10
        else f"{value:.2f}"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        return (
            "| "
            + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
            + " |"
        )

    return "\n".join(
        [line(head), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, rows)]
    )
