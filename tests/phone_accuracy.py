"""How well phone numbers are found, and faxes told apart, on real pages that people labelled.

`python tests/phone_accuracy.py` prints the figures and every disagreement.

Numbers count once a page. Every label counts, those too that nobody could dial: some are extensions
alone ("ext 102"). A label and a number in E.164 are the same if their digits are, with
or without country code and trunk zero; an extension behind the label is left out. Precision is taken
on pages with a label of either sort. The country is known from nothing but the page and its address.
"""

import json
import os
import re
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "daemon"), str(ROOT / "tests")]

from phonenumbers import parse  # noqa: E402

from bellhand.clients.text import text_of  # noqa: E402
from bellhand.families.sites.markup import read  # noqa: E402
from bellhand.families.sites.phones import Phone, find_phones  # noqa: E402
from bellhand.families.sites.regions import regions  # noqa: E402

_EXTENSION = re.compile(r",?\s*(?:ext|x\s?\d)", re.IGNORECASE)


@dataclass
class Report:
    """The figures, and every page on which we and the labels disagree."""

    pages: int = 0
    labels: int = 0
    found: int = 0
    right: int = 0
    faxes: int = 0
    faxes_marked: int = 0
    missed: list[tuple[str, str]] = field(default_factory=list)
    extra: list[tuple[str, Phone]] = field(default_factory=list)
    faxes_missed: list[tuple[str, Phone]] = field(default_factory=list)
    wrongly_fax: list[tuple[str, Phone]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def recall(self) -> float:
        return self.found / self.labels

    @property
    def precision(self) -> float:
        return self.right / (self.right + len(self.extra))

    def __str__(self) -> str:
        marked = self.faxes_marked + len(self.wrongly_fax)
        lines = [
            f"{self.pages} pages with {self.labels} labelled numbers",
            f"recall    {self.recall:7.2%}  {self.found} of {self.labels}",
            f"precision {self.precision:7.2%}  {self.right} of {self.right + len(self.extra)}",
            f"faxes     {self.faxes_marked} of {self.faxes} found ones are marked, {marked} marks in all",
            f"speed     {self.pages / self.seconds:7.1f} pages/s, searched only",
            *(f"MISSED {page} {label}" for page, label in self.missed),
            *(f"EXTRA  {page} {phone.number} {phone.shown!r}" for page, phone in self.extra),
            *(f"NO FAX {page} {phone.number}" for page, phone in self.faxes_missed),
            *(f"FAX?   {page} {phone.number}" for page, phone in self.wrongly_fax),
        ]
        return "\n".join(lines)


def measure(folder: Path) -> Report:
    """Search every labelled page of the set."""
    report = Report()
    for line in (folder / "ground_truth.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        calls, faxes = _labels(row["entities"], "TEL"), _labels(row["entities"], "FAX")
        if not calls and not faxes:
            continue
        page = read(text_of("text/html", (folder / "pages" / row["page"]).read_bytes()))
        started = time.perf_counter()
        phones = find_phones(page, regions(page, row["base"] or "", None))
        report.seconds += time.perf_counter() - started
        report.pages += 1
        _compare(report, row["page"], phones, calls, faxes)
    return report


def _labels(entities: dict[str, list[str]], kind: str) -> list[str]:
    """Distinct by their digits."""
    texts = (_EXTENSION.split(label)[0] or label for label in entities.get(kind, []))
    return list({_digits(text): text for text in texts}.values())


def _compare(
    report: Report, page: str, phones: list[Phone], calls: list[str], faxes: list[str]
) -> None:
    labels = {_digits(label): label for label in (*calls, *faxes)}.values()
    missed = [label for label in labels if not any(_same(label, one) for one in phones)]
    report.labels += len(labels)
    report.found += len(labels) - len(missed)
    report.missed += [(page, label) for label in missed]
    for phone in phones:
        called, faxed = _among(phone, calls), _among(phone, faxes)
        if not called and not faxed:
            report.extra.append((page, phone))
            continue
        report.right += 1
        if faxed and not called:
            report.faxes += 1
            report.faxes_marked += phone.fax
            report.faxes_missed += [] if phone.fax else [(page, phone)]
        elif phone.fax:
            report.wrongly_fax.append((page, phone))


def _among(phone: Phone, labels: Iterable[str]) -> bool:
    return any(_same(label, phone) for label in labels)


def _same(label: str, phone: Phone) -> bool:
    number = parse(phone.number)
    national, digits = str(number.national_number), re.sub(r"^(?:00|011)", "", _digits(label))
    with_trunk_zero = f"{number.country_code}0{national}"
    return digits.lstrip("0") in (national, phone.number[1:], with_trunk_zero)


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


if __name__ == "__main__":
    data = Path(os.environ.get("BELLHAND_TEST_DATA") or ROOT.parent / "shared" / "data")
    print(measure(data / "websites"))
