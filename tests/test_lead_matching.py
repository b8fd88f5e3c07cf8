"""Which records are one business, what the merged lead says, and who is excluded."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellhand.families.leads.business import Business
from bellhand.families.leads.exclusions import rule_of, rules_of
from bellhand.families.leads.resolve import merged, resolve
from bellhand.families.leads.similar import same
from leads import business, place, record

STREET = "12 Main St, Austin, TX 78701"
PHONE = "(512) 555-0142"


@pytest.mark.parametrize(
    ("one", "two", "why"),
    [
        (business("Acme", place_id="x"), business("Quite Another", place_id="x"), "place"),
        (business("Acme Glass", phone=PHONE), business("ACME Glass LLC", phone="512.555.0142"), "phone"),
        (business("Acme", website="acme.com"), business("Acme Ltd", website="www.acme.com/contact"), "domain"),
        (business("A. Smith, DDS", address=STREET, website="teeth.com"),
         business("Teeth of Austin", address="12 Main Street, Austin, TX 78701", website="teeth.com"), "domain"),
        (business("Art's Delicatessen", address=STREET), business("Art's Deli", address="12 Main Street, Austin"), "address"),
        (business("Shop Smart", address=STREET), business("ShopSmart", address=STREET), "address"),
        (business("Acme Plumbing"), business("ACME PLUMBING, Inc."), "name"),
        (business("Café Müller", address="Hauptstr. 5, Berlin"), business("Cafe Muller", address="Hauptstr. 5, 10115 Berlin"), "address"),
        # Not the same
        (business("Hotel Grand", phone=PHONE), business("Steak House", phone=PHONE), None),
        (business("Ritz Cafe Austin", phone=PHONE, address=STREET), business("Ritz Restaurant Austin", phone=PHONE, address=STREET), None),
        (business("Acme", address=STREET), business("Acme", address="99 Oak Ave, Austin, TX 78702"), None),
        (business("Acme Plumbing"), business("Acme Plumbing", "Dallas, TX"), None),
        (business("Acme", phone=PHONE), business("Acme", phone="(512) 555-0143"), None),
        (business("Acme", website="acme.com"), business("Acme", website="acme.net"), None),
        (business("Nike", website="mall.com/nike"), business("Puma", website="mall.com/puma"), None),
        (business("The Bar", website="facebook.com/a"), business("A Bar of Gold", website="facebook.com/b"), None),
    ],
)  # fmt: skip
def test_evidence_decides_whether_two_records_are_one_business(
    one: Business, two: Business, why: str | None
):
    assert same(one, two) == why
    assert same(two, one) == why


def test_a_merged_lead_keeps_the_better_of_every_field():
    poor = business("ACME GLASS", phone="0171 99", address="12 Main St", website="http://acme.com/")
    rich = record(place(website="https://acme.com/", address="12 Main St, Austin, TX 78701"))
    lead = merged(poor, rich)
    assert lead.name == "Acme Glass LLC"
    assert lead.phone == "+15125550142"
    assert lead.phone_shown == PHONE
    assert lead.website == "https://acme.com/"
    assert lead.address == STREET
    assert (lead.rating, lead.reviews, lead.category) == (4.5, 31, "Glazier")
    assert lead.keys == poor.keys | rich.keys
    back = merged(rich, poor)
    assert (back.name, back.phone, back.address) == (lead.name, lead.phone, lead.address)
    newer = merged(rich, record(place(rating=4.1, reviews=40)))
    assert (newer.rating, newer.reviews) == (4.1, 40)


def test_records_find_old_leads_and_each_other():
    old = business("Acme Glass", phone=PHONE)
    old.id = 7
    records = [
        record(place(phone=None)),  # new: nothing in common with the old one but the name
        record(place()),  # joins both, which shows that they are one
        business("Zenith Tiles", phone="(512) 555-0177"),
        business("Zenith Tiles Inc", phone="(512) 555-0177"),
    ]
    records[0].keys -= {key for key in records[0].keys if key.startswith("n:")}
    records[0].address = records[0].folded_address = ""
    done = resolve(records, [old], iter([10, 11, 12, 13]))
    assert done.lead_of == [7, 7, 11, 11]
    assert done.why[2:] == ["new", "phone"]
    assert done.absorbed == {10: 7}
    assert done.changed == {7, 11}
    assert done.leads[7].domain == "acme-glass.com"


def test_the_order_of_records_changes_no_grouping():
    records = [
        record(place(title=f"Acme {n % 20} Glass", phone=f"512555{n % 20:04}", website=None, place_id=None,
                     address=f"{n % 20 + 1} Elm St, Austin, TX"))
        for n in range(60)
    ]  # fmt: skip
    groups = set()
    for seed in range(5):
        shuffled = random.Random(seed).sample(range(60), 60)
        done = resolve([records[i] for i in shuffled], [], iter(range(100)))
        by_lead: dict[int, set[int]] = {}
        for i, lead in zip(shuffled, done.lead_of, strict=True):
            by_lead.setdefault(lead, set()).add(i % 20)
        groups.add(tuple(sorted(tuple(sorted(group)) for group in by_lead.values())))
    assert groups == {tuple((n,) for n in range(20))}


def test_ten_thousand_records_are_not_compared_with_one_another(monkeypatch):
    """Fifty million pairs; those that share a key are some thousands."""
    chance = random.Random(5)
    syllables = [a + b for a in "bcdfglmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er")]
    compared = 0

    def counting(one: Business, two: Business) -> str | None:
        nonlocal compared
        compared += 1
        return same(one, two)

    def word() -> str:
        return "".join(chance.choice(syllables) for _ in range(3))

    records = []
    for n in range(10_000):
        address = f"{chance.randint(1, 9999)} {word()} St, Austin, TX 78{chance.randint(100, 999)}"
        records.append(business(f"{word()} {word()}", address=address, place_id=str(n)))
    monkeypatch.setattr("bellhand.families.leads.resolve.same", counting)
    started = time.process_time()
    done = resolve(records, [], iter(range(10_000)))
    seconds = time.process_time() - started
    print(f"{compared} comparisons, {10_000 / seconds:,.0f} records a second of CPU")
    assert len(done.leads) == 10_000
    assert compared < 50_000


@pytest.mark.parametrize(
    ("text", "excluded"),
    [
        ("acme-glass.com", True),
        ("domain: https://www.Acme-Glass.com/", True),
        ("glass.com", False),
        ("+1 512 555 0142", True),
        ("phone: +15125550142", True),
        ("+15125550143", False),
        ("acme*", True),
        ("name: *GLASS*", True),
        ("name:acme glass llc", True),
        ("Acme", False),
        ("*glass", False),
        ("a*m*gl*c", True),
        ("acme glass llc*acme glass llc", False),
    ],
)
def test_exclusions_are_domains_phones_and_names_with_stars(text: str, excluded: bool):
    """S2-03: an excluded business is recognised whichever way it is named."""
    assert (rules_of([rule_of(text)]).match(record(place())) is not None) == excluded


def test_a_domain_excludes_what_is_below_it():
    rules = rules_of([rule_of("wixsite.com"), rule_of("acme.co.uk")])
    assert rules.match(business("X", website="shop.acme.co.uk"))
    assert rules.match(business("X", website="glass.wixsite.com"))
    assert rules.match(business("X", website="acme2.co.uk")) is None
    assert rules_of([rule_of("a.acme.com")]).match(business("X", website="b.acme.com")) is None


@pytest.mark.parametrize("text", ["", "phone: 12", "domain: nonsense", "name: !!", "***"])
def test_a_rule_that_can_exclude_nothing_is_refused(text: str):
    with pytest.raises(ValueError, match="excludes nothing"):
        rule_of(text)


@given(st.text(alphabet="ab*", min_size=1, max_size=30), st.text(alphabet="ab", max_size=40))
def test_stars_mean_what_they_mean_in_file_names(pattern: str, name: str):
    from fnmatch import fnmatchcase

    if not pattern.strip("*") or not name:
        return
    found = rules_of([rule_of(f"name:{pattern}")]).match(business(name))
    assert (found is not None) == fnmatchcase(name, pattern)


def test_no_pattern_is_slow():
    rules = rules_of([rule_of("name:" + "a*" * 100 + "b")])
    started = time.process_time()
    assert rules.match(business("a" * 500)) is None
    assert time.process_time() - started < 1
