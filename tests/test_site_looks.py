"""Looking at websites again and again: what is written down, what changed, who is due, who is urgent."""

import json

import pytest
from aiohttp import web

from businesses import all_over, business, daemon, enter
from websites import html, redirect, serving

VALIDATE = "insert into bellhand.jobs (kind, payload) values ('sites.validate', $1)"
WAITING = "select kind, priority from bellhand.jobs order by id"


async def validate(conn, number: int) -> None:
    await conn.execute(VALIDATE, json.dumps({"business_id": number}))


async def test_s2_15_a_look_writes_all_it_learned_to_the_business(dsn, conn):
    async def home(_):
        headers = {"Server": "nginx/1.24.0", "Set-Cookie": "PHPSESSID=1"}
        return web.Response(text="<title>Acme</title>", content_type="text/html", headers=headers)

    asked = []

    async def anything(request):
        asked.append(request.path)
        return web.Response(text="<p>Sorry", content_type="text/html")

    async with serving(("/", home), ("/{any:.+}", anything)) as port, daemon(dsn, port):
        number = await enter(conn, f"http://127.0.0.1:{port}/", auto_check=False)
        await validate(conn, number)
        (job,) = await all_over(conn, 1)
        row = await business(conn, number)
    assert job["state"] == "completed"
    assert json.loads(job["result"])["tls_days_left"] is None
    assert (row["website_status"], row["website_soft_404"]) == ("ok", True)
    assert row["website_technologies"] == ["nginx 1.24.0", "PHP"]
    assert (row["website_parked"], row["website_needs_browser"]) == (None, False)
    assert [str(one) for one in row["website_addresses"]] == ["127.0.0.1"]
    assert row["website_mail"] == "unknown", "an address is no mail domain"
    assert asked[0] == "/robots.txt"
    assert len(asked) == 2, "the page that cannot exist costs one request"


async def test_the_name_is_looked_up_beside_the_page(dsn, conn):
    records = {"acme.invalid": None, "shop.invalid": {"A": ["192.0.2.7"], "MX": ["0 ."]}}
    async with daemon(dsn, 80, records=records) as _:
        numbers = [
            await enter(conn, f"http://{name}/", auto_check=False)
            for name in ("acme.invalid", "www.shop.invalid")
        ]
        for number in numbers:
            await conn.execute(
                "insert into bellhand.jobs (kind, payload, attempts_max)"
                " values ('sites.validate', $1, 1)",
                json.dumps({"business_id": number}),
            )
        await all_over(conn, 2)
        rows = [await business(conn, number) for number in numbers]
    assert [row["website_status"] for row in rows] == ["unreachable", "unreachable"]
    assert [row["website_mail"] for row in rows] == ["missing", "mx"]


async def test_changes_of_a_website_are_kept_with_what_was_before(dsn, conn):
    answers = [
        web.Response(text="<p>Acme", content_type="text/html"),
        web.Response(status=404),
        web.Response(status=404),
        web.Response(text="<p>This domain is for sale", content_type="text/html"),
    ]

    async def home(_):
        return answers.pop(0)

    async with serving(("/", home)) as port, daemon(dsn, port):
        number = await enter(conn, f"http://127.0.0.1:{port}/", auto_check=False)
        for look in range(4):
            await validate(conn, number)
            await all_over(conn, look + 1)
        changes = await conn.fetch(
            "select * from bellhand_sites.status_changes where business_id = $1 order by changed_at",
            number,
        )
    assert [(c["status_before"], c["status"], c["http_status"]) for c in changes] == [
        (None, "ok", 200),
        ("ok", "not_found", 404),
        ("not_found", "parked", 200),
    ]
    assert changes[1]["host"] == f"127.0.0.1:{port}"


async def test_a_soft_404_and_a_loop_and_a_forbidden_probe(dsn, conn):
    async def rules(request):
        return web.Response(text="User-agent: *\nDisallow: /")

    async with (
        serving(("/gone", redirect("/")), ("/{any:.*}", html("<p>Home"))) as everything,
        serving(("/robots.txt", rules), ("/", html("<p>Home"))) as shy,
        daemon(dsn, everything, shy),
    ):
        lost = await enter(conn, f"http://127.0.0.1:{everything}/old/page", auto_check=False)
        quiet = await enter(conn, f"http://127.0.0.1:{shy}/", auto_check=False)
        await validate(conn, lost)
        await validate(conn, quiet)
        await all_over(conn, 2)
        lost_row, quiet_row = await business(conn, lost), await business(conn, quiet)
    assert (lost_row["website_status"], lost_row["website_soft_404"]) == ("not_found", True)
    assert "any address" in lost_row["website_error"]
    assert (quiet_row["website_status"], quiet_row["website_soft_404"]) == ("ok", None)


async def test_the_certificates_days_are_counted_by_the_databases_clock(conn):
    number = await enter(conn, "https://acme.test/", auto_check=False)
    await conn.execute(
        "update bellhand_sites.businesses set website_tls_expires_at = now() + interval '36 hours'"
    )
    left = "select bellhand_sites.tls_days_left(website_tls_expires_at) from bellhand_sites.businesses where id = $1"
    assert await conn.fetchval(left, number) == 1
    await conn.execute(
        "select set_config('bellhand.now', (now() + interval '3 days')::text, false)"
    )
    assert await conn.fetchval(left, number) == -2


# Who is due, and who is urgent.


async def test_s2_f2_a_job_enqueues_what_was_looked_at_longest_ago(dsn, conn):
    async with serving(("/", html("<p>Acme"))) as port, daemon(dsn, port):
        days = {"new": 1, "old": 40, "older": 50, "oldest": 60, "never": None}
        numbers = {}
        for name, ago in days.items():
            numbers[name] = await enter(
                conn, f"http://127.0.0.1:{port}/?{name}", auto_check=False, name=name
            )
            await conn.execute(
                "update bellhand_sites.businesses set auto_check = true,"
                " website_checked_at = now() - make_interval(days => $2) where id = $1",
                numbers[name], ago,
            )  # fmt: skip
        excluded = await enter(conn, f"http://127.0.0.1:{port}/", excluded=True)
        manual = await enter(conn, f"http://127.0.0.1:{port}/", auto_check=False)
        before = await conn.fetchval(
            "select max(website_checked_at) from bellhand_sites.businesses"
        )
        await conn.execute(
            "insert into bellhand.jobs (kind, payload) values ('sites.revalidate', $1)",
            '{"older_than_days": 30, "businesses_max": 3}',
        )
        rows = await all_over(conn, 4)
        looked_at = await conn.fetch(
            "select name from bellhand_sites.businesses where website_checked_at > $1 order by 1",
            before,
        )
    assert json.loads(rows[0]["result"]) == {"jobs_enqueued": 3}
    assert [row["name"] for row in looked_at] == ["never", "older", "oldest"]
    assert {(row["kind"], row["priority"]) for row in rows[1:]} == {("sites.validate", 2)}
    assert excluded
    assert manual


async def test_what_is_due_and_waits_already_gets_no_second_job(dsn, conn):
    async with daemon(dsn, 80):
        pass
    await enter(conn, "http://acme.test/")
    stale = "select bellhand_sites.enqueue_stale(interval '30 days')"
    assert await conn.fetchval(stale) == 0
    assert len(await conn.fetch(WAITING)) == 4


@pytest.mark.parametrize("due", ["now", "later"])
async def test_s2_f1_an_urgent_call_puts_checks_that_wait_in_front(dsn, conn, due):
    async with daemon(dsn, 80):
        pass
    first = await enter(conn, "http://acme.test/")
    second = await enter(conn, "http://shop.test/")
    if due == "later":
        await conn.execute("select bellhand.cancel(id) from bellhand.jobs")
        await conn.execute(
            "insert into bellhand.jobs (kind, payload, unique_key, run_at)"
            " select 'sites.validate', jsonb_build_object('business_id', b), 'business:' || b,"
            " now() + interval '1 day' from unnest($1::bigint[]) b",
            [first, second],
        )
    urgent = "select bellhand_sites.enqueue_checks(array[$1::bigint], 9, array['sites.validate'])"
    assert await conn.fetchval(urgent, second) == 0
    waiting = await conn.fetch("select * from bellhand.queue order by rank, id")
    head = await conn.fetchrow("select * from bellhand.jobs where id = $1", waiting[0]["id"])
    assert (head["kind"], head["priority"]) == ("sites.validate", 9)
    assert head["unique_key"] == f"business:{second}"
    lower = "select bellhand_sites.enqueue_checks(array[$1::bigint], 1)"
    await conn.fetchval(lower, second)
    assert await conn.fetchval("select max(priority) from bellhand.jobs") == 9


async def test_checks_are_named_or_refused(conn):
    with pytest.raises(Exception, match="not all checks"):
        await conn.execute("select bellhand_sites.enqueue_checks('{1}', 5, array['crm.mail'])")
