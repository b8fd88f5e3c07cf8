"""New records against the leads there are: which is which, and what each lead then says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from .business import Business
from .similar import same

# Candidates that share a key with a record; more would be a mall's telephone exchange.
CANDIDATES_MAX = 200


@dataclass(slots=True)
class Resolution:
    """What came of it: `leads` as they now are, the new ones numbered from `new_ids`.

    `lead_of[i]` and `why[i]` belong to record i: its lead, and what showed it ("new" for none).
    `changed` are the ids whose row differs, `absorbed` leads that turned out to be another.
    """

    leads: dict[int, Business]
    lead_of: list[int] = field(default_factory=list)
    why: list[str] = field(default_factory=list)
    changed: set[int] = field(default_factory=set)
    absorbed: dict[int, int] = field(default_factory=dict)


def resolve(
    records: Sequence[Business], stored: Iterable[Business], new_ids: Iterable[int]
) -> Resolution:
    """Give every record its lead, an old one or one of the `new_ids`.

    Only records that share a key are compared, so the time grows with their number. The oldest lead
    that fits wins; a record that fits two leads shows that they are one.
    """
    leads = {lead.id: lead for lead in stored if lead.id is not None}
    index: defaultdict[str, dict[int, None]] = defaultdict(dict)
    for number in sorted(leads):
        _index(index, number, leads[number].keys)
    done, fresh = Resolution(leads), iter(new_ids)
    for record in records:
        fits = [
            (number, why)
            for number in _candidates(index, record)
            if (why := same(record, leads[number]))
        ]
        if not fits:
            number, why = next(fresh), "new"
            leads[number] = replace(record, id=number)
        else:
            number, why = fits[0]
            leads[number] = merged(leads[number], record)
        for other, _ in fits[1:]:
            if same(leads[number], leads[other]):
                leads[number] = merged(leads[number], leads.pop(other))
                done.absorbed[other] = number
                for place in index.values():
                    place.pop(other, None)
        _index(index, number, leads[number].keys)
        done.changed.add(number)
        done.lead_of.append(number)
        done.why.append(why)
    done.lead_of = [_end(done.absorbed, number) for number in done.lead_of]
    done.absorbed = {old: _end(done.absorbed, old) for old in done.absorbed}
    done.changed -= done.absorbed.keys()
    return done


def merged(old: Business, new: Business) -> Business:
    """Both in one: the first to say something is believed, unless the other says it better.

    A number in E.164 beats one that could not be read, an own site a listing, https the same site
    without, a longer address at the same place a shorter one, and of ratings the newest.
    """
    secure = old.website and new.website == old.website.replace("http://", "https://", 1)
    longer = len(new.folded_address) > len(old.folded_address) and (
        not old.address or set(old.folded_address.split()) <= set(new.folded_address.split())
    )
    by_hand = any(one.excluded and one.exclusion is None for one in (old, new))
    number_better = bool(new.phone and not old.phone)
    return Business(
        id=old.id,
        name=new.name if _shouted(old.name) and not _shouted(new.name) else old.name,
        phone=old.phone or new.phone,
        phone_shown=new.phone_shown if number_better else old.phone_shown or new.phone_shown,
        website=new.website if secure else old.website or new.website,
        domain=old.domain if old.website else new.domain,
        listing=old.listing or new.listing,
        address=new.address if longer else old.address,
        country=new.country if number_better or not old.country else old.country,
        category=old.category or new.category,
        rating=old.rating if new.rating is None else new.rating,
        reviews=old.reviews if new.reviews is None else new.reviews,
        latitude=new.latitude if old.latitude is None else old.latitude,
        longitude=new.longitude if old.latitude is None else old.longitude,
        place_id=old.place_id or new.place_id,
        keys=old.keys | new.keys,
        excluded=old.excluded or new.excluded,
        exclusion=None if by_hand else old.exclusion or new.exclusion,
    )


def _candidates(index: dict[str, dict[int, None]], record: Business) -> list[int]:
    """The leads that share a key with the record, the oldest first."""
    found: set[int] = set()
    for key in sorted(record.keys):  # i, n, p before w, which is shared by many
        for number in index.get(key, ()):
            found.add(number)
            if len(found) >= CANDIDATES_MAX:
                return sorted(found)
    return sorted(found)


def _index(index: defaultdict[str, dict[int, None]], number: int, keys: Iterable[str]) -> None:
    for key in keys:
        index[key][number] = None


def _end(absorbed: dict[int, int], number: int) -> int:
    while number in absorbed:
        number = absorbed[number]
    return number


def _shouted(name: str) -> bool:
    return name.isupper() or name.islower()
