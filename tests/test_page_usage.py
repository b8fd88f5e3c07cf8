"""What outside services were used for and what that cost, on the pages of kinds and of the system."""

import json
import uuid

import asyncpg
import pytest

from bellhand.dashboard.usage import Used, dollars, used
from bellhand.sql import query
from pages import browsing, text_of
from support import eventually


def row(service: str, kind: str, *, today: bool = True, **more: int | None) -> dict[str, object]:
    names = ("calls", "failures", "units_in", "units_out", "unpriced_calls")
    return {"service": service, "kind": kind, "today": today, "cost_microdollars": None} | dict.fromkeys(names, 0) | more  # fmt: skip


@pytest.mark.parametrize(("service", "given", "words"), [
    ("serpapi", {"calls": 90, "failures": 3, "units_in": 87, "cost_microdollars": 1_305_000}, "87 searches, 3 failed, $1.30"),
    ("places", {"calls": 1, "units_in": 1, "cost_microdollars": 32_000}, "1 search, $0.03"),
    ("openai", {"calls": 2, "units_in": 9120, "units_out": 410, "cost_microdollars": 4200}, "9,120 tokens in, 410 out, $0.0042"),
    ("openai", {"calls": 2, "units_in": 5, "units_out": 1, "unpriced_calls": 2}, "5 tokens in, 1 out, no price known"),
    ("openai", {"calls": 3, "units_in": 5, "cost_microdollars": 20_000, "unpriced_calls": 1}, "5 tokens in, 0 out, $0.02 and 1 call without a price"),
    ("stripe", {"calls": 4, "cost_microdollars": 0}, "4 calls"),
    ("stripe", {}, "-"),
])  # fmt: skip
def test_what_was_used_is_said_in_the_units_of_the_service(service, given, words) -> None:
    one = Used(service)
    one.add(row(service, "", **given))
    assert (one.said(one.today), one.said(one.week)) == (words, words)


def test_today_is_among_the_seven_days_and_the_dearest_comes_first() -> None:
    found = used([
        row("openai", "a", calls=1, cost_microdollars=5), row("openai", "a", today=False, calls=2, cost_microdollars=6),
        row("openai", "b", calls=1, cost_microdollars=50),
    ])  # fmt: skip
    assert [(one.kind, one.today.calls, one.week.calls, one.week.cost) for one in found] == [("b", 1, 1, 50), ("a", 1, 3, 11)]  # fmt: skip
    assert [dollars(n) for n in (0, 42, 1_234_567_890)] == ["$0.00", "$0.0000", "$1,234.57"]


async def write(conn: asyncpg.Connection, kind: str, days_ago: int, **more: int) -> None:
    call = {"service": "serpapi", "operation": "local", "kind": kind, "owner": f"u_{days_ago}", "calls": 1, "failures": 0, "units_in": 1, "units_out": 0, "cost": 15_000, "unpriced": 0} | more  # fmt: skip
    health = {"service": "serpapi", "cost": call["cost"], "alive": True, "sick": 0, "failures_max": 5, "open_seconds": 30}  # fmt: skip
    await conn.fetch(query("record_calls"), uuid.uuid4(), 1, json.dumps([call]), json.dumps([health] if not days_ago else []))  # fmt: skip
    await conn.execute("update bellhand.usage_days set day = day - $1::integer where day = (bellhand.now() at time zone 'UTC')::date and $1 > 0", days_ago)  # fmt: skip


async def test_pages_tell_what_each_kind_used_today_and_in_seven_days(dsn, conn):
    """S0-34: API usage, by kind and service, where an operator looks."""
    async with browsing(dsn, services={"serpapi": {"calls_per_day_max": 250}}) as browser:
        _, page, _ = await browser.get("/kinds")
        assert "Used outside" not in text_of(page), "no column where nothing was used"
        _, page, _ = await browser.get("/system")
        assert "No call to an outside service yet" in text_of(page, "#services")
        await conn.execute("insert into bellhand.services (name, tokens, day) values ('serpapi', 1, (bellhand.now() at time zone 'UTC')::date)")  # fmt: skip
        for days_ago in (3, 6, 7):
            await write(conn, "pages.steps", days_ago)
        await write(conn, "", 1, calls=2, units_in=2)
        await write(conn, "pages.steps", 0)
        assert await seen(browser, "/kinds/pages.steps", "#used tbody tr") == ["serpapi 1 search, $0.01 3 searches, $0.04"]  # fmt: skip
        assert not (await browser.get("/kinds/pages.plain"))[1].css("#used")
        rows = await seen(browser, "/system", "#services tbody tr")
        assert rows == [
            "serpapi well 1 search, $0.01 5 searches, $0.06 250 calls per day",
            "pages.steps 1 search, $0.01 3 searches, $0.04", "outside of jobs - 2 searches, $0.01",
        ]  # fmt: skip
        assert (await seen(browser, "/kinds", "td[data-label^=Outside]"))[-1] == "serpapi: 3 searches, $0.04"  # fmt: skip
        await conn.execute("update bellhand.services set state = 'open', retry_at = bellhand.now() + interval '5 minutes', error = 'api_key=s3cr3tvalue was refused'")  # fmt: skip
        _, page, _ = await browser.get("/system")
        assert "left alone" in text_of(page, "#services")
        assert "s3cr3tvalue" not in page.html


async def test_mail_is_summed_up_by_purpose(dsn, conn):
    async with browsing(dsn) as browser:
        await conn.execute("insert into bellhand_crm.customers (id, email) values ('c', 'ada@example.org')")  # fmt: skip
        await conn.execute(
            """insert into bellhand_crm.messages (customer_id, purpose, key, promotional, address, subject, state, job_id, begun_at)
                 select 'c', p, d || s, false, 'ada@example.org', 'x', s, 1, bellhand.now() - interval '1 day' * d
                 from (values ('offer', 0, 'sent'), ('offer', 3, 'sent'), ('offer', 3, 'bounced'), ('offer', 8, 'sent'), ('reminder', 1, 'deferred')) x(p, d, s)"""
        )
        _, page, _ = await browser.get("/crm?state=bounced")
        rows = [[cell.text() for cell in row.css("th, td")] for row in page.css("#sums tbody tr")]
        assert rows == [["offer", "1 sent", "2 sent, 1 bounced"], ["reminder", "0 sent", "0 sent, 1 not settled"]]  # fmt: skip
        assert len(page.css("tr[data-row]")) == 1


async def seen(browser, path: str, selector: str) -> list[str]:
    """The text of each node once there are any with a price: what many pages ask is kept for two seconds."""
    found: list[str] = []

    async def there() -> bool:
        _, page, _ = await browser.get(path)
        found[:] = [" ".join(node.text(separator=" ").split()) for node in page.css(selector)]
        return "$" in "".join(found)

    await eventually(there)
    return found
