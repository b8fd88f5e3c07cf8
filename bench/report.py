"""Results as tables: medians with their range, and Bellhand against the best peer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .arithmetic import ratio
from .figures import degrade, drain, floor, options, single
from .results import DISTURBED_CORES, Found, Results, disturbed
from .rows import HEADLINE, OURS, Row

MARK = " ~"


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
    found = {peer: one.best(row, peer) for peer in one.peers}
    there = {peer: seen for peer, seen in found.items() if seen}
    if not there:
        return None
    times = None
    if OURS in there:
        others = [seen.median for peer, seen in there.items() if peer != OURS]
        times = ratio(there[OURS].median, others, more_is_better=row.more_is_better)
    return [row.label, row.unit, *map(_cell, found.values()), _ratio(times, *there.values())]


def _against(
    one: Results, title: str, figure: str, base: str, variants: Iterable[str], extra: Sequence[str] = ()
) -> str:  # fmt: skip
    """Bellhand's variants of a figure, each against one of them."""
    zero = one.look(figure, OURS, base)
    rows = []
    for variant in dict.fromkeys(variants):
        seen = one.look(figure, OURS, variant)
        if zero and seen:
            costs = [_cell(one.look(figure, OURS, variant, value)) for value in extra]
            rows.append([variant, _cell(seen), _share(seen, zero), *costs])
    return _table([title, "jobs/s", f"of {base}", *extra], rows)


def _floor(one: Results) -> str:
    rows = []
    for variant in floor.VARIANTS["sql"]:
        least = one.look("floor", "sql", variant)
        if least:
            ours = [one.look("drain", OURS, workers) for workers in (drain.ONE, drain.TWO)]
            shares = [_share(seen, least) if seen else "" for seen in ours]
            rows.append([variant, _cell(least), *shares])
    head = ["floor of SQL, batches of 500 by pgbench", "jobs/s"]
    return _table([*head, "Bellhand, one worker", "two workers"], rows)


def _trigger(one: Results) -> str:
    title = "one-row INSERTs, 16 producers"
    return _against(one, title, "single", single.BARE, single.VARIANTS[OURS])


def _options(one: Results) -> str:
    costs = ("worker_us", "postgres_us", "wal_bytes")
    return _against(one, "option", "options", options.PLAIN, options.OPTIONS, costs)


def _degradation(one: Results) -> str:
    rows = []
    for peer in one.peers:
        clean = one.look("degrade", peer, degrade.CLEAN)
        for variant in dict.fromkeys(one.variants("degrade", peer)):
            seen = one.look("degrade", peer, variant)
            if clean and seen:
                parts = one.parts("degrade", peer, variant)
                paces = ", ".join(_number(part / 1000) for part in parts)
                rows.append([peer, variant, _cell(seen), _share(seen, clean), paces])
    table = _table(["", "while", "jobs/s", "of clean", "thousand/s in each sixth"], rows)
    return f"{table}\n\n{_depth(one)}" if degrade.BACKLOG in (row[1] for row in rows) else table


def _depth(one: Results) -> str:
    jobs = one.session["backlog"] * one.session["scale"]
    return f"{degrade.BACKLOG}: {jobs:,.0f} jobs, of which the first are drained."


def _versions(results: Sequence[Results]) -> str:
    head = ["Bellhand", "unit", *(f"Postgres {one.version}" for one in results)]
    rows = []
    for row in HEADLINE:
        seen = [one.best(row, OURS) for one in results]
        if all(seen):
            rows.append([row.label, row.unit, *map(_cell, seen)])
    return _table(head, rows)


def _cell(found: Found | None) -> str:
    if found is None:
        return ""
    text = _number(found.median)
    if found.spread.runs > 1:
        text += f" [{_number(found.spread.low)} to {_number(found.spread.high)}]"
    return text + (MARK if found.disturbed else "")


def _share(part: Found, whole: Found) -> str:
    return _ratio(part.median / whole.median, part, whole)


def _ratio(times: float | None, *made_of: Found) -> str:
    """Marked if any figure in it was disturbed: an undisturbed one beside it looks too good."""
    if times is None:
        return ""
    return f"{times:.2f}" + (MARK if any(found.disturbed for found in made_of) else "")


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
