"""The kinds of the leads family that collect, and that keep the list of exclusions true."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from bellhand.job import Job
from bellhand.kinds import job_kind
from bellhand.outcomes import Snooze

from .country import country_of
from .enrich import enrich
from .exclusions import rule_of, rules_of
from .keep import exclude, lead_of, run, table_rules
from .payloads import Collect
from .search import search

LEADS_PER_LOOK = 1000


@job_kind(
    "leads.collect",
    lane="leads",
    attempts_max=3,
    timeout_seconds=None,
    step_timeout_seconds=600,
    estimate="bellhand_leads.quote",
    side_effects="none",
)
async def collect_leads(args: Collect, job: Job) -> dict[str, Any]:
    """Collect leads: search for every service in every location, one step each."""
    # Reading a gazetteer takes a while, once.
    await asyncio.to_thread(lambda: [country_of(place) for place in args.locations])
    rules = rules_of(rule_of(text, args.country) for text in args.exclusions)

    async def search_pair(pair: tuple[str, str]) -> dict[str, Any]:
        job.progress(message=step_name(pair))
        return await search(job, args, pair, rules)

    job.progress(stage="searching")
    await job.each(args.pairs, search_pair, name=step_name, concurrency=args.concurrency)
    enriched: dict[str, Any] = {}
    # What is to be searched again comes before what is to be paid for once.
    if args.enrich and not job.comes_back:
        job.progress(stage="enriching")
        enriched = await enrich(job, args)
    async with job.connection() as conn:
        (row,) = await run(conn, "totals", job.id)
    totals = dict(row) | enriched
    totals["api_calls"] += totals.pop("enrich_calls", 0)
    totals["cost"] = round(totals["cost"] + totals.pop("enrich_cost", 0.0), 6)
    job.progress(stage="done", message=_told(totals))
    return totals


@job_kind("lead-collection", lane="leads", attempts_max=3, timeout_seconds=None, step_timeout_seconds=600, side_effects="none")  # fmt: skip
async def lead_collection(args: Collect, job: Job) -> dict[str, Any]:
    """The same as leads.collect, under the name that seed 000 has for it."""
    return await collect_leads(args, job)


@job_kind(
    "leads.apply_exclusions",
    lane="leads",
    attempts_max=5,
    timeout_seconds=3600,
    side_effects="none",
)
async def apply_exclusions(job: Job) -> None:
    """Go over all leads after the list of exclusions changed; what was excluded by hand stays so."""
    async with job.connection() as conn:
        looked = [tuple(row) for row in await run(conn, "exclusions")]
    after = 0
    while True:
        async with job.connection() as conn, conn.transaction():
            await run(conn, "lock_leads")
            rules = await table_rules(conn)
            rows = await run(conn, "leads_after", after, LEADS_PER_LOOK)
            leads = [lead_of(row) for row in rows]
            before = [(lead.excluded, lead.exclusion) for lead in leads]
            for lead in leads:
                exclude(lead, rules)
            changed = [
                {"id": lead.id, "excluded": lead.excluded, "exclusion": lead.exclusion}
                for lead, was in zip(leads, before, strict=True)
                if (lead.excluded, lead.exclusion) != was
            ]
            await run(conn, "save_excluded", json.dumps(changed))
        job.count("leads_seen", len(leads))
        job.count("leads_changed", len(changed))
        if not leads:
            break
        after = leads[-1].id or 0
    # A change meanwhile found this job's unique key taken. The lock ends with the job: what comes
    # later finds the key free.
    async with job.transaction() as conn:
        await run(conn, "lock_exclusions")
        if [tuple(row) for row in await run(conn, "exclusions")] != looked:
            raise Snooze(0, "the list of exclusions changed meanwhile")


def step_name(pair: tuple[str, str]) -> str:
    """What a step is called: "Web Development in Dhaka"."""
    return f"{pair[0]} in {pair[1]}"


def _told(totals: dict[str, Any]) -> str:
    parts = [
        f"{totals['leads_found']} found, {totals['leads_new']} new, {totals['leads_merged']} merged, "
        f"{totals['leads_excluded']} excluded"
    ]
    if totals.get("not_enriched"):
        parts.append(f"{totals['not_enriched']} not enriched: {totals['not_enriched_why']}")
    return "; ".join(parts)
