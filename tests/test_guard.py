"""The guard: no private address gets a socket, however it is dressed up."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellhand.clients.guard import Refused, allowed, networks, socket_guard

HERE = Path(__file__).parent
PRIVATE = (HERE / "data/inside-addresses.txt").read_text(encoding="utf-8").split()

PUBLIC = (HERE / "data/public-addresses.txt").read_text(encoding="utf-8").split()


@pytest.mark.parametrize("text", PRIVATE)
def test_addresses_that_lead_inside_are_refused(text):
    assert not allowed(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_addresses_of_the_public_internet_are_let_through(text):
    assert allowed(ip_address(text))


INSIDE = [IPv4Address(t) for t in PRIVATE if ":" not in t]


@given(st.sampled_from(INSIDE), st.integers(0, 2**80 - 1))
def test_no_wrapping_makes_an_inside_address_pass(inside, noise):
    v4 = int(inside)
    wrappings = [
        v4,
        0xFFFF << 32 | v4,
        0xFFFF << 48 | v4,
        0x0064FF9B << 96 | v4,
        0x2002 << 112 | v4 << 80 | noise,
        0x2001 << 112 | v4 << 64 | (noise & (2**64 - 1)),
        0x2001 << 112 | 0x08080808 << 64 | (v4 ^ 0xFFFFFFFF),
        0x26064700 << 96 | 0x5EFE << 32 | v4,
    ]
    for bits in wrappings:
        assert not allowed(IPv6Address(bits)), IPv6Address(bits)


@given(st.integers(0, 2**32 - 1))
def test_a_mapped_address_is_judged_as_the_address_inside(bits):
    assert allowed(IPv6Address(0xFFFF << 32 | bits)) == allowed(IPv4Address(bits))


def test_listed_networks_are_let_through_also_when_mapped():
    loopback = networks(["127.0.0.0/8", "fd00::/8"])
    assert allowed(ip_address("127.0.0.1"), loopback)
    assert allowed(ip_address("::ffff:127.0.0.1"), loopback)
    assert allowed(ip_address("fd00::1"), loopback)
    assert not allowed(ip_address("10.0.0.1"), loopback)
    assert not allowed(ip_address("64:ff9b::127.0.0.1"), loopback)


def test_a_network_that_is_none_is_refused_at_the_start():
    with pytest.raises(ValueError, match="does not appear to be"):
        networks(["loopback"])


def test_the_factory_makes_sockets_for_allowed_addresses_and_ports_only():
    make = socket_guard(networks(["127.0.0.0/8"]), ports=[80])
    tcp = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    make((*tcp, ("127.0.0.1", 80))).close()
    with pytest.raises(Refused, match="port 6379"):
        make((*tcp, ("127.0.0.1", 6379)))
    with pytest.raises(Refused, match=r"169\.254\.169\.254"):
        make((*tcp, ("169.254.169.254", 80)))
    with pytest.raises(Refused):
        make((socket.AF_UNIX, socket.SOCK_STREAM, 0, "", ("/run/docker.sock", 80)))
