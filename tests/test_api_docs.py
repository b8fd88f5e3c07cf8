"""What the API says of itself: OpenAPI, the pages, a text for every problem; and whether it keeps to it."""

import ast
import json
import re
from collections.abc import AsyncIterator

import asyncpg
import pytest
from pydantic import SecretStr

from bellhand.api.guides import as_html
from bellhand.callers import SCOPES
from bellhand.db import Database
from bellhand.guides import REFERENCE
from bellhand.problem_sorts import OF_SQLSTATE, SORTS
from bellhand.runbooks import runbooks
from bellhand.settings import Status
from bellhand.surfaces import status_port
from ports import Client, Nothing, make, of, whole
from test_status import NOWHERE, TOKEN, WELL
from test_tidy import MODULES, tree


@pytest.fixture
async def port() -> AsyncIterator[Client]:
    async with whole(NOWHERE) as client:
        yield client


async def test_every_route_of_v1_is_described(port: Client) -> None:
    served = status_port(Status(port=0), Nothing(), lambda: WELL, Database(NOWHERE))
    wanted = {
        (re.sub(r"{(\w+):.*?[]][+]}", r"{\1}", route.path), route.method.lower())
        for route in served.routes
        if route.path.startswith("/v1/")
    }
    document = (await port.ask("/openapi.json"))[1]
    described = {
        (path, method) for path, methods in document["paths"].items() for method in methods
    }
    assert wanted <= described
    assert document["openapi"] == "3.1.0"
    names = [
        one["operationId"] for methods in document["paths"].values() for one in methods.values()
    ]
    assert len(names) == len(set(names))
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            assert one["summary"].endswith("."), (path, method)
            in_path = {p["name"] for p in one["parameters"] if p["in"] == "path"}
            assert in_path == set(re.findall(r"{(\w+)}", path))


async def test_every_reference_of_the_document_leads_somewhere(port: Client) -> None:
    document = (await port.ask("/openapi.json"))[1]
    references = re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(document))
    assert set(references) <= set(document["components"]["schemas"])
    for slug in re.findall(r"\(/problems/([a-z-]+)\)", json.dumps(document)):
        assert slug in SORTS


async def test_the_pages_load_nothing_from_elsewhere_and_run_nothing(port: Client) -> None:
    for path in ("/docs", "/docs/search", "/problems/unknown-kind"):
        code, text, headers = await port.ask(path, headers={"Accept": "text/html,*/*"})
        assert (code, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert not re.search(r"<script|style=|(src|href)=\"(?!/|#)", text)
    assert "Did you mean" not in text
    assert (await port.ask("/docs.css"))[2]["Content-Type"] == "text/css; charset=utf-8"


async def test_every_guide_is_a_page_whose_links_lead_somewhere(port: Client) -> None:
    browser = {"Accept": "text/html,*/*"}
    pages = {"/docs": (await port.ask("/docs", headers=browser))[1]}
    for path in re.findall(r'<a href="(/(?:docs|runbooks)/[^"]+)"', pages["/docs"]):
        code, pages[path], headers = await port.ask(path, headers=browser)
        assert (code, "default-src 'none'" in headers["Content-Security-Policy"]) == (200, True)
        assert not re.search(r"<(script|img|!--)|<[^>]* (style|on\w+)=|&lt;!--", pages[path]), path
        assert len(re.findall("<h1", pages[path])) == 1, path
    assert {"/docs/how-to/service", "/docs/explanation/promises", "/docs/decisions", "/runbooks/BellhandDown"} <= set(pages)  # fmt: skip
    assert {f"/docs/reference/{page}" for page in REFERENCE} <= set(pages)
    assert len(pages) > len(runbooks()) + 30
    for path, text in pages.items():
        for href in re.findall(r'href="([^"]+)"', text):
            place, _, anchor = href.partition("#")
            if href.startswith(("https://", "http://")):
                continue
            target = pages.get(place or path)
            assert target or place in ("/", "/docs.css", "/openapi.json") or place.startswith("/problems/"), (path, href)  # fmt: skip
            assert not anchor or f'id="{anchor}"' in (target or ""), (path, href)
    # To a program, and to curl, as it was written, but for the marks of its tests.
    code, text, headers = await port.ask("/docs/how-to/service")
    assert (code, headers["Content-Type"], text[:2]) == (200, "text/plain; charset=utf-8", "# ")
    assert "<!--" not in text
    for path in ("/docs/none", "/docs/..%2F..%2FREADME", "/docs/how-to", "/docs/reference.py"):
        assert await port.status(path) == 404
    # Made from the code, under its own name whoever makes it.
    assert "bellhand lane pause [OPTIONS] NAME" in (await port.ask("/docs/reference/commands"))[1]
    listed = re.findall(r"^- \[.+\]\((.+)\)$", (await port.ask("/llms.txt"))[1], re.MULTILINE)
    assert set(listed) == set(pages) - {"/docs"}
    await _search(port)


async def _search(port: Client) -> None:
    """What people ask, and where the first answer leads; beside the pages, since the first question makes the reference."""
    asked = {
        "back up and restore": "/docs/how-to/restore", "bellhand lane pause": "/docs/reference/commands#bellhand-lane-pause",
        "unknown kind": "/problems/unknown-kind", "BellhandDown": "/runbooks/BellhandDown", "lease_seconds": "/docs/reference/configuration#worker",
        "POST /v1/jobs/batch": "/docs#create_many",
    }  # fmt: skip
    for query, place in asked.items():
        code, text, _ = await port.ask("/docs/search", params={"q": query})
        assert (code, text.split("  ")[0]) == (200, place), query
    browser = {"Accept": "text/html,*/*"}
    ask = {"q": '"><b>lease</b> \0(['}
    text = (await port.ask("/docs/search", headers=browser, params=ask))[1]
    assert ("<b>" in text, "&gt;&lt;b&gt;lease" in text, "<mark>" in text) == (False, True, True)  # fmt: skip
    assert 'action="/docs/search"' in text
    text = (await port.ask("/docs/search", headers=browser, params={"q": "xyzzyplugh"}))[1]
    assert "Nothing has these words" in text
    assert await port.status(f"/docs/search?q={'lease ' * 1000}") == 200


async def test_a_reference_that_cannot_be_made_is_left_out_of_the_search(
    port: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    browser = {"Accept": "text/html"}
    code, text, _ = await port.ask("/docs/search", headers=browser, params={"q": "back up"})
    assert (code, "how-to/restore" in text, "reference could not be made" in text) == (200, True, True)  # fmt: skip
    monkeypatch.undo()  # not tried at every question
    assert await port.status("/docs/reference/sql") == 500


def test_raw_html_in_a_guide_is_text_and_what_does_not_come_along_is_told_of() -> None:
    written = "# A <b>b</b>\n## A\n## A\n<script>x</script>\n![it](x.png) [one](../moving.md#x) [two](../LICENSE) [bad](javascript:x) [out](https://e.example)\n"
    text = as_html("how-to/x", written)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert re.findall('id="([^"]+)"', text) == ["a-bbb", "a", "a_1"]
    assert re.findall('href="([^"]+)"', text) == ["/docs/moving#x", "https://e.example"]
    assert "[Picture: it]" in text
    assert "two [bad](javascript:x)" in text


async def test_every_problem_has_a_page_that_works_offline(port: Client) -> None:
    for slug, sort in SORTS.items():
        code, said, _ = await port.ask(f"/problems/{slug}")
        assert (code, said["title"], said["text"]) == (200, sort.title, sort.text)
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", slug)
        assert 400 <= sort.status < 600
        assert len(sort.text) > 40
        assert sort.hint
    code, said, _ = await port.ask("/problems/unknwn-kind")
    assert (code, said["hint"]) == (404, "did you mean unknown-kind?")
    listed = (await port.ask("/problems"))[1]["data"]
    assert [one["type"] for one in listed] == [f"/problems/{slug}" for slug in SORTS]
    assert listed[0] == (await port.ask(listed[0]["type"]))[1]
    page = (await port.ask("/problems", headers={"Accept": "text/html"}))[1]
    assert all(f'href="/problems/{slug}"' in page for slug in SORTS)


async def test_every_runbook_is_served_where_alerts_lead(port: Client) -> None:
    for alert, file in runbooks().items():
        code, text, headers = await port.ask(f"/runbooks/{alert}")
        assert (code, text) == (200, file.read_text())
        assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert (await port.ask("/runbooks/..%2F..%2FREADME"))[0] == 404


def test_every_problem_that_is_raised_is_a_known_sort_and_none_is_in_vain() -> None:
    raised = set(OF_SQLSTATE.values())
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "HttpProblem":
                assert isinstance(node.args[0], ast.Constant | ast.Subscript), ast.unparse(node)
                if isinstance(node.args[0], ast.Constant):
                    raised.add(str(node.args[0].value))
    assert raised == set(SORTS)


async def test_a_problem_says_what_why_and_what_to_do(port: Client) -> None:
    code, said, headers = await port.ask("/nothing")
    assert (code, headers["Content-Type"]) == (404, "application/problem+json; charset=utf-8")
    assert {"type", "title", "status", "code", "instance", "detail", "hint"} <= set(said)
    assert (await port.ask(said["type"]))[0] == 200


async def test_what_is_not_asked_for_in_the_right_way_says_how(port: Client) -> None:
    code, said, headers = await port.ask("/v1/lanes", "POST")
    assert (code, said["code"], headers["Allow"]) == (405, "method_not_allowed", "GET, HEAD")
    code, said, _ = await port.ask("/v1/lanes?lane=x")
    assert (code, said["errors"][0]["pointer"]) == (422, "lane")
    assert "takes no parameters" in said["errors"][0]["detail"]


async def test_every_route_wants_the_scope_that_its_description_names(
    dsn: str, conn: asyncpg.Connection
) -> None:
    tokens = {scope: of(await make(conn, scope, scope)) for scope in SCOPES}
    open_to_all = set()
    async with whole(dsn, token=SecretStr(TOKEN), requests_burst=10_000) as port:
        document = (await port.ask("/openapi.json"))[1]
        for path, methods in document["paths"].items():
            for method, one in methods.items():
                place = re.sub(r"{\w+}", "1", path)
                if "x-scope" not in one:
                    open_to_all.add((method, path))
                    continue
                wanted = set(one["x-scope"].split(" or "))
                assert await port.status(place, method.upper()) == 401, path
                for scope, token in tokens.items():
                    refused = await port.status(place, method.upper(), token) == 403
                    assert refused == (not wanted & SCOPES[scope]), (method, path, scope)
    # These look at who asks by themselves, or tell nothing.
    assert open_to_all == {
        ("get", "/livez"), ("get", "/readyz"), ("get", "/v1/jobs/{job}/events"), ("post", "/v1/tickets"),
    }  # fmt: skip
