"""How well e-mail addresses are found on real pages that people labelled.

`python tests/accuracy.py` prints the figures and every disagreement.

The pages are served over HTTP and read through the daemon's own fetcher and parser. Addresses
count once a page, in lower case. The people labelled what they saw: an address that stands only
behind a link ("Send email") cannot have a label, so precision is taken over the addresses that a
visitor sees, and over all of them besides. 246 pages have no e-mail label at all although most of
those that show an address show it plainly; what is found on them is listed apart.
"""

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "daemon"), str(ROOT / "tests")]

from bellhand.clients.text import text_of  # noqa: E402
from bellhand.families.sites.emails import Email, find_emails, in_disguise, in_text, plain  # noqa: E402
from bellhand.families.sites.markup import read  # noqa: E402
from websites import local_web, serving  # noqa: E402

AT_ONCE = 8


@dataclass
class Report:
    """The figures, and every page on which we and the labels disagree."""

    pages: int = 0
    labelled_pages: int = 0
    labels: int = 0
    right: int = 0
    missed: list[tuple[str, str]] = field(default_factory=list)
    extra: list[tuple[str, Email]] = field(default_factory=list)
    behind_links: list[tuple[str, Email]] = field(default_factory=list)
    aliases: list[tuple[str, str]] = field(default_factory=list)
    unlabelled: list[tuple[str, Email]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def recall(self) -> float:
        return self.right / self.labels

    @property
    def precision(self) -> float:
        """Of what a visitor sees on pages with labels: an unlabelled address counts as wrong."""
        return self.right / (self.right + len(self.extra))

    @property
    def precision_of_all(self) -> float:
        """The same, with what stands only behind links counted as wrong too."""
        return self.right / (self.right + len(self.extra) + len(self.behind_links))

    @property
    def precision_with_aliases(self) -> float:
        """The same, were every alias behind a link counted as a find."""
        wrong = len(self.extra) + len(self.behind_links) + len(self.aliases)
        return self.right / (self.right + wrong)

    @property
    def precision_everywhere(self) -> float:
        """The same, were pages without an e-mail label taken for pages without addresses."""
        wrong = len(self.extra) + len(self.behind_links) + len(self.unlabelled)
        return self.right / (self.right + wrong)

    def __str__(self) -> str:
        lines = [
            f"{self.pages} pages, {self.labelled_pages} with {self.labels} labelled addresses",
            f"recall    {self.recall:7.2%}  {self.right} of {self.labels}",
            f"precision {self.precision:7.2%}  of what a visitor sees, on pages that have labels",
            f"precision {self.precision_of_all:7.2%}  the same, with what stands only behind links",
            f"precision {self.precision_with_aliases:7.2%}  the same, with aliases behind links",
            f"precision {self.precision_everywhere:7.2%}  the same, with pages without labels",
            f"speed     {self.pages / self.seconds:7.1f} pages/s, fetched, parsed and searched",
            "",
            "found without a label, on pages with labels:",
            *(f"  {page}  {email.address}  ({email.how})" for page, email in self.extra),
            "found only behind links, where no label can be:",
            *(f"  {page}  {email.address}" for page, email in self.behind_links),
            "aliases behind links that show another address, not counted as found:",
            *(f"  {page}  {alias}" for page, alias in self.aliases),
            f"found on pages without any e-mail label, {len(self.unlabelled)} in all:",
            *(f"  {page}  {email.address}  ({email.how})" for page, email in self.unlabelled),
        ]
        return "\n".join(lines + [f"MISSED {page} {address}" for page, address in self.missed])


def label_as_address(label: str) -> str:
    """What the label says, with [at] and (dot) read as people read them."""
    spelled = re.sub(r"\s*[\[(]at[\])]\s*|\s+at\s+", "@", label.strip().lower())
    return re.sub(r"\s*[\[(]dot[\])]\s*|\s+dot\s+", ".", spelled)


def truth_in(folder: Path) -> list[dict[str, Any]]:
    """The labels, one dict a page."""
    lines = (folder / "ground_truth.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def texts_of(folder: Path, truth: list[dict[str, Any]]) -> dict[str, str]:
    """What a visitor reads, by page."""
    pages = folder / "pages"
    return {
        row["page"]: plain(read(text_of("text/html", (pages / row["page"]).read_bytes())).text)
        for row in truth
    }


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[int]:
    """The pages on a local server, each under its file name; yields the port."""

    async def answer(request: web.Request) -> web.Response:
        path = folder / "pages" / Path(request.match_info["page"]).name
        if not path.is_file():
            return web.Response(status=404)
        return web.Response(body=path.read_bytes(), headers={"Content-Type": "text/html"})

    async with serving(("/{page}", answer)) as port:
        yield port


async def measure(folder: Path) -> Report:
    """Fetch and search every page of the set, without database or daemon."""
    truth = truth_in(folder)
    found: dict[str, list[Email]] = {}
    async with served(folder) as port, local_web(port) as fetcher:
        waiting = iter(truth)

        async def hand() -> None:
            for row in waiting:
                page = await fetcher.get(f"http://127.0.0.1:{port}/{row['page']}")
                found[row["page"]] = find_emails(read(page.text))

        started = time.perf_counter()
        await asyncio.gather(*(hand() for _ in range(AT_ONCE)))
        seconds = time.perf_counter() - started
    return score(truth, found, texts_of(folder, truth), seconds)


def score(
    truth: list[dict[str, Any]],
    found: dict[str, list[Email]],
    texts: dict[str, str],
    seconds: float,
) -> Report:
    """Compare what was found, by page, with the labels; `texts` are what a visitor reads."""
    report = Report(pages=len(truth), seconds=seconds)
    for row in truth:
        labels = {label_as_address(label) for label in row["entities"].get("EMAIL", [])}
        text = texts.get(row["page"], "")
        seen = {*in_text(text), *in_disguise(text)}
        _compare(report, row["page"], labels, found.get(row["page"], []), seen)
    return report


def _compare(
    report: Report, page: str, labels: set[str], emails: list[Email], seen: set[str]
) -> None:
    if not labels:
        report.unlabelled += [(page, email) for email in emails]
        return
    addresses = {email.address for email in emails}
    report.labelled_pages += 1
    report.labels += len(labels)
    report.right += len(labels & addresses)
    report.missed += [(page, label) for label in sorted(labels - addresses)]
    unlabelled = [email for email in emails if email.address not in labels]
    report.extra += [(page, email) for email in unlabelled if email.address in seen]
    report.behind_links += [(page, email) for email in unlabelled if email.address not in seen]
    report.aliases += [(page, alias) for email in emails for alias in email.aliases]


if __name__ == "__main__":
    data = Path(os.environ.get("BELLHAND_TEST_DATA") or ROOT.parent / "shared" / "data")
    print(asyncio.run(measure(data / "websites")))
