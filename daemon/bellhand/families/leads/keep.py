"""Writing down what a search found: one transaction a page, in which records become leads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import asyncpg

from bellhand.outcomes import storable_json
from bellhand.sql import query

from .business import Business, business_of
from .exclusions import Rule, Rules, rules_of
from .resolve import CANDIDATES_MAX, resolve

if TYPE_CHECKING:
    from bellhand.clients.places import Place

STATEMENT_SECONDS = 30.0

COLUMNS = (
    *("id", "name", "phone", "phone_shown", "website", "domain", "listing", "address", "country"),
    *("category", "rating", "reviews", "latitude", "longitude", "place_id", "excluded"),
    *("exclusion", "keys"),
)


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for, where, in which source, for which job; `country` is ISO 3166 or None."""

    job_id: int
    service: str
    location: str
    source: str
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page of results, and what it took to get it; `first` is the position of its first place.

    `last` says that nothing follows, `next_start` where it follows, if that is a number.
    """

    number: int
    places: Sequence[Place]
    first: int = 1
    next_start: int | None = None
    last: bool = True
    calls: int = 1
    cost_microdollars: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Counts:
    """Usable records of a page: each is new, merged with a lead there was, or excluded."""

    found: int = 0
    new: int = 0
    merged: int = 0
    excluded: int = 0


async def keep_page(
    conn: asyncpg.Connection, search: Search, page: Fetched, own_rules: Rules
) -> asyncpg.Record:
    """Store one page of results, in one transaction; its counts, as save_page.sql has them.

    What `own_rules` (of the job) exclude is counted and not stored; what the table's rules exclude
    is stored as excluded.
    """
    counts = Counts()
    records: list[tuple[int, Place, Business]] = []
    for position, place in enumerate(page.places, start=page.first):
        record = business_of(place, search.location, search.country)
        if record is None:
            continue
        counts.found += 1
        if own_rules.match(record):
            counts.excluded += 1
        else:
            records.append((position, place, record))
    async with conn.transaction():
        await _merge(conn, search, records, counts)
        (row,) = await run(
            conn, "save_page", search.job_id, search.service, search.location, search.source,
            page.number, page.next_start, counts.found, counts.new, counts.merged, counts.excluded,
            page.calls, page.cost_microdollars, page.seconds, page.last,
        )  # fmt: skip
    return row


async def table_rules(conn: asyncpg.Connection) -> Rules:
    """The exclusions in the table."""
    rows = await run(conn, "exclusions")
    return rules_of(Rule(row["field"], row["pattern"], row["id"]) for row in rows)


async def _merge(
    conn: asyncpg.Connection,
    search: Search,
    records: Sequence[tuple[int, Place, Business]],
    counts: Counts,
) -> None:
    if not records:
        return
    await run(conn, "lock_leads")
    keys = sorted(set().union(*(record.keys for _, _, record in records)))
    stored = await run(conn, "candidates", keys, CANDIDATES_MAX)
    ids = [row[0] for row in await run(conn, "new_ids", len(records))]
    rules = await table_rules(conn)
    done = resolve([record for _, _, record in records], map(lead_of, stored), ids)
    for number in done.changed:
        exclude(done.leads[number], rules)
    rows = [row_of(done.leads[number]) for number in sorted(done.changed)]
    await run(conn, "save_leads", json.dumps(rows), search.job_id)
    if done.absorbed:
        await run(conn, "absorb_leads", list(done.absorbed), list(done.absorbed.values()))
    sources = []
    for (position, place, _), number, why in zip(records, done.lead_of, done.why, strict=True):
        if done.leads[number].excluded:
            counts.excluded += 1
        elif why == "new":
            counts.new += 1
        else:
            counts.merged += 1
        found = storable_json(asdict(place))
        sources.append({"lead_id": number, "position": position, "matched_by": why, "found": found})
    await run(
        conn, "save_sources", search.job_id, search.service, search.location, search.source,
        json.dumps(sources),
    )  # fmt: skip


def exclude(lead: Business, rules: Rules) -> None:
    """Say whether a rule excludes the lead; what was excluded by hand stays so."""
    if lead.excluded and lead.exclusion is None:
        return
    rule = rules.match(lead)
    lead.excluded, lead.exclusion = rule is not None, rule.id if rule else None


def lead_of(row: asyncpg.Record) -> Business:
    """A lead as candidates.sql has it."""
    return Business(**{**row, "keys": frozenset(row["keys"])})


def row_of(lead: Business) -> dict[str, Any]:
    """A lead as save_leads.sql takes it."""
    fields = asdict(lead)
    return {name: fields[name] for name in COLUMNS} | {"keys": sorted(lead.keys)}


async def run(conn: asyncpg.Connection, name: str, *values: Any) -> list[asyncpg.Record]:
    """The rows of a statement of this family."""
    return await conn.fetch(statement(name), *values, timeout=STATEMENT_SECONDS)


def statement(name: str) -> str:
    """A statement of this family."""
    return query(f"families/leads/{name}")
