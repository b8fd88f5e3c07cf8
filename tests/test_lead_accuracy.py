"""Deduplication measured on the restaurants of fodors-zagats, which people matched."""

import re
from itertools import combinations
from pathlib import Path

from bellhand.families.leads.business import Business
from bellhand.families.leads.resolve import resolve
from bellhand.families.leads.similar import same
from leads import other, record

F1_MIN = 0.97
_FIELD = re.compile(r"COL (\w+) VAL (.*?)(?= COL |$)")
Pair = tuple[dict[str, str], dict[str, str], bool]


def pairs_in(folder: Path, part: str) -> list[Pair]:
    lines = (folder / f"pairs-{part}.txt").read_text(encoding="utf-8").splitlines()
    split = (line.split("\t") for line in lines)
    return [(_fields(one), _fields(two), label == "1") for one, two, label in split]


def restaurant(fields: dict[str, str], *, phone: bool = True) -> Business:
    address = f"{fields['addr']}, {fields['city']}"
    number = fields["phone"] if phone else None
    return record(other(fields["name"], address=address, phone=number), fields["city"], "US")


def _fields(text: str) -> dict[str, str]:
    """A record without the marks of the tokenizer that the pairs went through."""
    found = {}
    for name, value in _FIELD.findall(text.strip()):
        value = value.replace("`", " ").replace("\\ '", "'").replace(" '", "'")
        found[name] = re.sub(r"\s+", " ", value).strip(" '")
    return found


def score(pairs: list[Pair], *, phone: bool = True) -> tuple[float, float, float]:
    """Precision, recall and F1."""
    right = found = wanted = 0
    for one, two, label in pairs:
        said = same(restaurant(one, phone=phone), restaurant(two, phone=phone)) is not None
        right, found, wanted = right + (said and label), found + said, wanted + label
    return right / found, right / wanted, 2 * right / (found + wanted)


def test_pairs_of_restaurants_are_told_apart(test_data: Path):
    """S0: F1 of at least 0.97 on pairs that played no part in choosing the thresholds."""
    folder = test_data / "matching" / "fodors-zagats"
    for part in ("train", "valid", "test"):
        pairs = pairs_in(folder, part)
        precision, recall, f1 = score(pairs)
        without = score(pairs, phone=False)[2]
        print(
            f"{part}: {len(pairs)} pairs, precision {precision:.3f}, recall {recall:.3f}, "
            f"F1 {f1:.3f}; without phone numbers F1 {without:.3f}"
        )
    assert len(pairs) == 189
    assert f1 >= F1_MIN
    assert without >= 0.9, "names and addresses alone"


def test_all_restaurants_at_once_fall_into_the_right_groups(test_data: Path):
    """Every record of the three parts as one stream of leads, against all labelled matches."""
    folder = test_data / "matching" / "fodors-zagats"
    pairs = [pair for part in ("train", "valid", "test") for pair in pairs_in(folder, part)]
    rows = {tuple(row.items()): row for one, two, _ in pairs for row in (one, two)}
    place = {key: number for number, key in enumerate(rows)}
    truth = {
        frozenset((place[tuple(one.items())], place[tuple(two.items())]))
        for one, two, label in pairs
        if label
    }
    records = [restaurant(row) for row in rows.values()]
    done = resolve(records, [], iter(range(len(records))))
    groups: dict[int, list[int]] = {}
    for number, lead in enumerate(done.lead_of):
        groups.setdefault(lead, []).append(number)
    found = {frozenset(pair) for group in groups.values() for pair in combinations(group, 2)}
    f1 = 2 * len(found & truth) / (len(found) + len(truth))
    print(f"{len(records)} records, {len(groups)} leads, {len(truth)} matches: F1 {f1:.3f}")
    assert len(truth) == 110
    assert f1 >= F1_MIN
