"""What a report says, gathered from the tables, and how it is written as HTML and as CSV."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2

from . import charts
from .rules import BY_NAME, SEVERITIES, Rule
from .score import METHOD

EXAMPLES_MAX = 10
PAGED_EXAMPLES_MAX = 5
HISTORY_MAX = 12
_TEXT_CHARS_MAX = 300
_ANSWERS = ("ok", "redirect", "not found", "server error", "no answer")
_SLOTS = ("under 0.1 s", "0.1 to 0.2 s", "0.2 to 0.5 s", "0.5 to 1 s", "1 to 2 s", "over 2 s")
# What a spreadsheet takes for a formula when a cell begins with it (OWASP, CSV injection).
_ACTIVE = ("=", "+", "-", "@", "\t", "\r", "\n")
COLUMNS = ("severity", "category", "issue", "page", "new", "evidence", "how to fix", "rule")
CATEGORY_NAMES = {
    "robots": "Robots and index",
    "structured-data": "Structured data",
    "hreflang": "Languages",
}


@dataclass(frozen=True, slots=True)
class Example:
    """One issue as it is shown: `facts` are label and value, `items` a list with a name."""

    url: str | None
    is_new: bool
    facts: tuple[tuple[str, str], ...]
    items: tuple[str, ...]
    more: int

    @property
    def said(self) -> bool:
        """Whether there is more to it than the rule's own words."""
        return bool(self.facts or self.items)


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that is broken, how often, and examples."""

    rule: Rule
    issues: int
    new: int | None
    fixed: int | None
    pages: int | None
    gain: float
    examples: tuple[Example, ...]

    @property
    def whole(self) -> bool:
        """Whether the site as a whole is at fault, rather than some of its pages."""
        return bool(self.examples) and self.examples[0].url is None


@dataclass(slots=True)
class Report:
    """A whole report; `head` is the row of report_head.sql."""

    head: Mapping[str, Any]
    details: Mapping[str, Any]
    findings: list[Finding] = field(default_factory=list)
    fixed: list[tuple[Rule, int]] = field(default_factory=list)
    history: Sequence[Mapping[str, Any]] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] | None = None


def gather(
    head: Mapping[str, Any],
    examples: Iterable[Mapping[str, Any]],
    history: Sequence[Mapping[str, Any]],
    figures: Mapping[str, Any],
) -> Report:
    """Rows as they come from the queries, put together as a report."""
    details = json.loads(head["details"])
    shown: dict[str, list[Example]] = {}
    for row in examples:
        shown.setdefault(row["rule"], []).append(_example(row))
    gains = {gain["rule"]: gain["points"] for gain in details["gains"]}
    report = Report(head, details, history=history)
    for change in details["rules"]:
        rule = BY_NAME.get(change["rule"])
        if rule is None:
            continue  # of an older version
        if change["issues"]:
            own = tuple(shown.get(rule.name, ()))
            report.findings.append(
                Finding(
                    rule, change["issues"], change.get("new"), change.get("fixed"),
                    _spread(own), gains.get(rule.name, 0.0), own,
                )
            )  # fmt: skip
        if change.get("fixed"):
            report.fixed.append((rule, change["fixed"]))
    order = {name: place for place, name in enumerate(SEVERITIES)}
    report.findings.sort(key=lambda f: (order[f.rule.severity], -f.gain, -f.issues, f.rule.name))
    report.figures = {k: json.loads(v) if isinstance(v, str) else v for k, v in figures.items()}
    report.summary = json.loads(head["summary"]) if head["summary"] else None
    return report


def as_html(report: Report, *, paged: bool = False) -> str:
    """The report as one page that needs no other file; `paged` for print: light, nothing folded."""
    head, figures = report.head, report.figures
    answers, depths, seconds = (
        figures.get(name) or {} for name in ("answers", "depths", "seconds")
    )
    return _template().render(
        report=report,
        head=head,
        paged=paged,
        examples_max=PAGED_EXAMPLES_MAX if paged else EXAMPLES_MAX,
        host=urlsplit(head["url"]).netloc or head["url"],
        method=METHOD,
        titles={name: rule.title for name, rule in BY_NAME.items()},
        severities=report.details["severities"],
        changed=_changed(report),
        ring=charts.ring(head["score"]),
        radius=charts.RING_RADIUS,
        verdict=_verdict(head["score"]),
        trend=charts.line([(row["date"], row["score"]) for row in report.history]),
        answers=charts.bars([(name, answers.get(name, 0)) for name in _ANSWERS]),
        depths=charts.bars(
            [(_clicks(n), depths.get(str(n), 0)) for n in range(_deepest(depths) + 1)]
        ),
        seconds=charts.bars([(name, seconds.get(str(n), 0)) for n, name in enumerate(_SLOTS)]),
        categories=[c for c in report.details["categories"] if c["issues"]],
        whole=[c["name"] for c in report.details["categories"] if not c["issues"]],
        gains=[
            (BY_NAME[g["rule"]], g) for g in report.details["gains"][:6] if g["rule"] in BY_NAME
        ],
    )


def csv_head() -> bytes:
    """The first line, after the mark by which spreadsheets know UTF-8."""
    return b"\xef\xbb\xbf" + csv_lines([COLUMNS])


def csv_rows(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows of report_issues.sql as RFC 4180 lines."""
    return csv_lines(_csv_row(row) for row in rows)


def csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    """Cells as lines, every one quoted, none a formula."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([cell(one) for one in row] for row in rows)
    return out.getvalue().encode("utf-8", "replace")


def cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return "'" + text if text.lstrip(" ").startswith(_ACTIVE) else text


def _csv_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    rule = BY_NAME.get(row["rule"])
    shown = _example(row)
    said = [f"{label}: {value}" for label, value in shown.facts] + list(shown.items)
    if shown.more:
        said.append(f"and {shown.more} more")
    new = {None: "", True: "yes", False: "no"}[row["is_new"]]
    title, category, fix = (rule.title, rule.category, rule.fix) if rule else (row["rule"], "", "")
    return (
        row["severity"],
        category,
        title,
        row["url"] or "(whole site)",
        new,
        "; ".join(said),
        fix,
        row["rule"],
    )


def _example(row: Mapping[str, Any]) -> Example:
    evidence = json.loads(row["evidence"])
    facts: list[tuple[str, str]] = []
    items: list[str] = []
    for name, value in evidence.items():
        if isinstance(value, list):
            items.extend(str(one)[:_TEXT_CHARS_MAX] for one in value)
        elif value is not None and name != "count":
            facts.append((name.replace("_", " "), _shown(value)))
    if "count" in evidence and not items:
        facts.append(("how many", _shown(evidence["count"])))
    whole = row["url"] is None
    known = (
        evidence.get("count")
        or (evidence.get("pages") if whole else evidence.get("pages", 1) - 1)
        or 0
    )
    more = max(0, known - len(items)) if items else 0
    return Example(row["url"], bool(row["is_new"]), tuple(facts), tuple(items), more)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)[:_TEXT_CHARS_MAX]


def _spread(examples: Sequence[Example]) -> int | None:
    """On how many pages a fault of the whole site shows; None for a rule about single pages."""
    for one in examples:
        if one.url is None:
            pages = dict(one.facts).get("pages")
            return int(pages.replace(",", "")) if pages else None
    return None


def _changed(report: Report) -> dict[str, int] | None:
    changes = [change for change in report.details["rules"] if "new" in change]
    if not changes:
        return None
    return {
        name: sum(change[name] for change in changes) for name in ("new", "fixed", "gone", "kept")
    }


def _verdict(score: float) -> str:
    bounds = ((90, "very good"), (75, "good"), (50, "needs work"), (0, "poor"))
    return next(word for bound, word in bounds if score >= bound)


def _deepest(depths: Mapping[str, int]) -> int:
    return max(map(int, depths), default=0)


def _clicks(n: int) -> str:
    return "start" if n == 0 else "10+" if n == 10 else str(n)


@cache
def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(Path(__file__).with_name("templates"))
    # Page titles are written by strangers: everything is escaped, and nothing that is missing passes as empty.
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["category"] = lambda name: CATEGORY_NAMES.get(name, name.capitalize())
    return environment.get_template("report.html")
