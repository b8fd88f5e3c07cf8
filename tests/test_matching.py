"""The parts of matching that touch nothing: texts, candidates, features, the verifier, assignment."""

import asyncio
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import matching_figures as figures
from bellhand.families.matching.assignment import one_to_one
from bellhand.families.matching.compare import corrected
from bellhand.families.matching.features import NAMES, Comparison
from bellhand.families.matching.item import (
    Item,
    codes_of,
    compact,
    item_from,
    plain,
    price_of,
    sizes_of,
)
from bellhand.families.matching.process import CompareError, comparing
from bellhand.families.matching.verifier import Verifier, best_threshold, shipped, train
from matching import CATALOGUE, SOURCES
from matching_data import abt_buy, labelled


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("Sony  Ünïcode", "sony unicode"),
        ('8.5" Portable', "8.5in portable"),
        ("8.50 inches", "8.5in"),
        ("2.0 Cu. Ft. Oven", "2cuft oven"),
        ("16 GB card", "16gb card"),
        ("1,299 sheets", "1299sheet"),
        ("ＦＵＬＬ width", "full width"),
        ("7.2 megapixel", "7.2mp"),
        ("class 4", "class 4"),
    ],
)
def test_texts_are_made_plain(given, made):
    assert plain(given) == made


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ("Sony PS-LX350H turntable", {"pslx350h"}),
        ("Canon 2699B001", {"2699b001"}),
        ("16gb card, 8.5in, 1080p", {"1080p"}),
        ("a/b 42", set()),
        ("SF16N4/TQP", {"sf16n4tqp", "sf16n4"}),
    ],
)
def test_model_numbers_are_told_from_sizes(given, codes):
    assert codes_of(plain(given)) == codes


def test_sizes_prices_and_identifiers():
    assert sizes_of(plain('16 GB and 32GB, 8.5"')) == {"gb": {"16", "32"}, "in": {"8.5"}}
    assert [price_of(text) for text in ("$1,299.00", "0.0", "", None, "n/a")] == [1299.0, None, None, None, None]  # fmt: skip
    assert compact("AB-12/3 c") == "ab123c"


def test_assignment_gives_each_target_away_once():
    pairs = [("a", 1, 0.9), ("b", 1, 0.95), ("a", 2, 0.5), ("c", 3, 0.1)]
    assert one_to_one(pairs, 0.2) == [("b", 1, 0.95), ("a", 2, 0.5)]


def test_a_threshold_lies_in_the_middle_of_where_f1_is_best():
    scores, same = np.array([0.9, 0.8, 0.4, 0.2]), np.array([1, 1, 0, 0])
    assert best_threshold(scores, same) == pytest.approx(0.6)
    assert best_threshold(np.array([0.5, 0.5]), np.array([1, 0])) < 0.5


def test_a_verifier_learns_and_survives_json():
    draw = np.random.default_rng(0)
    rows = draw.random((600, 6))
    same = ((rows[:, 0] > 0.5) & (rows[:, 3] > 0.3)).astype(float)
    made = train(rows, same, [f"f{n}" for n in range(6)])
    again = Verifier.from_json(made.to_json())
    fresh = draw.random((300, 6))
    truth = (fresh[:, 0] > 0.5) & (fresh[:, 3] > 0.3)
    said = again.probability(fresh)
    assert ((said > 0.5) == truth).mean() > 0.95
    assert np.abs(said - made.probability(fresh)).max() < 0.02
    # What was learned before is corrected where new rows say otherwise.
    other = 1.0 - truth
    corrected = train(fresh, other, made.names, start=made)
    assert ((corrected.probability(fresh) > 0.5) == other).mean() > 0.9


def test_whoever_accepts_a_pair_says_no_to_the_others_of_its_item():
    comparison = Comparison(*([item_from(row) for row in rows] for rows in (SOURCES, CATALOGUE)))
    targets_of: dict[int, list[int]] = {}
    for source, target in comparison.candidates():
        targets_of.setdefault(source, []).append(target)
    said = {(1, 1): True, (2, 2): True, (3, 3): True}
    learned = corrected(shipped(), comparison, targets_of, said)
    pairs = [(source, target) for source, _ in said for target in targets_of[source]]
    assert len(pairs) > 2 * len(said)
    before, after = (v.probability(comparison.features(pairs)) for v in (shipped(), learned))
    for pair, was, now in zip(pairs, before, after, strict=True):
        assert now > 0.9 if pair in said else now < max(0.1, was), pair
    with pytest.raises(ValueError, match="every candidate"):
        corrected(shipped(), comparison, {1: [1]}, {(1, 1): True})


def test_the_shipped_verifier_fits_the_features():
    assert shipped().names == NAMES


def test_what_is_the_same_is_nearer_than_what_is_like_it():
    sources = [Item("Netgear ProSafe 16 Port Switch - FS116NA"), Item("Netgear 5 Port Switch - FS105NA")]  # fmt: skip
    targets = [Item("Netgear FS105 ProSafe 5 ports switch"), Item("Netgear FS116 16-port switch"), Item("")]  # fmt: skip
    comparison = Comparison(sources, targets)
    pairs = comparison.candidates()
    assert {(0, 0), (0, 1), (1, 0), (1, 1)} <= set(pairs)
    chances = dict(zip(pairs, shipped().probability(comparison.features(pairs)), strict=True))
    assert chances[0, 1] > chances[0, 0]
    assert chances[1, 0] > chances[1, 1]


def test_titles_of_common_words_alone_are_found_too():
    """10,000 identical titles: every term is common, and yet each has its candidates, in bounded memory."""
    same = [Item("Cable black")] * 3000
    tracemalloc.start()
    comparison = Comparison(same, same)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (comparison.forward.scores[:, 0] > 0.99).all()
    assert peak < 300_000_000


async def test_the_comparing_process_says_what_it_cannot_do():
    async with comparing(2_000_000_000) as process:
        with pytest.raises(CompareError, match="nobody knows how to dance"):
            await process.ask("dance")
        assert await process.ask("load", side="source", items=[]) == 0
    async with comparing(10_000_000) as process:
        with pytest.raises(CompareError, match="died"):
            await process.ask("load", side="source", items=[])


async def test_the_comparing_process_ends_with_the_one_who_asks():
    async with comparing(2_000_000_000) as process:
        await process.ask("load", side="source", items=[])
        child = process._child
    assert child.returncode is not None
    await asyncio.sleep(0)


# -- against what people labelled ------------------------------------------------------------------


@pytest.fixture
def sets(test_data: Path) -> Path:
    folder = test_data / "matching"
    if not folder.is_dir():
        pytest.skip(f"no matching data in {folder}; set BELLHAND_TEST_DATA to where it is")
    return folder


def test_a_whole_catalogue_is_matched_without_a_key(sets: Path):
    """F1 of at least 0.90 on Abt-Buy; the threshold, and what was learned, come from other sources."""
    found, threshold = figures.whole_catalogue(abt_buy(sets / "abt-buy"), None)
    print(found, threshold)
    assert found.wanted > 700
    assert found.f1 >= 0.90


@pytest.mark.parametrize(
    ("name", "least"), [("abt-buy", 0.86), ("walmart-amazon", 0.82), ("fodors-zagats", 1.0)]
)
def test_pairs_are_judged_as_people_did(sets: Path, name: str, least: float):
    """The shipped verifier saw the training splits alone, and the threshold is the valid split's."""
    data = labelled(sets / name)
    columns = list(range(len(NAMES)))
    found, threshold = figures.pair_f1(data, figures.all_features(data), columns, shipped())
    print(found, threshold)
    assert found.f1 >= least
