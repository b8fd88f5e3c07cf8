"""E-mail addresses on real pages, against what people labelled."""

import time
from pathlib import Path

import asyncpg

from accuracy import measure, score, served, truth_in
from bellhand.families import sites
from bellhand.families.sites.emails import Email
from daemons import at_work
from support import eventually

KINDS = (sites.validate_site, sites.collect_emails, sites.collect_socials)
OVER = "select count(*) from bellhand.all_jobs where state = 'completed' and not partial"


async def test_every_labelled_address_is_found_and_hardly_anything_else(test_data: Path):
    report = await measure(test_data / "websites")
    print(report)
    assert report.pages == 286
    assert report.labels > 80
    assert report.recall == 1.0, report.missed
    assert report.precision > 0.95, report.extra
    # Even if what links hide behind another address counted, it would not be many.
    assert report.precision_with_aliases > 0.93, report.aliases


async def test_what_is_found_without_a_label_is_on_the_page_all_the_same(test_data: Path):
    """Pages without labels were labelled for other things: judge them by their own markup."""
    report = await measure(test_data / "websites")
    pages = test_data / "websites" / "pages"
    plain = 0
    for page, email in [*report.extra, *report.unlabelled]:
        source = (pages / page).read_text(encoding="utf-8", errors="replace").lower()
        plain += email.address in source
    found = len(report.extra) + len(report.unlabelled)
    assert found > 100
    # The rest are written in entities or percent signs; the report lists every one.
    assert plain >= found - 5


async def test_a_daemon_checks_all_of_them_as_businesses(
    test_data: Path, dsn: str, conn: asyncpg.Connection
):
    folder = test_data / "websites"
    truth = truth_in(folder)
    async with served(folder) as port:
        web = {"ports": (port,), "allow_networks": ("127.0.0.0/8",), "connections_per_host": 16}
        async with at_work(dsn, *KINDS, web=web):
            started = time.perf_counter()
            await conn.executemany(
                "insert into bellhand_sites.businesses (name, website) values ($1, $2)",
                [(row["page"], f"http://127.0.0.1:{port}/{row['page']}") for row in truth],
            )

            async def all_completed() -> bool:
                return await conn.fetchval(OVER) == 3 * len(truth)

            await eventually(all_completed, 50, because="three jobs a page completed")
            seconds = time.perf_counter() - started
        found: dict[str, list[Email]] = {}
        for row in await conn.fetch(
            "select b.name, e.* from bellhand_sites.emails e"
            " join bellhand_sites.businesses b on b.id = e.business_id"
        ):
            email = Email(row["address"], row["how"], row["role"], tuple(row["aliases"]))
            found.setdefault(row["name"], []).append(email)
        report = score(truth, found, seconds)
        fetches = await conn.fetchval("select count(*) from bellhand_sites.page_checks")
        print(f"858 jobs, {fetches} distinct pages in {seconds:.1f} s")
        assert report.recall == 1.0, report.missed
        assert report.precision > 0.95, report.extra
        statuses = await conn.fetch(
            "select website_status, count(*) from bellhand_sites.businesses group by 1"
        )
        assert dict(statuses) == {"ok": len(truth)}
        assert await conn.fetchval("select count(*) from bellhand_sites.socials") > 200
