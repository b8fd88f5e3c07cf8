"""Questions to a name server: where mail goes, what is unknown, what is remembered."""

import asyncio

import pytest

from bellhand.clients.dns import Dns
from nameserver import names_served

RECORDS = {
    "acme.test": {"MX": ["20 second.acme.test.", "10 first.acme.test."], "A": ["192.0.2.1"]},
    "plain.test": {"A": ["192.0.2.2"], "AAAA": ["2001:db8::2"]},
    "nomail.test": {"MX": ["0 ."], "A": ["192.0.2.3"]},
    "empty.test": {},
    "xn--bcher-kva.test": {"MX": ["10 mx.acme.test."]},
    "broken.test": "servfail",
    "silent.test": "silent",
}


async def test_where_mail_goes_has_five_answers():
    async with names_served(RECORDS, others=None) as (server, _):
        dns = Dns(servers=[server], seconds_max=1.0)
        routes = {
            name: await dns.mail_route(name)
            for name in (*RECORDS, "nowhere.test", "bücher.test", "a..test", "x" * 300)
        }
    assert {name: route.state for name, route in routes.items()} == {
        "acme.test": "mx",
        "plain.test": "address",
        "nomail.test": "refused",
        "empty.test": "missing",
        "xn--bcher-kva.test": "mx",
        "bücher.test": "mx",
        "broken.test": "unknown",
        "silent.test": "unknown",
        "nowhere.test": "missing",
        "a..test": "missing",
        "x" * 300: "missing",
    }
    assert routes["acme.test"].hosts == ("first.acme.test", "second.acme.test")


async def test_addresses_of_both_sorts_are_told():
    async with names_served(RECORDS, others=None) as (server, _):
        dns = Dns(servers=[server], seconds_max=10.0)
        found = await dns.addresses("plain.test")
        assert (found.state, found.addresses) == ("found", ("192.0.2.2", "2001:db8::2"))
        assert (await dns.addresses("nowhere.test")).state == "missing"
        assert (await dns.addresses("broken.test")).state == "unknown"


async def test_a_server_that_is_not_there_makes_nothing_bad_of_it():
    dns = Dns(servers=["127.0.0.1:9"], seconds_max=0.2)
    assert (await dns.mail_route("acme.test")).state == "unknown"


async def test_a_question_is_asked_once_whoever_wants_to_know():
    async with names_served(RECORDS) as (server, asked):
        dns = Dns(servers=[server])
        await asyncio.gather(*(dns.mail_route("acme.test") for _ in range(50)))
        await dns.mail_route("acme.test")
        assert asked.asked == [("acme.test", "MX")]


@pytest.mark.parametrize("queries", [1, 5])
async def test_so_many_questions_at_once_and_no_more(queries):
    async with names_served({}, others=None) as (server, asked):
        dns = Dns(servers=[server], queries=queries)
        routes = await asyncio.gather(*(dns.mail_route(f"shop{n}.test") for n in range(200)))
        assert {route.state for route in routes} == {"missing"}
        assert len(set(asked.asked)) == 600  # a slow machine asks some twice
        assert dns._room._value == queries
