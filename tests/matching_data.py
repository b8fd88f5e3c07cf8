"""The public data sets of product and restaurant matching, as items and labelled pairs."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from bellhand.families.matching.item import Item, price_of

FIELD = re.compile(r"COL (\w+) VAL ?")
SPLITS = ("train", "valid", "test")
SETS = ("abt-buy", "walmart-amazon", "fodors-zagats")

Pair = tuple[int, int]


@dataclass
class Labelled:
    """Distinct records of both sides, and for each split its pairs with 1 for the same item."""

    sources: list[Item]
    targets: list[Item]
    splits: dict[str, list[tuple[Pair, int]]]


@dataclass
class Catalogues:
    """Two whole catalogues and which pairs are the same."""

    sources: list[Item]
    targets: list[Item]
    same: set[Pair]


def labelled(folder: Path) -> Labelled:
    """The standard pairs of one data set (Ditto's text form of ER-Magellan's tables)."""
    sides: list[dict[str, int]] = [{}, {}]
    items: list[list[Item]] = [[], []]
    splits: dict[str, list[tuple[Pair, int]]] = {}
    for split in SPLITS:
        rows = splits[split] = []
        for line in (folder / f"pairs-{split}.txt").read_text(encoding="utf-8").splitlines():
            *texts, label = line.split("\t")
            places = []
            for text, known, found in zip(texts, sides, items, strict=True):
                text = text.strip()
                if text not in known:
                    known[text] = len(found)
                    found.append(item_of(text))
                places.append(known[text])
            rows.append(((places[0], places[1]), int(label)))
    return Labelled(items[0], items[1], splits)


def item_of(text: str) -> Item:
    """One record; `class` is left out, because in Fodors-Zagats it gives the answer away."""
    parts = FIELD.split(text)[1:]
    values = {
        name: value.strip(" `'").strip()
        for name, value in zip(parts[::2], parts[1::2], strict=True)
    }
    known = {"name", "title", "modelno", "brand", "price", "description", "class"}
    return Item(
        title=values.get("name") or values.get("title") or "",
        sku=values.get("modelno", ""),
        brand=values.get("brand", ""),
        price=price_of(values.get("price")),
        description=values.get("description", ""),
        attributes={n: v for n, v in values.items() if n not in known and v},
    )


def abt_buy(folder: Path) -> Catalogues:
    """The original tables with their perfect mapping."""
    sides = []
    for name in ("abt", "buy"):
        with (folder / f"{name}.csv").open(encoding="iso-8859-1", newline="") as file:
            sides.append(list(csv.DictReader(file)))
    places = [{row["id"]: i for i, row in enumerate(rows)} for rows in sides]
    items = [
        [
            Item(
                title=row["name"],
                brand=row.get("manufacturer") or "",
                price=price_of(row["price"]),
                description=row["description"],
            )
            for row in rows
        ]
        for rows in sides
    ]
    with (folder / "abt_buy_perfect_mapping.csv").open(encoding="iso-8859-1", newline="") as file:
        same = {(places[0][row["idAbt"]], places[1][row["idBuy"]]) for row in csv.DictReader(file)}
    return Catalogues(items[0], items[1], same)
