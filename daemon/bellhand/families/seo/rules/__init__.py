"""All rules as one table, and how a page and a site are judged by them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ..views import EXAMPLES_MAX, Evidence, Page, Site
from . import addresses, contents, delivery, indexing, links, texts
from .rule import SEVERITIES, Rule

__all__ = ["ALL", "BY_NAME", "SEVERITIES", "Issue", "Judge", "Rule"]

ALL: tuple[Rule, ...] = (
    *texts.RULES, *indexing.RULES, *links.RULES, *addresses.RULES, *contents.RULES, *delivery.RULES,
)  # fmt: skip
BY_NAME = {rule.name: rule for rule in ALL}
_OF_PAGES = [(rule, rule.check) for rule in ALL if rule.check is not None]
_OF_SITES = [(rule, rule.check_site) for rule in ALL if rule.check_site is not None]


class Issue(NamedTuple):
    """A breach of a rule: on a page, or (None) by the site as a whole."""

    rule: Rule
    page_id: int | None
    evidence: Evidence


@dataclass(slots=True)
class _Spread:
    """On how many pages a fault of the whole site shows, with examples."""

    pages: int = 0
    examples: list[str] = field(default_factory=list)
    evidence: Evidence = field(default_factory=dict)


class Judge:
    """Looks at pages one by one, then at the site they make; remembers outlines, not pages."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._spread: dict[str, _Spread] = {}

    def page(self, page: Page) -> Iterator[Issue]:
        """The issues of one page; its outline joins the site."""
        self.site.add(page)
        for rule, check in _OF_PAGES:
            evidence = check(page)
            if evidence is None:
                continue
            if rule.whole_site:
                spread = self._spread.setdefault(rule.name, _Spread(evidence=evidence))
                spread.pages += 1
                if len(spread.examples) < EXAMPLES_MAX:
                    spread.examples.append(page.url)
            else:
                yield Issue(rule, page.id, evidence)

    def whole(self) -> Iterator[Issue]:
        """The issues that only all pages together show; call it when every page was looked at."""
        for name, spread in self._spread.items():
            found = {**spread.evidence, "pages": spread.pages, "examples": spread.examples}
            yield Issue(BY_NAME[name], None, found)
        for rule, check in _OF_SITES:
            for page_id, evidence in check(self.site):
                yield Issue(rule, page_id, evidence)
