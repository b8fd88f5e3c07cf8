"""Whether businesses run Google Ads: search as their customers do, and look who advertises."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bellhand.clients.serpapi import Ad
from bellhand.clients.usage import metered
from bellhand.job import Job
from bellhand.kinds import job_kind
from bellhand.outcomes import storable_json

from .business import Business
from .contact import host_of, own_domain, website_of
from .keep import run
from .payloads import CheckAds
from .similar import names_equal

CHECKS_TOLD_MAX = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """A business to look for, from where one searches, and the words to search for, best first."""

    name: str
    domain: str | None
    location: str
    queries: tuple[str, ...]
    lead_id: int | None = None


@job_kind("leads.check_google_ads", lane="leads", attempts_max=3, timeout_seconds=None, step_timeout_seconds=600, side_effects="none")  # fmt: skip
async def check_google_ads(args: CheckAds, job: Job) -> dict[str, Any]:
    """Look whether businesses run Google Ads, one step each, and keep the evidence.

    The result tells the first looks; all are in bellhand_leads.ads_checks.
    """
    asked, unknown = await _asked(args, job)

    async def look(one: Asked) -> dict[str, Any]:
        return await _look(job, one)

    found = await job.each(asked, look, name=lambda one: f"ads of {one.name} in {one.location}")
    told = [one for one in found if one is not None]
    running = [one for one in told if one["runs_ads"]]
    result: dict[str, Any] = {"checked": len(told), "runs_ads": len(running)}
    result["checks"] = told[:CHECKS_TOLD_MAX]
    if unknown:
        result["unknown_lead_ids"] = unknown
    return result


@job_kind("google-ads-check", lane="leads", attempts_max=3, timeout_seconds=None, step_timeout_seconds=600, side_effects="none")  # fmt: skip
async def google_ads_check(args: CheckAds, job: Job) -> dict[str, Any]:
    """The same as leads.check_google_ads, under the name that seed 000 has for it."""
    return await check_google_ads(args, job)


def evidence(ads: Sequence[Ad], query: str, name: str, domain: str | None) -> list[dict[str, Any]]:
    """The ads that are the business's own: they lead to its domain, or name it as the advertiser.

    The whole name, not a part of it. Beside a domain that leads elsewhere a name proves nothing:
    resellers advertise brands.
    """
    own = Business(name)
    found = []
    for ad in ads:
        ad_domain = own_domain(ad.domain) if ad.domain else None
        if domain and ad.domain and (ad_domain or ad.domain) == domain:
            why = "domain"
        elif ad.advertiser and not (domain and ad_domain) and names_equal(own, Business(ad.advertiser)):  # fmt: skip
            why = "advertiser"
        else:
            continue
        found.append({
            "query": query, "title": ad.title, "link": ad.link, "domain": ad.domain, "advertiser": ad.advertiser,
            "position": ad.position, "block": ad.block, "matched_by": why,
        })  # fmt: skip
    return found


async def _look(job: Job, one: Asked) -> dict[str, Any]:
    """Search until its ads are found or the words are used up, and write down what came."""
    proofs: list[dict[str, Any]] = []
    searched, seen = [], 0
    with metered() as meter:
        for words in one.queries:
            ads = await job.services.serpapi.ads(words, one.location)
            searched.append(words)
            seen += len(ads)
            proofs = evidence(ads, words, one.name, one.domain)
            if proofs:
                break
    step = f"{one.lead_id or ''}:{one.name}:{one.domain or ''}:{one.location}"
    async with job.connection() as conn:
        (row,) = await run(
            conn, "save_ads_check", job.id, step, one.lead_id, one.name, one.domain, one.location, searched,
            bool(proofs), seen, json.dumps(storable_json(proofs)),
        )  # fmt: skip
    job.count("api_calls", meter.calls)
    job.count("cost", meter.cost_microdollars / 1e6)
    job.count("businesses_with_ads", bool(proofs))
    told = {"check_id": row["id"], "name": one.name, "runs_ads": bool(proofs), "ads_seen": seen}
    return told | ({"lead_id": one.lead_id} if one.lead_id else {})


async def _asked(args: CheckAds, job: Job) -> tuple[list[Asked], list[int]]:
    """Whom to look for, each once, and the lead ids that there are none of."""
    asked: dict[Any, Asked] = {}
    async with job.connection() as conn:
        rows = await run(conn, "ads_leads", args.lead_ids)
    for row in rows:
        if row["excluded"] or not row["location"]:
            continue
        queries = (row["name"], *row["services"])[: args.searches_max]
        domain = row["domain"] or (host_of(row["website"]) if row["website"] else None)
        one = Asked(row["name"], domain, row["location"], queries, row["id"])
        asked.setdefault(row["id"], one)
    for given in args.businesses:
        site = website_of(given.domain)
        domain = site.domain if site else None
        name = given.name or domain or given.domain or ""
        queries = tuple(dict.fromkeys(word for word in (given.name, domain) if word)) or (name,)
        one = Asked(name, domain, given.location, queries[: args.searches_max])
        asked.setdefault((one.name, one.domain, one.location), one)
    known = {row["asked_id"] for row in rows}
    return list(asked.values()), [number for number in args.lead_ids if number not in known]
