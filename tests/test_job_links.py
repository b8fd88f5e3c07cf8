"""Links from a job's page to where else it is known."""

import pytest
from pydantic import ValidationError

from bellhand.job_links import links_of
from bellhand.settings import Status
from daemons import insert
from pages import browsing, text_of

JOB = {"id": 7, "key": "k", "kind": "crm.mail", "owner": "a/b?c", "tags": {"team": "core"}}


def test_a_link_holds_what_the_job_has_or_is_left_out():
    templates = {
        "Customer": "https://crm.example/c/{owner}?from={id}", "Team": "/jobs?q=tag.team:{tag.team}", "Order": "https://shop.example/{payload.order.id}",
        "Nothing": "https://shop.example/{payload.none}", "No text": "https://shop.example/{payload.order}", "Plain": "https://wiki.example/jobs",
    }  # fmt: skip
    found = links_of(templates, JOB, {"order": {"id": 12}})
    assert found == [
        ("Customer", "https://crm.example/c/a%2Fb%3Fc?from=7"), ("Team", "/jobs?q=tag.team:core"), ("Order", "https://shop.example/12"),
        ("Plain", "https://wiki.example/jobs"),
    ]  # fmt: skip
    assert (
        links_of(
            {"Order": "https://shop.example/{payload.order.id}"}, JOB | {"owner": None}, "no object"
        )
        == []
    )


@pytest.mark.parametrize(("template", "why"), [
    ("javascript:alert({id})", "is no address"), ("https://{owner}.example/", "is no address"), ("https://x.example{owner}/", "is no address"),
    ("//x.example/", "is no address"), ("https://x.example/{nothing}", "is nothing that a job has"), ("https://x.example/{payload}", "is nothing that a job has"),
    ("https://x.example/{payload.api_key}", "secret by its name"),
])  # fmt: skip
def test_a_link_that_leads_astray_is_refused(template, why):
    with pytest.raises(ValidationError, match=why):
        Status(links={"There": template})


async def test_a_jobs_page_links_to_where_it_is_known(dsn, conn):
    links = {"Customer <b>": "https://crm.example/customers/{owner}", "Order": "https://shop.example/{payload.order}?{key}"}  # fmt: skip
    async with browsing(dsn, status={"port": 0, "links": links}) as browser:
        job = await insert(conn, "pages.plain", owner='"><script>')
        _, page, _ = await browser.get(f"/jobs/{job}")
        (link,) = page.css("#head a[rel]")
        assert link.attributes["href"] == "https://crm.example/customers/%22%3E%3Cscript%3E"
        assert link.text() == "Customer <b>"
        assert "Order" not in text_of(page, "#head")
