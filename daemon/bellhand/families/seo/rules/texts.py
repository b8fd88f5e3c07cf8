"""Titles, descriptions and headings: what a searcher reads first."""

from collections.abc import Iterator
from itertools import pairwise

from ..facts import Facts
from ..views import Evidence, Page, Site, others
from .rule import Rule

TITLE_CHARS_MIN, TITLE_CHARS_MAX = 10, 65
DESCRIPTION_CHARS_MIN, DESCRIPTION_CHARS_MAX = 50, 165
H1_CHARS_MAX = 120


def title_missing(page: Page) -> Evidence | None:
    found = page.html
    return {} if found and not found.title else None


def title_several(page: Page) -> Evidence | None:
    found = page.html
    return {"titles": list(found.titles)} if found and len(found.titles) > 1 else None


def title_short(page: Page) -> Evidence | None:
    found = page.indexable
    return _short(found.title, TITLE_CHARS_MIN) if found else None


def title_long(page: Page) -> Evidence | None:
    found = page.indexable
    return _long(found.title, TITLE_CHARS_MAX) if found else None


def title_duplicate(site: Site) -> Iterator[tuple[int, Evidence]]:
    return _duplicates(site, "title")


def description_missing(page: Page) -> Evidence | None:
    found = page.indexable
    return {} if found and not found.description else None


def description_several(page: Page) -> Evidence | None:
    found = page.html
    several = found and len(found.descriptions) > 1
    return {"descriptions": list(found.descriptions)} if found and several else None


def description_short(page: Page) -> Evidence | None:
    found = page.indexable
    return _short(found.description, DESCRIPTION_CHARS_MIN) if found else None


def description_long(page: Page) -> Evidence | None:
    found = page.indexable
    return _long(found.description, DESCRIPTION_CHARS_MAX) if found else None


def description_duplicate(site: Site) -> Iterator[tuple[int, Evidence]]:
    return _duplicates(site, "description")


def h1_missing(page: Page) -> Evidence | None:
    found = page.indexable
    return {} if found and not found.h1s else None


def h1_empty(page: Page) -> Evidence | None:
    found = page.indexable
    return {} if found and found.h1s and not any(found.h1s) else None


def h1_several(page: Page) -> Evidence | None:
    found = page.indexable
    return {"h1": list(found.h1s)} if found and len(found.h1s) > 1 else None


def h1_long(page: Page) -> Evidence | None:
    found = page.indexable
    return _long(found.h1s[0], H1_CHARS_MAX) if found and found.h1s else None


def h1_duplicate(site: Site) -> Iterator[tuple[int, Evidence]]:
    return _duplicates(site, "h1")


def heading_skips(page: Page) -> Evidence | None:
    found = page.indexable
    skip = _skip(found) if found else None
    return {"from": f"h{skip[0]}", "to": f"h{skip[1]}"} if skip else None


def headings_empty(page: Page) -> Evidence | None:
    found = page.indexable
    return {"headings": found.headings_empty} if found and found.headings_empty else None


def _short(text: str, chars_min: int) -> Evidence | None:
    return {"text": text, "characters": len(text)} if 0 < len(text) < chars_min else None


def _long(text: str, chars_max: int) -> Evidence | None:
    return {"text": text, "characters": len(text)} if len(text) > chars_max else None


def _duplicates(site: Site, field_name: str) -> Iterator[tuple[int, Evidence]]:
    for group in site.groups(field_name):
        for page in group:
            yield page.id, {**others(group, page)}


def _skip(found: Facts) -> tuple[str, str] | None:
    pairs = pairwise(found.heading_levels)
    return next((pair for pair in pairs if int(pair[1]) > int(pair[0]) + 1), None)


RULES = (
    Rule(
        "title-missing", "title", "error", "No title",
        "The title is the headline of a search result; without one the engine makes one up.",
        "Give the page a <title> of its own that says what it is about.", title_missing,
    ),
    Rule(
        "title-several", "title", "warning", "More than one title",
        "Browsers take the first title, search engines may take either.",
        "Keep one <title> in the head; often a plug-in adds the second.", title_several,
    ),
    Rule(
        "title-short", "title", "notice", "Title too short",
        f"Fewer than {TITLE_CHARS_MIN} characters seldom tell a searcher why to come here.",
        "Say what the page offers, and add the name of the site.", title_short,
    ),
    Rule(
        "title-long", "title", "notice", "Title too long",
        f"Results show about {TITLE_CHARS_MAX} characters and cut the rest.",
        "Put what matters first and leave out the rest.", title_long,
    ),
    Rule(
        "title-duplicate", "title", "warning", "Title used on several pages",
        "Equal titles make results look alike, and the engine must guess which page answers.",
        "Name on each page what only this page has; or join the pages.", check_site=title_duplicate,
    ),
    Rule(
        "description-missing", "description", "warning", "No description",
        "Without a description the result shows whatever sentence the engine picks.",
        'Add <meta name="description"> with one or two sentences that invite to this page.',
        description_missing,
    ),
    Rule(
        "description-several", "description", "warning", "More than one description",
        "Only one is shown, and nobody knows which.",
        "Keep one description; often a template and a plug-in both write it.", description_several,
    ),
    Rule(
        "description-short", "description", "notice", "Description too short",
        f"Fewer than {DESCRIPTION_CHARS_MIN} characters leave room in the result unused.",
        "Say in one or two sentences what the visitor will find.", description_short,
    ),
    Rule(
        "description-long", "description", "notice", "Description too long",
        f"Results show about {DESCRIPTION_CHARS_MAX} characters and cut the rest.",
        "Put what matters into the first sentence.", description_long,
    ),
    Rule(
        "description-duplicate", "description", "warning", "Description used on several pages",
        "Results with equal descriptions give no reason to choose one of them.",
        "Describe each page in its own words, or leave the description out.",
        check_site=description_duplicate,
    ),
    Rule(
        "h1-missing", "headings", "warning", "No main heading",
        "The h1 tells visitors and engines what the page is about once they are there.",
        "Put the page's topic into one <h1>.", h1_missing,
    ),
    Rule(
        "h1-empty", "headings", "warning", "Main heading without words",
        "An h1 that holds nothing, or an image without alt text, says nothing.",
        "Write the heading as text, or give the image in it an alt text.", h1_empty,
    ),
    Rule(
        "h1-several", "headings", "notice", "More than one main heading",
        "Several h1 blur what the page is about.",
        "Keep one h1 and make the others h2.", h1_several,
    ),
    Rule(
        "h1-long", "headings", "notice", "Main heading too long",
        f"A heading of more than {H1_CHARS_MAX} characters is a paragraph.",
        "Shorten it to the topic; put the rest below.", h1_long,
    ),
    Rule(
        "h1-duplicate", "headings", "notice", "Main heading used on several pages",
        "Pages under one heading compete with each other.",
        "Name the topic of each page in its h1.", check_site=h1_duplicate,
    ),
    Rule(
        "heading-skips", "headings", "notice", "Headings skip a level",
        "Screen readers move by levels; a jump from h2 to h4 reads as a missing part.",
        "Use levels in order and style them with CSS.", heading_skips,
    ),
    Rule(
        "headings-empty", "headings", "notice", "Headings without words",
        "An empty heading is read aloud as one and leads nowhere.",
        "Fill it, or remove it where it is only used for space.", headings_empty,
    ),
)  # fmt: skip
