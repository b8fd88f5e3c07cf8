"""A real name server on loopback that answers by a table, for the tests of the DNS client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

# What every domain has that the table does not name.
ANYWHERE = {"MX": ["10 mx.mail.test."], "A": ["127.0.0.1"]}


class NameServer(asyncio.DatagramProtocol):
    """`records` by name and kind, for example {"acme.test": {"MX": ["10 mx.acme.test."]}}.

    A name that maps to None does not exist, to "servfail" fails, to "silent" gets no answer.
    """

    def __init__(self, records: dict, others: dict | None) -> None:
        self.records = records
        self.others = others
        self.asked: list[tuple[str, str]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, where: tuple) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        known = self.records.get(name, self.others)
        if known == "silent":
            return
        if known == "servfail":
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif known is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif kind in known:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *known[kind]))
        self.transport.sendto(answer.to_wire(), where)


@asynccontextmanager
async def names_served(
    records: dict | None = None, others: dict | None = ANYWHERE
) -> AsyncIterator[tuple[str, NameServer]]:
    """Yields the server's address with its port, for web.dns_servers, and the server itself."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: NameServer(records or {}, others), local_addr=("127.0.0.1", 0)
    )
    try:
        yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}", server
    finally:
        transport.close()
