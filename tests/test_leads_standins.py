"""The whole way over the stand-ins of the services: searches that overlap, leads, businesses, checks of their sites."""

import asyncpg

from bellhand.dev.standins import businesses
from bellhand.dev.standins.server import served
from bellhand.families import leads, sites
from daemons import at_work
from leads_town import KINDS, collected, enqueue, publish
from nameserver import names_served
from support import eventually

SERVICES = ("bakery", "plumber", "window cleaning")
LOCATIONS = ("Austin, Texas", "Denver, Colorado")
QUICK = {"rate_per_second": 1000, "rate_burst": 1000}


async def test_overlapping_searches_of_two_sources_make_each_business_one_lead(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """What the stand-ins invent is known exactly, so every missed and every false merge shows."""
    there = {
        one.id
        for service in SERVICES
        for place in LOCATIONS
        for one in businesses.found(service, place)
    }
    await publish(dsn)
    async with served() as stand_ins:
        services = stand_ins.settings
        for name in ("serpapi", "places", "openai"):
            services[name] |= QUICK
        async with at_work(dsn, *KINDS, services=services):
            payload = {"services": SERVICES, "locations": LOCATIONS, "pages_max": 9}
            job = await enqueue(conn, "leads.collect", **payload)
            told = await collected(conn, job)
            assert told["leads_new"] == len(there) > 60
            assert told["leads_merged"] == told["leads_found"] - len(there) > 20
            second = await enqueue(conn, "leads.collect", **payload, source="places")
            again = await collected(conn, second)
            assert (again["leads_new"], again["leads_excluded"]) == (0, 0)
            assert again["leads_merged"] == told["leads_found"]
            third = await enqueue(
                conn, "leads.collect", services=SERVICES[:1], locations=LOCATIONS[:1],
                source="places", enrich=True,
            )  # fmt: skip
            judged = await collected(conn, third)
            assert judged["leads_enriched"] == judged["leads_found"] > 10
    assert await conn.fetchval("select count(*) from bellhand_leads.leads") == len(there)


async def test_a_search_ends_in_profiles_that_were_read_from_the_sites_it_found_s2_03(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with served(websites=True) as stand_ins, names_served() as (server, _):
        web = {
            "ports": (stand_ins.port,), "allow_networks": ("127.0.0.0/8",), "dns_servers": (server,),
        }  # fmt: skip
        kinds = (sites.validate_site, sites.collect_socials, leads.collect_leads)
        await publish(dsn)
        async with at_work(dsn, *kinds, services=stand_ins.settings, web=web):
            job = await enqueue(
                conn, "leads.collect", services="bakery", locations=["Austin, Texas"],
                source="serpapi", pages_max=1,
            )  # fmt: skip
            await collected(conn, job)
            with_site = await conn.fetchval(
                "select count(*) from bellhand_leads.leads where website is not null"
            )
            assert with_site >= 10

            async def all_read() -> bool:
                done = "select count(*) from bellhand_sites.businesses where website_status = 'ok' and socials <> '{}'"
                return await conn.fetchval(done) == with_site

            await eventually(all_read, 30)
