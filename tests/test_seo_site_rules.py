"""Every rule that looks at the whole site: what breaks it, and what comes near and does not."""

from typing import Any

import pytest

from bellhand.families.seo.rules import ALL
from bellhand.families.seo.views import Page, SitemapFile, Unvisited
from seo_pages import WORDS, judged, page

HOST = "https://shop.example"


def at(number: int, path: str, **given: Any) -> Page:
    """A page with words of its own; given parts and columns spoil it."""
    own = " ".join(f"{path.strip('/').replace('/', '')}{n}" for n in range(120))
    named = {
        "title": f"<title>All about {path} and tea</title>",
        "description": f"<meta name=description content='What {path} is and why people drink so much of it every day.'>",
        "h1": f"<h1>{path}</h1>",
        "text": f"<p>{own}</p>",
    }
    moved = {"html": None} if given.get("status", 200) != 200 else named
    return page(given.pop("url", HOST + path), id=number, **{**moved, **given})


def canonical(path: str) -> str:
    return f"<link rel=canonical href={path}>"


def langs(**paths: str) -> str:
    return "".join(
        f"<link rel=alternate hreflang={code} href={path}>" for code, path in paths.items()
    )


LIKE = "<p>" + WORDS.replace("leaf3", "petal3")
NOINDEX = "<meta name=robots content=noindex>"
GONE = {"status": 404, "in_sitemap": False}
Case = tuple[list[Page], dict[str, Any]]

# rule: (a site that breaks it, a site that comes near)
CASES: dict[str, tuple[Case, Case]] = {
    "title-duplicate": (([at(1, "/a", title="<title>Our fine tea</title>"), at(2, "/b", title="<title>Our FINE  tea</title>")], {}),
                        ([at(1, "/a", title="<title>Our fine tea</title>"), at(2, "/b", title="<title>Our fine tea</title>", head=NOINDEX)], {})),
    "description-duplicate": (([at(1, "/a", description="<meta name=description content=same>"), at(2, "/b", description="<meta name=description content=same>")], {}),
                              ([at(1, "/a", description=""), at(2, "/b", description="")], {})),
    "h1-duplicate": (([at(1, "/a", h1="<h1>Tea</h1>"), at(2, "/b", h1="<h1>Tea</h1>")], {}), ([at(1, "/a"), at(2, "/b")], {})),
    "canonical-broken": (([at(1, "/a", canonical=canonical("/b")), at(2, "/b", **GONE)], {}), ([at(1, "/a", canonical=canonical("/b")), at(2, "/b")], {})),
    "canonical-redirects": (([at(1, "/a", canonical=canonical("/b")), at(2, "/b", status=301, redirects=(HOST + "/c",))], {}), ([at(1, "/a", canonical=canonical("/b")), at(2, "/b")], {})),
    "canonical-noindex": (([at(1, "/a", canonical=canonical("/b")), at(2, "/b", head=NOINDEX)], {}), ([at(1, "/a"), at(2, "/b", head=NOINDEX)], {})),
    "canonical-chain": (([at(1, "/a", canonical=canonical("/b")), at(2, "/b", canonical=canonical("/c"))], {}), ([at(1, "/a", canonical=canonical("/b")), at(2, "/b")], {})),
    "blocked-but-linked": (([at(1, "/a")], {"unvisited": [Unvisited(9, HOST + "/x", "robots", False, 3)]}), ([at(1, "/a")], {"unvisited": [Unvisited(9, HOST + "/x", "robots", True, 0)]})),
    "hreflang-no-return": (([at(1, "/a", head=langs(en="/a", de="/b")), at(2, "/b", head=langs(de="/b"))], {}),
                           ([at(1, "/a", head=langs(en="/a", de="/b")), at(2, "/b", head=langs(de="/b", en="/a"))], {})),
    "hreflang-broken": (([at(1, "/a", head=langs(en="/a", de="/b")), at(2, "/b", **GONE)], {}), ([at(1, "/a", head=langs(en="/a", de="https://other.example/"))], {})),
    "fragment-missing": (([at(1, "/a")], {"fragments_missing": [(1, HOST + "/b#x")]}), ([at(1, "/a")], {})),
    "redirect-broken": (([at(1, "/a", status=301, redirects=(HOST + "/b",)), at(2, "/b", **GONE)], {}), ([at(1, "/a", status=301, redirects=(HOST + "/b",)), at(2, "/b")], {})),
    "orphan": (([at(1, "/a", inlinks=0)], {}), ([at(1, "/a", inlinks=0, depth=0), at(2, "/b", inlinks=0), at(3, "/c", status=301, redirects=(HOST + "/b",))], {})),
    "both-schemes": (([at(1, "/a", canonical=""), at(2, "/a", url="http://shop.example/a", canonical="")], {}),
                     ([at(1, "/a", canonical=""), at(2, "/a", url="http://shop.example/a", canonical=canonical(HOST + "/a"))], {})),
    "both-hosts": (([at(1, "/a", canonical=""), at(2, "/a", url="https://www.shop.example/a", canonical="")], {}),
                   ([at(1, "/a", canonical=""), at(2, "/b", url="https://www.shop.example/b", canonical="")], {})),
    "sitemap-none": (([at(1, "/a")], {"sitemaps": [SitemapFile(HOST + "/sitemap.xml", None, "HTTP status 404")]}), ([at(1, "/a")], {})),
    "sitemap-error": (([at(1, "/a")], {"sitemaps": [SitemapFile(HOST + "/s.xml", None, "HTTP status 500")]}), ([at(1, "/a")], {"sitemaps": []})),
    "sitemap-blocked": (([at(1, "/a")], {"unvisited": [Unvisited(9, HOST + "/x", "robots", True, 0)]}), ([at(1, "/a")], {"unvisited": [Unvisited(9, HOST + "/x", "robots", False, 2)]})),
    "sitemap-lacks": (([at(1, "/a", in_sitemap=False)], {}), ([at(1, "/a", in_sitemap=False)], {"sitemaps": []})),
    "duplicate": (([at(1, "/a", text=f"<p>{WORDS}", h1=""), at(2, "/b", text=f"<p>{WORDS.upper()}", h1="")], {}),
                  ([at(1, "/a", text=f"<p>{WORDS}", h1=""), at(2, "/b", text=f"<p>{WORDS}", h1="", canonical=canonical("/a"))], {})),
    "near-duplicate": (([at(1, "/a", text=f"<p>{WORDS}", h1=""), at(2, "/b", text=LIKE, h1="")], {}),
                       ([at(1, "/a", text=f"<p>{WORDS}", h1=""), at(2, "/b", text=f"<p>{WORDS}", h1=""), at(3, "/c")], {})),
}  # fmt: skip


def found(case: Case) -> dict[str, Any]:
    pages, site = case
    return {issue.rule.name: issue.evidence for issue in judged(*pages, **site)}


@pytest.mark.parametrize("name", CASES)
def test_the_rule_finds_its_fault(name: str):
    assert name in found(CASES[name][0])


@pytest.mark.parametrize("name", CASES)
def test_the_rule_lets_pass_what_only_comes_near(name: str):
    assert name not in found(CASES[name][1])


def test_a_site_of_sound_pages_breaks_no_rule():
    assert found(([at(1, "/a"), at(2, "/b"), at(3, "/c")], {})) == {}


def test_every_rule_about_sites_has_its_two_cases():
    assert set(CASES) == {rule.name for rule in ALL if rule.check_site is not None}


def test_duplicates_name_each_other_but_not_without_end():
    pages = [at(n, f"/{n}", title="<title>Same title here</title>") for n in range(1, 31)]
    issues = [issue for issue in judged(*pages) if issue.rule.name == "title-duplicate"]
    assert [issue.page_id for issue in issues] == list(range(1, 31))
    assert issues[0].evidence["pages"] == 30
    assert len(issues[0].evidence["others"]) == 10
    assert HOST + "/1" not in issues[0].evidence["others"]


def test_fragments_are_gathered_by_the_page_that_links():
    missing = [(1, HOST + "/b#x"), (1, HOST + "/b#y"), (2, HOST + "/b#x")]
    issues = judged(at(1, "/a"), at(2, "/c"), fragments_missing=missing)
    assert [(i.page_id, i.evidence["count"]) for i in issues] == [(1, 2), (2, 1)]
