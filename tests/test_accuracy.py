"""E-mail addresses and phone numbers on real pages, against what people labelled."""

import time
from pathlib import Path

import asyncpg

import phone_accuracy
from accuracy import measure, score, served, texts_of, truth_in
from bellhand.families.sites.emails import Email
from businesses import KINDS
from daemons import at_work
from nameserver import names_served
from support import eventually

OVER = "select count(*) from bellhand.all_jobs where state = 'completed' and not partial"


async def test_every_labelled_address_is_found_and_hardly_anything_else(test_data: Path):
    report = await measure(test_data / "websites")
    print(report)
    assert report.pages == 286
    assert report.labels > 80
    assert report.recall == 1.0, report.missed
    assert report.precision >= 0.97, report.extra
    # Even if everything counted that stands only behind links, it would not be many.
    assert report.precision_of_all > 0.96, report.behind_links
    assert report.precision_with_aliases > 0.93, report.aliases


async def test_what_is_found_without_a_label_is_on_the_page_all_the_same(test_data: Path):
    """Pages without labels were labelled for other things: judge them by their own markup."""
    report = await measure(test_data / "websites")
    pages = test_data / "websites" / "pages"
    plain = 0
    without = [*report.extra, *report.behind_links, *report.unlabelled]
    for page, email in without:
        source = (pages / page).read_text(encoding="utf-8", errors="replace").lower()
        plain += email.address in source
    assert len(without) > 100
    # The rest are written in entities or percent signs; the report lists every one.
    assert plain >= len(without) - 5


def test_labelled_phone_numbers_are_found_and_faxes_told_apart(test_data: Path):
    report = phone_accuracy.measure(test_data / "websites")
    print(report)
    assert report.labels > 700
    assert report.recall >= 0.93, report.missed
    assert report.precision >= 0.98, report.extra
    assert report.faxes_marked >= 0.9 * report.faxes > 100, report.faxes_missed
    assert report.wrongly_fax == []


async def test_a_daemon_checks_all_of_them_as_businesses(
    test_data: Path, dsn: str, conn: asyncpg.Connection
):
    folder = test_data / "websites"
    truth = truth_in(folder)
    async with served(folder) as port:
        web = {"ports": (port,), "allow_networks": ("127.0.0.0/8",), "connections_per_host": 16}
        async with (
            names_served() as (names, _),
            at_work(dsn, *KINDS, web={**web, "dns_servers": (names,)}),
        ):
            started = time.perf_counter()
            await conn.executemany(
                "insert into bellhand_sites.businesses (name, website) values ($1, $2)",
                [(row["page"], f"http://127.0.0.1:{port}/{row['page']}") for row in truth],
            )

            async def all_completed() -> bool:
                return await conn.fetchval(OVER) == 4 * len(truth)

            await eventually(all_completed, 50, because="four jobs a page completed")
            seconds = time.perf_counter() - started
        found: dict[str, list[Email]] = {}
        for row in await conn.fetch(
            "select b.name, e.* from bellhand_sites.emails e"
            " join bellhand_sites.businesses b on b.id = e.business_id"
        ):
            email = Email(row["address"], row["how"], row["role"], tuple(row["aliases"]))
            found.setdefault(row["name"], []).append(email)
        report = score(truth, found, texts_of(folder, truth), seconds)
        fetches = await conn.fetchval("select count(*) from bellhand_sites.page_checks")
        print(f"1144 jobs, {fetches} distinct pages in {seconds:.1f} s")
        assert report.recall == 1.0, report.missed
        assert report.precision >= 0.97, report.extra
        assert await conn.fetchval("select count(*) from bellhand_sites.phones") > 400
        statuses = await conn.fetch(
            "select website_status, count(*) from bellhand_sites.businesses group by 1"
        )
        assert dict(statuses) == {"ok": len(truth)}
        assert await conn.fetchval("select count(*) from bellhand_sites.socials") > 200
