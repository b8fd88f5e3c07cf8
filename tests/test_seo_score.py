"""The score, the comparison, and the summary that may cite nothing but what was found."""

import json
from typing import Any

import pytest
from aiohttp import web

from bellhand.families.seo.compare import Change, by_severity, changes
from bellhand.families.seo.rules import ALL, BY_NAME
from bellhand.families.seo.score import POINTS, Found, score, share
from bellhand.families.seo.summary import Answer, Paragraph, checked
from daemons import insert, until
from seo_sites import crawl, site
from test_seo_analyze import SHOP, analyst
from websites import serving


def test_a_sound_site_has_100_and_a_broken_one_nothing_to_lose_twice():
    assert score([]).value == 100.0
    worst = score([Found(rule.name, 10, 1.0) for rule in ALL])
    assert worst.value < 10
    assert all(0 <= category.lost <= category.points for category in worst.categories)


def test_the_parts_explain_the_whole_and_the_gains_come_true():
    found = [Found("title-missing", 5, 0.25), Found("csp", 1, 1.0), Found("thin", 3, 0.01)]
    now = score(found)
    assert abs(100 - sum(category.lost for category in now.categories) - now.value) < 0.1
    assert now.gains[0].rule == "title-missing"
    assert now.gains[0].points == POINTS["title"] / 2, (
        "an error on a quarter of the pages costs half"
    )
    mended = score(found[1:])
    assert abs(mended.value - now.value - now.gains[0].points) < 0.1


def test_more_pages_cost_more_and_errors_more_than_notices():
    few, many = score([Found("h1-missing", 1, 0.1)]), score([Found("h1-missing", 9, 0.9)])
    assert few.value > many.value
    assert (
        score([Found("title-missing", 1, 0.5)]).value < score([Found("title-short", 1, 0.5)]).value
    )


@pytest.mark.parametrize(
    ("pages", "site_pages", "on_site", "expected"),
    [(5, None, False, 0.5), (0, 3, True, 0.3), (0, None, True, 1.0), (50, None, False, 1.0)],
)
def test_a_fault_of_the_site_counts_by_the_pages_it_shows_on(pages, site_pages, on_site, expected):
    assert share(pages, site_pages, on_site=on_site, of_pages=10) == expected
    assert share(0, None, on_site=False, of_pages=0) == 0


def test_changes_tell_new_fixed_gone_and_kept():
    now = [{"rule": "thin", "issues": 5, "new": 2}, {"rule": "csp", "issues": 1, "new": 0}]
    before = [
        {"rule": "thin", "fixed": 1, "gone": 4},
        {"rule": "h1-missing", "fixed": 3, "gone": 0},
    ]
    found = {change.rule: change for change in changes(now, before)}
    assert found["thin"] == Change("thin", 5, 2, 1, 4)
    assert found["thin"].kept == 3
    assert found["h1-missing"] == Change("h1-missing", 0, 0, 3, 0)
    assert by_severity(found.values()) == {"error": 0, "warning": 0, "notice": 6}
    (first,) = changes(now[:1], None)
    assert (first.new, first.fixed, first.kept) == (None, None, None)
    assert first.as_json() == {"rule": "thin", "issues": 5}


def paragraph(text: str, *issues: str) -> Paragraph:
    return Paragraph(text=text, issues=list(issues))


def test_a_summary_may_cite_only_what_was_found():
    answer = Answer(
        paragraphs=[
            paragraph("Titles are missing.", "title-missing", "title-missing"),
            paragraph("Your site was hacked.", "malware"),
            paragraph("Titles and hacks.", "title-missing", "malware"),
            paragraph("Nobody asked."),
            paragraph("Found, but not here.", "h1-missing"),
            paragraph("  ", "thin"),
        ]
    )
    kept = checked(answer, {"title-missing", "thin"})
    assert kept == {
        "overview": [{"text": "Titles are missing.", "issues": ["title-missing"]}],
        "left_out": 5,
    }
    assert "did not keep to what was found" in checked(answer, {"slow"})["note"]


async def summarized(conn: Any, **payload: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    job = await insert(conn, "seo.analyze", json.dumps({"summary": True, **payload}))
    row = await until(conn, job, "completed")
    stored = await conn.fetchval("select summary from bellhand_seo.analyses")
    return json.loads(row["result"]), json.loads(stored)


async def test_without_a_key_the_analysis_is_done_and_says_why_there_is_no_summary(dsn, conn):
    async with site(SHOP) as shop, analyst(dsn, shop.port):
        crawled = await crawl(conn, shop.url)
        result, stored = await summarized(conn, crawl_id=crawled["crawl_id"])
        assert result["score"] > 0
        assert result["summary"] == stored["note"]
        assert "services.openai.key" in stored["note"]


async def test_a_model_that_invents_is_not_heard_and_one_over_budget_not_asked(dsn, conn):
    asked: list[dict[str, Any]] = []

    async def complete(request: web.Request) -> web.Response:
        asked.append(await request.json())
        said = {
            "paragraphs": [
                {"text": "A link is broken.", "issues": ["link-broken"]},
                {"text": "There is malware.", "issues": ["malware"]},
            ]
        }
        message = {"role": "assistant", "content": json.dumps(said), "refusal": None}
        return web.json_response(
            {
                "id": "x", "object": "chat.completion", "created": 1, "model": "gpt-4.1-mini",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
            }
        )  # fmt: skip

    async with serving(("/v1/chat/completions", complete)) as model, site(SHOP) as shop:
        openai = {"base_url": f"http://127.0.0.1:{model}/v1", "key": "sk-test-not-a-key"}
        services = {"allow_networks": ["127.0.0.0/8"], "openai": openai}
        async with analyst(dsn, shop.port, services=services):
            crawl_id = (await crawl(conn, shop.url))["crawl_id"]
            result, stored = await summarized(conn, crawl_id=crawl_id, summary_dollars_max=0)
            assert "budget" in stored["note"]
            assert asked == []
            result, stored = await summarized(conn, crawl_id=crawl_id)
            assert result["summary"] == "written"
            assert [part["issues"] for part in stored["overview"]] == [["link-broken"]]
            schema = json.dumps(asked[0]["response_format"])
            assert '"enum"' in schema
            assert "link-broken" in schema
            question = json.dumps(asked[0]["messages"])
            assert shop.url not in question, "no word of the pages reaches the model"
            assert BY_NAME["link-broken"].title in question
