"""Customers from an HTTP source: what is taken in, what is left out and why, who is deleted and who is not."""

import json

import asyncpg
import pytest
from aiohttp import web

from daemons import until
from sources import TOKEN, customers, passed, person, problems, put, reading, source, sync


def counts(row: asyncpg.Record) -> dict[str, int]:
    """What the result of a job says, without zeros."""
    result = json.loads(row["result"])
    names = ("pages", "created", "updated", "unchanged", "repeated", "bad", "deleted")
    return {name: result[name] for name in names if result[name]}


async def test_a_pass_takes_in_what_is_new_and_changed_and_deletes_what_is_gone(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """S4-01, S4-11: sync_customer_data; softly, and back again when the source has them again."""
    people = [person(n) for n in range(1, 6)]
    async with source(conn, people) as shop, reading(dsn, shop):
        first = await until(conn, await sync(conn), "completed")
        assert counts(first) == {"pages": 3, "created": 5}
        assert shop.pages() == ["", "cursor=c2", "cursor=c3"]
        assert all(one.headers["Authorization"] == f"Bearer {TOKEN}" for one in shop.asked)
        again = await until(conn, await sync(conn), "completed")
        assert counts(again) == {"pages": 3, "unchanged": 5}
        shop.people = [person(1, name="Anna"), person(2), person(5), person(6)]
        row = await until(conn, await sync(conn), "completed")
        assert counts(row) == {"pages": 2, "updated": 1, "unchanged": 2, "created": 1, "deleted": 2}
        found = await customers(conn, "name, email, consent, deleted_at is not null")
        assert found["1"] == ("Anna", "p1@example.com", False, False)
        assert [id for id, one in found.items() if one[3]] == ["3", "4"]
        shop.people = people
        row = await until(conn, await sync(conn), "completed")
        assert counts(row) == {"pages": 3, "updated": 3, "unchanged": 2, "deleted": 1}
        assert [id for id, one in (await customers(conn, "deleted_at")).items() if one[0]] == ["6"]
    assert (await passed(conn))["state"] == "completed"


async def test_bad_rows_are_written_down_and_stop_nothing(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """Each with its page, its place and the reason, without what it holds; who has a bad row is not gone."""
    async with source(conn, [person(n) for n in range(1, 5)], page_rows=12, size_parameter="limit") as shop:  # fmt: skip
        shop.page_rows = 12
        async with reading(dsn, shop):
            await until(conn, await sync(conn), "completed")
            assert shop.pages() == ["limit=12"]
            shop.people = [
                person(1, contact={"email": "no address"}),
                person(2),
                person(2, name="again"),
                person(3, tier="gold"),
                person(4, optIn="yes"),
                person(7, name="x" * 201),
                person(8, name="a\x00b"),
                person(9, contact=None, tier=None, optIn=None),
            ]
            row = await until(conn, await sync(conn), "completed")
            assert counts(row) == {"pages": 1, "bad": 6, "created": 1, "unchanged": 1}
            assert await problems(conn) == [
                (1, 1, "1", "email is no address"),
                (1, 3, "2", "its id comes twice on this page; the first counts"),
                (1, 4, "3", "tier is none of standard, premium, vip"),
                (1, 5, "4", "consent is neither true nor false"),
                (1, 6, "7", "name is longer than 200 characters"),
                (1, 7, "8", "name is no text that can be stored"),
            ]
            found = await customers(conn, "name, email, deleted_at")
            assert found["1"] == ("P1", "p1@example.com", None)
            assert found["9"] == ("P9", None, None)
            # Somebody whose id cannot be read may be anybody: nobody is deleted then.
            shop.people = [
                person(1),
                {"name": "nobody"},
                "junk",
                person(2, id=None),
                person(2, id=True),
            ]
            row = await until(conn, await sync(conn), "completed")
            assert counts(row) == {"pages": 1, "bad": 4, "unchanged": 1}
            assert json.loads(row["result"])["why_none_deleted"] == "4 rows had no readable id"


async def test_what_the_database_refuses_is_one_row_and_not_its_page(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """A customer of another source, and a column's own check, which knows more than we do."""
    await conn.execute(
        "alter table bellhand_crm.customers add constraint no_eve check (name <> 'Eve')"
    )
    people = [person(1), person(2, name="Eve"), person(3)]
    async with source(conn, people) as shop, reading(dsn, shop):
        row = await until(conn, await sync(conn), "completed")
        assert counts(row) == {"pages": 2, "created": 2, "bad": 1}
        ((_, position, id, reason),) = await problems(conn)
        assert (position, id) == (2, "2")
        assert "no_eve" in reason
        await conn.execute(
            "insert into bellhand_crm.sources (name, url, fields, id_prefix) select 'twin', url, fields, '' from bellhand_crm.sources"
        )
        row = await until(conn, await sync(conn, "twin"), "completed")
        assert counts(row) == {"pages": 2, "bad": 3}
        assert "customer 1 belongs to source shop" in (await problems(conn))[1][3]
        await conn.execute("update bellhand_crm.sources set id_prefix = 'twin-'")
        row = await until(conn, await sync(conn, "twin"), "completed")
        assert counts(row) == {"pages": 2, "created": 2, "bad": 1}
        # Those that are here keep the ids that they have.
        row = await until(conn, await sync(conn), "completed")
        assert counts(row) == {"pages": 2, "unchanged": 2, "bad": 1}


async def test_what_was_changed_here_stays_in_the_fields_that_are_ours(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """In local_fields a local edit beats the source; in the others the source is right; who was deleted here stays so."""
    await put(conn, "customers", id="3", name="Cleo", email="cleo@example.com")
    people = [person(n) for n in range(1, 5)]
    async with source(conn, people, local_fields=["name", "tier"]) as shop, reading(dsn, shop):
        row = await until(conn, await sync(conn), "completed")
        assert counts(row) == {"pages": 2, "created": 3, "updated": 1}
        await conn.execute(
            "update bellhand_crm.customers set name = 'Ours', email = 'ours@example.com' where id = '1'"
        )
        await conn.execute(
            "update bellhand_crm.customers set deleted_at = bellhand.now(), name = null, email = null where id = '4'"
        )
        shop.people = [person(n, name=f"New{n}", tier="vip") for n in range(1, 5)]
        await until(conn, await sync(conn), "completed")
        found = await customers(conn, "name, email, tier, deleted_at is not null")
    assert found == {
        "1": ("Ours", "p1@example.com", "vip", False),
        "2": ("New2", "p2@example.com", "vip", False),
        "3": ("Cleo", "p3@example.com", "vip", False),  # was here before the source
        "4": (None, None, "standard", True),  # erased, and nothing of them comes back
    }
    said = "select said::text from bellhand_crm.synced_customers where customer_id = '4'"
    assert await conn.fetchval(said) == "{}"


async def test_a_pass_that_would_delete_too_many_deletes_nobody(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """An empty answer is more often a fault than the truth; a person may say that it is true."""
    async with source(conn, [person(n) for n in range(1, 5)]) as shop, reading(dsn, shop):
        await until(conn, await sync(conn), "completed")
        shop.people = [person(1)]
        row = await until(conn, await sync(conn), "failed")
        assert "3 of the 4 customers of source shop are missing" in row["error"]
        assert not any(one[0] for one in (await customers(conn, "deleted_at")).values())
        await conn.execute("update bellhand_crm.sources set delete_share_max = 1")
        asked = len(shop.asked)
        await conn.execute("select bellhand.retry($1)", row["id"])
        row = await until(conn, row["id"], "completed")
        assert counts(row) == {"pages": 1, "unchanged": 1, "deleted": 3}
        assert len(shop.asked) == asked, "what was read need not be read again"
        await conn.execute("update bellhand_crm.sources set deletes = false")
        shop.people = []
        row = await until(conn, await sync(conn), "completed")
        assert counts(row) == {"pages": 1}


async def test_pages_by_number_end_with_one_that_is_not_full(
    dsn: str, conn: asyncpg.Connection
) -> None:
    columns = {"paging": "page", "page_rows": 2, "size_parameter": "per", "token": None}
    async with source(conn, [person(n) for n in range(1, 4)], **columns) as shop, reading(dsn, shop):  # fmt: skip
        row = await until(conn, await sync(conn), "completed")
        assert counts(row) == {"pages": 2, "created": 3}
        assert shop.pages() == ["page=1&per=2", "page=2&per=2"]
        assert "Authorization" not in shop.asked[0].headers


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"url": "http://shop.example.com/c"}, "a_token_goes_encrypted_or_stays_inside"),
        ({"url": "file:///etc/passwd", "token": None}, "url"),
        ({"fields": '{"name": "name"}'}, "fields"),
        ({"fields": '{"id": "id", "phone": "phone"}'}, "fields"),
        ({"fields": '{"id": 1}'}, "fields"),
        ({"local_fields": ["phone"]}, "local_fields"),
        ({"size_parameter": "limit"}, "check"),
        ({"token": "two\nlines"}, "token"),
    ],
)
async def test_bad_sources_are_refused_where_they_are_written(
    conn: asyncpg.Connection, columns: dict[str, object], why: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match=why):
        async with source(conn, [], **columns):
            pass


@pytest.mark.parametrize("role", ["producer", "reader"])
async def test_the_token_is_read_by_the_daemon_alone(conn: asyncpg.Connection, role: str) -> None:
    readable = await conn.fetch(
        "select column_name from information_schema.column_privileges where table_schema = 'bellhand_crm'"
        " and table_name = 'sources' and grantee = $1 and privilege_type = 'SELECT'",
        f"bellhand_{role}",
    )
    names = {row["column_name"] for row in readable}
    assert "url" in names
    assert "token" not in names


async def test_a_source_in_a_private_network_needs_permission(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with source(conn, [person(1)]) as shop:
        async with reading(dsn, shop, web={"ports": [shop.port]}):
            row = await until(conn, await sync(conn), "failed")
            assert "web.allow_networks" in row["error"]
            assert TOKEN not in row["error"]
            none = await until(conn, await sync(conn, "elsewhere"), "failed")
            assert "there is no source elsewhere" in none["error"]
        assert shop.asked == []


def moved() -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": "https://example.com/"})


async def test_an_answer_that_no_repetition_changes_fails_the_job(
    dsn: str, conn: asyncpg.Connection
) -> None:
    large = b'{"data": [' + b'"x",' * 3_000_000 + b'"x"]}'
    async with source(conn, [person(1)]) as shop, reading(dsn, shop):
        for say, why in (
            (lambda: web.Response(status=401), "it refuses the token (HTTP 401)"),
            (moved, "it leads to https://example.com/ (HTTP 302)"),
            (lambda: web.Response(status=404), "HTTP 404"),
            (lambda: web.Response(body=large), "the body is too large"),
        ):
            shop.say[1] = say
            row = await until(conn, await sync(conn), "failed")
            assert why in row["error"]
            assert TOKEN not in row["error"]
    assert await customers(conn, "name") == {}
