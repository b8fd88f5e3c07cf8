"""What the domain name system says of a host or a mail domain, bounded and remembered.

Fetches do not ask here: they resolve by the system's own rules (see web.py).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from .once import Once

if TYPE_CHECKING:
    from .resolver import Resolver

State = Literal["found", "missing", "unknown"]
MailState = Literal["mx", "address", "refused", "missing", "unknown"]

_KEPT_MAX = 10_000
_KEPT_SECONDS = 3600.0
_UNKNOWN_SECONDS = 60.0
_HOSTS_MAX = 20
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Addresses:
    """A host's addresses; `missing` where the name does not exist or has none."""

    state: State
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MailRoute:
    """Where mail for a domain goes, best host first (RFC 5321, section 5.1).

    `mx`: its mail servers; `address`: none, so to the host itself; `refused`: it takes no mail
    (RFC 7505); `missing`: neither exists; `unknown`: nobody answered in time, which says nothing.
    """

    state: MailState
    hosts: tuple[str, ...] = ()


class Dns:
    """Asks the system's servers, or `servers` (address or address:port), a few questions at once."""

    def __init__(
        self, *, servers: Sequence[str] = (), seconds_max: float = 5.0, queries: int = 20
    ) -> None:
        self._servers = servers
        self._seconds_max = seconds_max
        self._room = asyncio.Semaphore(queries)
        self._resolver: Resolver | None = None
        self._addresses = _Kept[Addresses]()
        self._routes = _Kept[MailRoute]()

    async def addresses(self, host: str) -> Addresses:
        """The IPv4 and IPv6 addresses of a host."""
        known = self._addresses.get(host)
        return known or await self._addresses.once.get(host, lambda: self._look_up(host))

    async def mail_route(self, domain: str) -> MailRoute:
        """Where mail for a domain goes."""
        known = self._routes.get(domain)
        return known or await self._routes.once.get(domain, lambda: self._find_route(domain))

    async def close(self) -> None:
        """End what is still being asked."""
        await self._addresses.once.close()
        await self._routes.once.close()

    async def _look_up(self, host: str) -> Addresses:
        answers = [await self._ask(host, "A"), await self._ask(host, "AAAA")]
        found = tuple(text for texts in answers for text in texts or ())
        unknown = not found and None in answers
        result = Addresses("unknown" if unknown else "found" if found else "missing", found)
        self._addresses.keep(host, result, unknown=unknown)
        return result

    async def _find_route(self, domain: str) -> MailRoute:
        records = await self._ask(domain, "MX")
        if records is None:
            result = MailRoute("unknown")
        elif records:
            pairs = sorted((int(number), host) for number, host in map(str.split, records))
            hosts = tuple(host.rstrip(".").lower() for _, host in pairs)
            usable = tuple(host for host in hosts if host)[:_HOSTS_MAX]
            result = MailRoute("mx", usable) if usable else MailRoute("refused")
        else:
            own = await self.addresses(domain)
            states: dict[State, MailState] = {"found": "address", "missing": "missing"}
            result = MailRoute(states.get(own.state, "unknown"))
        self._routes.keep(domain, result, unknown=result.state == "unknown")
        return result

    async def _ask(self, name: str, kind: str) -> list[str] | None:
        """The records as text, empty where there are none, None where nobody answered."""
        if self._resolver is None:
            from .resolver import Resolver  # here: a daemon that asks for no name spares 2 MB

            self._resolver = Resolver(self._servers, self._seconds_max)
        async with self._room:
            return await self._resolver.ask(name, kind)


class _Kept(Generic[T]):
    """Answers for a while, the latest last; and the questions under way."""

    def __init__(self) -> None:
        self.once = Once[T]()
        self._answers: OrderedDict[str, tuple[float, T]] = OrderedDict()

    def get(self, name: str) -> T | None:
        good_until, answer = self._answers.get(name, (0.0, None))
        return answer if good_until > asyncio.get_running_loop().time() else None

    def keep(self, name: str, answer: T, *, unknown: bool) -> None:
        seconds = _UNKNOWN_SECONDS if unknown else _KEPT_SECONDS
        self._answers.pop(name, None)
        self._answers[name] = asyncio.get_running_loop().time() + seconds, answer
        if len(self._answers) > _KEPT_MAX:
            self._answers.popitem(last=False)
