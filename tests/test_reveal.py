"""What is hidden of a job is shown to an admin who says why, after that was written down; to nobody else."""

import json

import asyncpg

from daemons import insert, until
from pages import browsing, text_of
from ports import client_of, of

SECRET = "sk-hidden-4711"


async def test_an_admin_who_says_why_is_shown_what_is_hidden_and_the_log_has_it(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with browsing(dsn) as browser, client_of(int(browser.base.rpartition(":")[2])) as port:
        job = await insert(conn, "pages.plain", json.dumps({"api_key": SECRET, "raise": f"password={SECRET}"}))  # fmt: skip
        await until(conn, job, "failed")
        _, page, _ = await browser.get(f"/jobs/{job}")
        assert SECRET not in page.html
        assert page.css_first(f"form[action='/jobs/{job}/reveal'] input[required]")
        code, page, _ = await browser.post(f"/jobs/{job}/reveal", {"reason": " "})
        assert (code, SECRET in page.html) == (422, False)
        code, page, _ = await browser.post(f"/jobs/{job}/reveal", {"reason": "ticket 7"})
        assert code == 200
        assert SECRET in text_of(page, "#payload")
        assert f"password={SECRET}" in text_of(page, "main pre")
        code, said, headers = await port.post(f"/v1/jobs/{job}/reveal", {"reason": "ticket 8"})
        assert (code, said["payload"]["api_key"], headers["Cache-Control"]) == (200, SECRET, "no-store")  # fmt: skip
        assert (await port.post(f"/v1/jobs/{job}/reveal", {}))[0] == 422
        assert (await port.post("/v1/jobs/999999/reveal", {"reason": "x"}))[0] == 404
        _, said, _ = await port.ask(f"/v1/audit?job={job}&type=revealed")
        assert [(one["actor"], one["data"]) for one in said["data"]] == [
            ("http:loopback", {"reason": "ticket 8"}), ("http:loopback", {"reason": "ticket 7"}),
        ]  # fmt: skip
        _, made, _ = await port.post("/v1/tokens", {"name": "op", "scopes": ["operate"]})
        code, _, _ = await port.ask(f"/v1/jobs/{job}/reveal", "POST", of(made["token"]), json={"reason": "x"})  # fmt: skip
        assert code == 403
        assert await conn.fetchval("select count(*) from bellhand.events where type = 'revealed'") == 2  # fmt: skip


async def test_where_the_settings_say_so_nobody_is_shown_it(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with browsing(dsn, status={"port": 0, "reveal": False}) as browser, client_of(int(browser.base.rpartition(":")[2])) as port:  # fmt: skip
        job = await insert(conn, "pages.plain", json.dumps({"api_key": SECRET}))
        await until(conn, job, "completed")
        _, page, _ = await browser.get(f"/jobs/{job}")
        assert not page.css("form[action$='/reveal']")
        code, page, _ = await browser.post(f"/jobs/{job}/reveal", {"reason": "ticket 7"})
        assert (code, SECRET in page.html) == (403, False)
        code, said, _ = await port.post(f"/v1/jobs/{job}/reveal", {"reason": "ticket 8"})
        assert (code, said["code"]) == (403, "reveal_off")
        assert await conn.fetchval("select count(*) from bellhand.events where type = 'revealed'") == 0  # fmt: skip
