"""Which addresses may be connected to: the one place that keeps fetches out of private networks."""

import errno
import socket
from collections.abc import Callable, Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]

# Never a website, though some Python takes it for global: a cloud's wire server, protocol
# assignments (with another cloud's metadata), relay anycast, documentation.
_NEVER: tuple[Network, ...] = (
    IPv4Network("192.0.0.0/24"),
    IPv4Network("168.63.129.16/32"),
    IPv4Network("192.88.99.0/24"),
    IPv6Network("3fff::/20"),
)
_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


class Refused(OSError):
    """The guard's veto. It is an OSError so that the connector tries the host's next address."""

    def __init__(self, address: str) -> None:
        super().__init__(errno.EACCES, f"connecting to {address} is not allowed")
        self.address = address


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read CIDRs such as 127.0.0.0/8; raises ValueError for what is none."""
    return tuple(ip_network(text) for text in texts)


def embedded(address: IPv6Address) -> list[IPv4Address]:
    """Every IPv4 address that a gateway, a tunnel or the kernel may read out of an IPv6 one."""
    inner: list[IPv4Address] = []
    if address.ipv4_mapped is not None:
        inner.append(address.ipv4_mapped)
    if address.sixtofour is not None:
        inner.append(address.sixtofour)
    if address.teredo is not None:
        inner.extend(address.teredo)
    bits = int(address)
    if address in _NAT64 or address in _COMPATIBLE or (bits >> 32) & 0xFFFFFFFF in _ISATAP:
        inner.append(IPv4Address(bits & 0xFFFFFFFF))
    return inner


def allowed(address: Address, allow: Iterable[Network] = ()) -> bool:
    """Whether a connection to this address may be opened; `allow` lists exceptions."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address in network for network in allow):
        return True
    if any(address in network for network in _NEVER):
        return False
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, IPv4Address):
        return True
    if address not in _UNICAST and address not in _NAT64:
        return False
    return all(allowed(inner) for inner in embedded(address))


def socket_guard(
    allow: Iterable[Network] = (), ports: Iterable[int] | None = None
) -> Callable[[AddressInfo], socket.socket]:
    """Build the socket factory for aiohttp's TCPConnector: no socket, no connection.

    It sees the address after every lookup and redirect, which is why nothing can go round it.
    The factory raises Refused.
    """
    exceptions = tuple(allow)
    doors = None if ports is None else frozenset(ports)

    def make(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, where = info
        if family not in (socket.AF_INET, socket.AF_INET6):
            raise Refused(str(where))
        if doors is not None and where[1] not in doors:
            raise Refused(f"port {where[1]} of {where[0]}")
        if not allowed(ip_address(where[0]), exceptions):
            raise Refused(where[0])
        return socket.socket(family, kind, protocol)

    return make


def inside_only(allow: Iterable[Network]) -> Callable[[AddressInfo], socket.socket]:
    """A guard for what goes without encryption although it is secret: to these networks, and no others."""
    exceptions = tuple(allow)
    guard = socket_guard(exceptions)

    def make(info: AddressInfo) -> socket.socket:
        if not any(ip_address(info[4][0]) in network for network in exceptions):
            raise Refused(info[4][0])
        return guard(info)

    return make
