"""Who is not to be a lead, and how leads reach the sites family, whose jobs then look at their websites."""

import json

import asyncpg
import pytest

from leads_town import Town, collected, ended, enqueue, names, row, town_at_work
from support import eventually

WHERE = ("glass", "Austin, TX")
SITE = "https://www.acme-glass.com/"
ACME = row("Acme Glass", phone="(512) 555-0142", website=SITE)
ZENITH = row("Zenith Tiles", phone="(512) 555-0177", website="https://zenith-tiles.com/")
EXCLUDE = (
    "insert into bellhand_leads.exclusions (field, pattern, reason) values ($1, $2, 'asked us to')"
)


async def collect(conn: asyncpg.Connection, **payload: object) -> dict[str, int]:
    given = {"services": WHERE[0], "locations": [WHERE[1]], "source": "serpapi", **payload}
    return await collected(conn, await enqueue(conn, "leads.collect", **given))


async def businesses(conn: asyncpg.Connection) -> list[tuple[str, str, bool]]:
    rows = await conn.fetch("select * from bellhand_sites.businesses order by id")
    return [(r["name"], r["website"], r["excluded"]) for r in rows]


async def checks(conn: asyncpg.Connection) -> list[tuple[str, int]]:
    """The sites.* jobs: kind and business."""
    rows = await conn.fetch("select kind, payload from bellhand.all_jobs where kind like 'sites.%' order by id")  # fmt: skip
    return [(r["kind"], json.loads(r["payload"])["business_id"]) for r in rows]


async def applied(conn: asyncpg.Connection, jobs: int) -> None:
    """Wait until the list of exclusions has been applied so many times."""
    count = "select count(*) from bellhand.all_jobs where kind = 'leads.apply_exclusions' and state = 'completed'"
    await eventually(lambda: _is(conn, count, jobs))


async def _is(conn: asyncpg.Connection, sql: str, wanted: int) -> bool:
    return await conn.fetchval(sql) == wanted


async def test_a_lead_with_a_website_becomes_a_business_whose_checks_are_enqueued_s2_03(dsn, conn):
    town = Town({WHERE: [ACME, row("No Site"), row("On A Network", website="facebook.com/x")]})
    async with town_at_work(dsn, town):
        await collect(conn)
        assert await businesses(conn) == [("Acme Glass", SITE, False)]
        assert [kind for kind, _ in await checks(conn)] == [
            "sites.validate",
            "sites.emails",
            "sites.phones",
            "sites.socials",
        ]
        linked = "select count(*) from bellhand_leads.leads l join bellhand_sites.businesses b on b.id = l.business_id"
        assert await conn.fetchval(linked + " where b.country = 'US'") == 1
        await collect(conn)
        assert len(await businesses(conn)) == 1


@pytest.mark.parametrize(
    ("field", "pattern"),
    [("domain", "acme-glass.com"), ("phone", "+15125550142"), ("name", "acme*")],
)
async def test_an_excluded_business_is_kept_as_such_and_no_job_is_enqueued_for_it_s2_03(
    dsn, conn, field, pattern
):
    town = Town({WHERE: [ACME, ZENITH]})
    async with town_at_work(dsn, town):
        await conn.execute(EXCLUDE, field, pattern)
        told = await collect(conn)
        assert (told["leads_found"], told["leads_new"], told["leads_excluded"]) == (2, 1, 1)
        assert await names(conn, "excluded") == ["Acme Glass"]
        assert [name for name, *_ in await businesses(conn)] == ["Zenith Tiles"]
        assert len(await checks(conn)) == 4


async def test_a_job_may_bring_exclusions_of_its_own_which_are_skipped_and_counted(dsn, conn):
    town = Town({WHERE: [ACME, ZENITH]})
    async with town_at_work(dsn, town):
        told = await collect(conn, exclusions="acme-glass.com, name: nobody*")
        assert (told["leads_found"], told["leads_new"], told["leads_excluded"]) == (2, 1, 1)
        assert await names(conn) == ["Zenith Tiles"]


async def test_a_rule_that_comes_later_holds_for_leads_there_are_and_its_end_too(dsn, conn):
    town = Town({WHERE: [ACME, ZENITH]})
    async with town_at_work(dsn, town):
        await collect(conn)
        await conn.execute(EXCLUDE, "name", "ACME*")
        await applied(conn, 1)
        assert await names(conn, "excluded and exclusion is not null") == ["Acme Glass"]
        assert [excluded for *_, excluded in await businesses(conn)] == [True, False]
        await conn.execute("delete from bellhand_leads.exclusions")
        await applied(conn, 2)
        assert await names(conn, "excluded") == []
        assert [excluded for *_, excluded in await businesses(conn)] == [False, False]


async def test_who_was_excluded_by_hand_stays_so_until_a_hand_takes_it_back(dsn, conn):
    town = Town({WHERE: [ACME]})
    by_hand = "update bellhand_leads.leads set excluded = $1"
    async with town_at_work(dsn, town):
        await collect(conn)
        await conn.execute(by_hand, True)
        assert [excluded for *_, excluded in await businesses(conn)] == [True]
        told = await collect(conn)
        assert told["leads_excluded"] == 1
        await conn.execute(EXCLUDE, "name", "nobody")
        await applied(conn, 1)
        assert await names(conn, "excluded") == ["Acme Glass"]
        await conn.execute(by_hand, False)
        assert [excluded for *_, excluded in await businesses(conn)] == [False]


async def test_many_changes_of_the_list_are_applied_by_few_jobs_and_none_is_missed(dsn, conn):
    town = Town({WHERE: [ACME, ZENITH]})
    async with town_at_work(dsn, town):
        await collect(conn)
        for n in range(20):
            await conn.execute(EXCLUDE, "name", f"nobody {n}")
        await conn.execute(EXCLUDE, "name", "zenith*")

        async def all_applied() -> bool:
            live = await conn.fetchval("select count(*) from bellhand.jobs where kind = 'leads.apply_exclusions'")  # fmt: skip
            return live == 0 and await names(conn, "excluded") == ["Zenith Tiles"]

        await eventually(all_applied)


async def test_the_list_changes_without_a_daemon_too(conn):
    warnings: list[str] = []
    conn.add_log_listener(lambda _, message: warnings.append(message.message))
    await conn.execute(EXCLUDE, "name", "acme*")
    await eventually(lambda: warnings)
    assert "do not yet hold" in warnings[0]
    assert await conn.fetchval("select count(*) from bellhand_leads.exclusions") == 1


async def test_two_leads_that_turn_out_to_be_one_share_what_is_known(dsn, conn):
    """The third record has the phone of the first and the site of the second."""
    bridge = row("Acme Glass", phone="(512) 555-0142", website=SITE)
    town = Town(
        {
            ("a", "Austin, TX"): [row("Acme Glass", phone="(512) 555-0142", address="12 Main St, Austin, TX")],
            ("b", "Dallas, TX"): [row("Acme Glass Works", website=SITE)],
            ("c", "Waco, TX"): [bridge],
        }
    )  # fmt: skip
    async with town_at_work(dsn, town):
        for service, place in list(town.found):
            await collect(conn, services=service, locations=[place])
        assert await names(conn) == ["Acme Glass"]
        one, two = await conn.fetch("select * from bellhand_leads.leads order by id")
        assert (two["merged_into"], one["domain"]) == (one["id"], "acme-glass.com")
        assert (one["business_id"], two["business_id"]) == (two["business_id"], two["business_id"])
        assert len(await businesses(conn)) == 1
        of = await conn.fetchval(
            "select count(*) from bellhand_leads.sources where lead_id = $1", one["id"]
        )
        assert of == 3


async def test_a_producer_may_exclude_and_read_but_not_invent_leads(conn):
    if not await conn.fetchval("select true from pg_roles where rolname = 'bellhand_producer'"):
        pytest.skip("the role bellhand_producer could not be created here")
    await conn.execute("insert into bellhand_leads.leads (name) values ('Acme')")
    await conn.execute("set role bellhand_producer")
    await conn.execute(EXCLUDE, "name", "acme*")
    await conn.execute("update bellhand_leads.leads set excluded = true")
    assert await conn.fetchval("select name from bellhand_leads.leads") == "Acme"
    for statement in ("insert into bellhand_leads.leads (name) values ('x')", "update bellhand_leads.leads set name = 'x'"):  # fmt: skip
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(statement)


async def test_naughty_names_reach_the_tables_as_clean_text(dsn, conn, test_data):
    lines = json.loads((test_data / "strings" / "blns.json").read_text(encoding="utf-8"))
    naughty = [row(line, address=line, website=line, phone=line) for line in lines if line.strip()]
    town = Town({WHERE: naughty})
    async with town_at_work(dsn, town):
        job = await enqueue(conn, "leads.collect", services=WHERE[0], locations=[WHERE[1]], pages_max=50)  # fmt: skip
        done = await ended(conn, job)
        assert done["state"] == "completed", done["error"]
        assert json.loads(done["result"])["leads_found"] > 80
