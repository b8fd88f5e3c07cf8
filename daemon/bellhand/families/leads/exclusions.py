"""Who is not to be a lead: rules on domains, phone numbers and names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .business import Business
from .contact import host_of, phone_of, website_of
from .fold import fold

FIELDS = ("domain", "phone", "name")


@dataclass(frozen=True, slots=True)
class Rule:
    """One exclusion; `id` is its row, None for one that came with a job."""

    field: str
    pattern: str
    id: int | None = None


def rule_of(text: str, country: str | None = None) -> Rule:
    """A rule as people write it: "domain: acme.com", "phone: +8801711123456", "name: Acme*".

    Without the word before the colon a number is a phone, what has a dot and no space a domain, and
    all else a name. Raises ValueError for one that can match nothing.
    """
    field, colon, pattern = text.partition(":")
    field = field.strip().lower()
    if not colon or field not in FIELDS:
        field, pattern = "", text
    pattern = pattern.strip()
    if not field:
        digits = sum(c.isdigit() for c in pattern)
        if digits >= 6 and not any(c.isalpha() for c in pattern):
            field = "phone"
        else:
            field = "domain" if "." in pattern and " " not in pattern else "name"
    rule = Rule(field, pattern)
    if not _form(rule, country):
        raise ValueError(
            f"{text!r} excludes nothing: write a domain (acme.com), a phone number with its country "
            "code (+8801711123456) or a name (Acme*)"
        )
    return rule


@dataclass(slots=True)
class Rules:
    """Many rules, each looked up in the time it takes to look at one; name patterns one by one."""

    domains: dict[str, Rule] = field(default_factory=dict)
    phones: dict[str, Rule] = field(default_factory=dict)
    names: list[tuple[list[str], Rule]] = field(default_factory=list)

    def match(self, business: Business) -> Rule | None:
        """The first rule that excludes the business: by domain, phone, then name."""
        hosts = [host_of(url) for url in (business.website, business.listing) if url]
        hosts += [key[2:] for key in business.keys if key.startswith("d:")]
        for host in sorted(set(hosts)):
            while host:
                if host in self.domains:
                    return self.domains[host]
                host = host.partition(".")[2]
        for key in sorted(business.keys):
            if key.startswith("p:") and key[2:] in self.phones:
                return self.phones[key[2:]]
        name = fold(business.name)
        return next((rule for parts, rule in self.names if _fits(name, parts)), None)


def rules_of(rules: Iterable[Rule], country: str | None = None) -> Rules:
    """The rules, ready to match; those that can match nothing are left out."""
    made = Rules()
    for rule in rules:
        form = _form(rule, country)
        if not form:
            continue
        if rule.field == "name":
            made.names.append(([fold(part) for part in form.split("*")], rule))
        else:
            (made.domains if rule.field == "domain" else made.phones)[form] = rule
    return made


def _form(rule: Rule, country: str | None) -> str | None:
    """The pattern as it is compared; None if it can match nothing."""
    if rule.field == "domain":
        site = website_of(rule.pattern.removeprefix("*."))
        return host_of(site.url) if site else None
    if rule.field == "phone":
        return phone_of(rule.pattern, country)
    return rule.pattern if fold(rule.pattern) else None


def _fits(name: str, parts: list[str]) -> bool:
    """Whether the name has the parts in this order, the first at its beginning, the last at its end.

    One pass, whatever the pattern: no regular expression that a pattern could make slow.
    """
    if len(parts) == 1:
        return name == parts[0]
    first, *middle, last = parts
    if not name.startswith(first) or not name.endswith(last):
        return False
    if len(name) < len(first) + len(last):
        return False
    at = len(first)
    for part in middle:
        at = name.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return at <= len(name) - len(last)
