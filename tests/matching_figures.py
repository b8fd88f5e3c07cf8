"""How well matching does on public data, and how the shipped verifier is made.

python tests/matching_figures.py         prints the figures of docs/matching.md
python tests/matching_figures.py --ship  trains verifier.json anew, on training splits alone
"""

import asyncio
import os
import sys
import time
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import openai

from bellhand.families.matching import verifier
from bellhand.families.matching.assignment import one_to_one
from bellhand.families.matching.compare import corrected
from bellhand.families.matching.features import NAMES, PAIR_FEATURES, Comparison
from bellhand.families.matching.verifier import Verifier, best_threshold, train
from bellhand.settings_services import OpenAi
from matching_data import SETS, Catalogues, Labelled, Pair, abt_buy, labelled
from matching_model import PUBLISHED, judge_pairs
from support import ROOT

ALONE = [NAMES.index(name) for name in (*PAIR_FEATURES, "cosine", "whole_cosine")]
THRESHOLD_SHARE = 0.3  # of the sources: what a threshold is chosen on, and no figure is made from
SEED = 7
ACCEPT = 0.3  # the default of matching.run
DRAWS = 4


@dataclass
class Figure:
    """Precision, recall and F1 over some pairs."""

    found: int
    right: int
    wanted: int

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.found + self.wanted)

    def __str__(self) -> str:
        precision, recall = self.right / max(1, self.found), self.right / self.wanted
        return f"F1 {self.f1:.4f}  precision {precision:.4f}  recall {recall:.4f}"


def figure(found: Collection[Pair], same: Collection[Pair]) -> Figure:
    return Figure(len(found), len(set(found) & set(same)), len(same))


def of_split(data: Labelled, rows: np.ndarray, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The features and labels of a split, out of those of all pairs in the order of the splits."""
    start = 0
    for name, pairs in data.splits.items():
        if name == split:
            return rows[start : start + len(pairs)], np.array([label for _, label in pairs])
        start += len(pairs)
    raise KeyError(split)


def all_features(data: Labelled) -> np.ndarray:
    pairs = [pair for split in data.splits.values() for pair, _ in split]
    return Comparison(data.sources, data.targets).features(pairs)


def pair_f1(data: Labelled, rows: np.ndarray, columns: list[int], model: Verifier | None = None) -> tuple[Figure, float]:  # fmt: skip
    """Trained on the train split, threshold from the valid split, counted on the test split."""
    rows = rows[:, columns]
    if model is None:
        features, same = of_split(data, rows, "train")
        model = train(features, same, [NAMES[i] for i in columns])
    features, same = of_split(data, rows, "valid")
    threshold = best_threshold(model.probability(features), same)
    features, same = of_split(data, rows, "test")
    said = model.probability(features) >= threshold
    return Figure(int(said.sum()), int((said & (same == 1)).sum()), int(same.sum())), threshold


def whole_catalogue(data: Catalogues, foreign: Verifier | None) -> tuple[Figure, float]:
    """Every source against the whole catalogue, one partner each.

    The verifier is `foreign` (trained on other data), or learns from the mapping of the part that
    the threshold is chosen on: two thirds of it to learn, one third for the threshold. The figure
    is of the other sources alone.
    """
    comparison = Comparison(data.sources, data.targets)
    pairs = comparison.candidates()
    rows = comparison.features(pairs)
    order = np.random.default_rng(SEED).permutation(len(data.sources))
    part = int(THRESHOLD_SHARE * len(order))
    learn, choose = set(order[: 2 * part // 3].tolist()), set(order[2 * part // 3 : part].tolist())
    model = foreign
    if model is None:
        known = np.array([source in learn for source, _ in pairs])
        same = np.array([pair in data.same for pair in pairs], float)
        model = train(rows[known], same[known], NAMES)
    else:
        choose |= learn
    scored = one_to_one(
        [(s, t, float(p)) for (s, t), p in zip(pairs, model.probability(rows), strict=True)], 0.0
    )
    chosen = [(s, t, p) for s, t, p in scored if s in choose]
    threshold = best_threshold(
        np.array([p for _, _, p in chosen]),
        np.array([(s, t) in data.same for s, t, _ in chosen]),
        sum(s in choose for s, _ in data.same),
    )
    rest = set(order[part:].tolist())
    found = {(s, t) for s, t, p in scored if p >= threshold and s in rest}
    return figure(found, {pair for pair in data.same if pair[0] in rest}), threshold


def after_reviews(data: Catalogues, foreign: Verifier, reviews: int) -> tuple[Figure, float]:
    """What is accepted at ACCEPT after so many proposals were reviewed, and how far confidences are off: means of DRAWS draws.

    A third of the sources is what figures are made of; of the others, proposals of at least ACCEPT are reviewed, drawn by seed.
    """
    comparison = Comparison(data.sources, data.targets)
    targets_of: dict[int, list[int]] = defaultdict(list)
    for source, target in comparison.candidates():
        targets_of[source].append(target)
    pairs = [(source, target) for source, targets in targets_of.items() for target in targets]
    rows = comparison.features(pairs)

    def best(model: Verifier) -> dict[int, tuple[float, Pair]]:
        made: dict[int, tuple[float, Pair]] = {}
        for pair, chance in zip(pairs, model.probability(rows), strict=True):
            made[pair[0]] = max(made.get(pair[0], (-1.0, pair)), (float(chance), pair))
        return made

    proposals, figures, errors = best(foreign), [], []
    for seed in range(DRAWS):
        order = np.random.default_rng(seed).permutation(len(data.sources)).tolist()
        rest, model = set(order[: len(order) // 3]), foreign
        shown = [proposals[s][1] for s in order[len(order) // 3 :] if s in proposals and proposals[s][0] >= ACCEPT]  # fmt: skip
        if reviews:
            model = corrected(foreign, comparison, targets_of, {pair: pair in data.same for pair in shown[:reviews]})  # fmt: skip
        made = [one for source, one in best(model).items() if source in rest]
        found = [pair for chance, pair in made if chance >= ACCEPT]
        figures.append(figure(found, {pair for pair in data.same if pair[0] in rest}))
        bins = defaultdict(list)
        for chance, pair in made:
            bins[min(9, int(10 * chance))].append(chance - (pair in data.same))
        errors.append(sum(abs(sum(gaps)) for gaps in bins.values()) / len(made))
    sums = (sum(getattr(one, name) for one in figures) for name in ("found", "right", "wanted"))
    return Figure(*sums), sum(errors) / DRAWS


def by_cosine(data: Catalogues) -> tuple[Figure, float]:
    """What the nearest by character n-grams alone reach, by the same protocol."""
    columns = [NAMES.index("cosine")]

    class Cosine(Verifier):
        def score(self, rows: np.ndarray) -> np.ndarray:
            return 10 * rows[:, columns[0]] - 5

    nothing = np.zeros((0, 1))
    return whole_catalogue(data, Cosine(NAMES, 0.0, nothing, nothing, nothing))


def learn_from(folder: Path, names: Collection[str]) -> Verifier:
    """A verifier from the training splits of these sets, each set counting the same.

    Where items have a model number in a field of its own, each pair is seen a second time with it
    at the end of the title and half the prices gone: many catalogues are like that.
    """
    rows, same, weights = [], [], []
    for name in names:
        data = labelled(folder / name)
        for version in [data, *([in_titles(data)] if any(i.sku for i in data.sources) else [])]:
            features, labels = of_split(version, all_features(version), "train")
            rows.append(features)
            same.append(labels)
            weights.append(np.full(len(labels), 5000 / len(labels)))
    return train(np.vstack(rows), np.concatenate(same), NAMES, weights=np.concatenate(weights))


def in_titles(data: Labelled) -> Labelled:
    """The same items with brand and model number in their titles alone."""
    sides = []
    for items in (data.sources, data.targets):
        titles = (
            item.title if item.brand in item.title else f"{item.brand} {item.title}"
            for item in items
        )
        sides.append(
            [
                replace(item, title=f"{title} - {item.sku}", sku="", brand="", price=item.price if n % 2 else None)
                for n, (item, title) in enumerate(zip(items, titles, strict=True))
            ]
        )  # fmt: skip
    return Labelled(*sides, splits=data.splits)


def main() -> None:
    given = os.environ.get("BELLHAND_TEST_DATA") or ROOT.parent / "shared" / "data"
    folder = Path(given) / "matching"
    if not folder.is_dir():
        sys.exit(f"no data in {folder}; set BELLHAND_TEST_DATA to the folder that holds matching/")
    if "--ship" in sys.argv:
        path = Path(verifier.__file__).with_name("verifier.json")
        path.write_text(learn_from(folder, SETS).to_json() + "\n", encoding="utf-8")
        print(f"{path.name}: {path.stat().st_size} bytes")
        return
    print("Pairs: trained on train, threshold from valid, counted on test")
    ours = verifier.shipped()
    for name in SETS:
        started = time.perf_counter()
        data = labelled(folder / name)
        rows = all_features(data)
        for what, columns, model in (
            ("pair alone", ALONE, None),
            ("in its catalogue", list(range(len(NAMES))), None),
            ("shipped verifier", list(range(len(NAMES))), ours),
        ):
            found, threshold = pair_f1(data, rows, columns, model)
            print(f"  {name:15} {what:17} {found}  threshold {threshold:.3f}")
        print(f"  {'':15} {time.perf_counter() - started:.1f} s", flush=True)
    print(
        "Whole catalogue, Abt 1081 x Buy 1092: threshold from 30 % of the sources, counted on 70 %"
    )
    catalogues = abt_buy(folder / "abt-buy")
    foreign = learn_from(folder, ["walmart-amazon"])
    for what, model in (
        ("learned from 20 % of Abt", None),
        ("learned from Walmart-Amazon alone", foreign),
    ):
        started = time.perf_counter()
        found, threshold = whole_catalogue(catalogues, model)
        seconds = time.perf_counter() - started
        print(f"  {what:34} {found}  threshold {threshold:.3f}  {seconds:.1f} s", flush=True)
    found, threshold = by_cosine(catalogues)
    print(f"  {'nearest by n-grams':34} {found}  threshold {threshold:.3f}")
    print(
        f"The same, accepted from {ACCEPT}, learned from Walmart-Amazon and then from reviews of what was proposed"
    )
    for reviews in (0, 10, 30, 100):
        found, error = after_reviews(catalogues, foreign, reviews)
        print(f"  {reviews:3} reviewed  {found}  confidences off by {error:.3f}", flush=True)
    if os.environ.get("OPENAI_API_KEY"):
        asyncio.run(ask_a_model(folder))
    else:
        print("No OPENAI_API_KEY: the model's figures are left out")


async def ask_a_model(folder: Path) -> None:
    """The same test pairs as the AI stage asks about them, beside what others published."""
    model = os.environ.get("BELLHAND_SERVICES__OPENAI__MODEL") or OpenAi().model
    print(f"Pairs by {model} ($OPENAI_BASE_URL for another server), nothing learned:")
    async with openai.AsyncOpenAI() as client:
        for name in SETS:
            said, same = await judge_pairs(client, model, labelled(folder / name))
            right = sum(a and b for a, b in zip(said, same, strict=True))
            print(f"  {name:15} {Figure(sum(said), right, sum(same))}", flush=True)
    for name, (abt, walmart) in PUBLISHED.items():
        print(f"  published: {name:13} abt-buy {abt}  walmart-amazon {walmart}")


if __name__ == "__main__":
    main()
