"""Ask the servers of the domain name system; dns.py bounds and remembers what they say."""

from collections.abc import Sequence

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.resolver


class Resolver:
    """Asks the system's servers, or `servers` (address or address:port); an answer may take `seconds_max`."""

    def __init__(self, servers: Sequence[str], seconds_max: float) -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        if servers:
            self._resolver.nameservers = [_server(text) for text in servers]
        self._seconds_max = seconds_max

    async def ask(self, name: str, kind: str) -> list[str] | None:
        """The records as text, empty where there are none, None where nobody answered."""
        try:
            # Names as browsers take them (IDNA 2008), and never with a search domain behind.
            wanted = dns.name.from_text(name, idna_codec=dns.name.IDNA_2008_Practical)
            answer = await self._resolver.resolve(
                wanted, kind, search=False, lifetime=self._seconds_max
            )
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel):
            return []
        except (dns.exception.DNSException, OSError, UnicodeError):
            return None
        return [record.to_text() for record in answer]


def _server(text: str) -> dns.nameserver.Nameserver:
    """An address with or without a port; the colons of an IPv6 address are none."""
    address, _, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "53")
    return dns.nameserver.Do53Nameserver(address, int(port))
