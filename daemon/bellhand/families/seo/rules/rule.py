"""What a rule is: a name, how bad its breach is, what it means, how to mend it, and a pure check."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..views import Evidence, Page, Site

SEVERITIES = ("error", "warning", "notice")

PageCheck = Callable[[Page], Evidence | None]
SiteCheck = Callable[[Site], Iterable[tuple[int | None, Evidence]]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; a category's name comes from the module it stands in.

    `check` looks at one page and returns the evidence of a breach, `check_site` at the outline of
    all and yields (page id or None, evidence). With `whole_site` what `check` finds on many pages is
    one issue of the site: a header that the server forgets is forgotten once.
    """

    name: str
    category: str
    severity: str
    title: str
    why: str
    fix: str
    check: PageCheck | None = None
    check_site: SiteCheck | None = None
    whole_site: bool = False
