"""Which of a site's e-mail addresses mail can reach, asked by domain, none too long."""

import asyncio
from typing import Any

from bellhand.clients.dns import Dns

DOMAINS_MAX = 100


async def with_routes(dns: Dns, emails: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The addresses, each with `mail` as MailRoute.state says it; beyond DOMAINS_MAX unknown."""
    domains = list(dict.fromkeys(_domain(email) for email in emails))[:DOMAINS_MAX]
    routes = await asyncio.gather(*(dns.mail_route(domain) for domain in domains))
    states = {domain: route.state for domain, route in zip(domains, routes, strict=True)}
    return [{**email, "mail": states.get(_domain(email), "unknown")} for email in emails]


def _domain(email: dict[str, Any]) -> str:
    return str(email["address"]).rpartition("@")[2]
