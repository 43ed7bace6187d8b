"""Public means public: the table refuses every special-purpose range, to both of its ends."""

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callmissed.http.addresses import is_loopback, is_public

REFUSED_IPV4 = [
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.0",
    "127.0.0.1",
    "127.255.255.255",
    "168.63.129.16",
    "169.254.0.0",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.9",
    "192.0.0.192",
    "192.0.0.255",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.0.0",
    "192.168.255.255",
    "192.175.48.1",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.255",
    "224.0.0.0",
    "224.0.0.251",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
]
REFUSED_IPV6 = [
    "::",
    "::1",
    "::2",
    "::7f00:1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::8.8.8.8",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::10.0.0.1",
    "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
    "100::1",
    "100:0:0:1::1",
    "1fff:ffff::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:1::1",
    "2001:2::1",
    "2001:3::1",
    "2001:4:112::1",
    "2001:10::1",
    "2001:20::1",
    "2001:30::1",
    "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db8::1",
    "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
    "2002::1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::1",
    "2002:808:808::1",
    "2620:4f:8000::1",
    "3ffe::1",
    "3fff::1",
    "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "feff::1",
    "ff02::1",
    "ff0e::1",
    "fe80::1%eth0",
    "2606:4700::1111%eth0",
    "::1%1",
]
NO_ADDRESSES = [
    "",
    " ",
    "localhost",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "127.1",
    "08.8.8.8",
    "8.8.8.8 ",
    "8.8.8.8/32",
    "8.8.8.8.",
    "8.8.8.8\n",
    "\u0668.\u0668.\u0668.\u0668",
    "\uff11\uff12\uff17.\uff10.\uff10.\uff11",
    "[::1]",
    "2606:4700::1111\0",
]
PUBLIC = [
    "1.0.0.0",
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "13.107.42.14",
    "52.94.236.248",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.0.3.0",
    "192.88.98.255",
    "192.88.100.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "198.51.101.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db9::1",
    "2003::1",
    "2400:cb00::1",
    "2600:1f18::1",
    "2606:4700:4700::1111",
    "2606:4700:4700:0:0:0:0:1111",
    "2a00:1450:4001::1",
    "3ffd:ffff::1",
]
LOOPBACK = ["127.0.0.1", "127.0.0.0", "127.255.255.255", "::1", "0:0:0:0:0:0:0:1"]


@pytest.mark.parametrize("address", REFUSED_IPV4 + REFUSED_IPV6)
def test_a_special_address_is_refused(address: str) -> None:
    assert ipaddress.ip_address(address)
    assert not is_public(address)


@pytest.mark.parametrize("text", NO_ADDRESSES, ids=ascii)
def test_what_is_no_canonical_address_is_refused(text: str) -> None:
    assert not is_public(text)
    assert not is_loopback(text)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_passes(address: str) -> None:
    assert is_public(address)


@settings(deadline=None, max_examples=800)
@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str))
def test_nothing_passes_that_the_standard_library_calls_special(address: str) -> None:
    parsed = ipaddress.ip_address(address)
    special = not parsed.is_global or parsed.is_multicast or parsed.is_reserved or parsed.is_link_local

    assert not (special and is_public(address))


@settings(deadline=None)
@given(st.ip_addresses(v=4))
@pytest.mark.parametrize("prefix", ["::", "::ffff:", "::ffff:0:", "64:ff9b::", "64:ff9b:1::", "2002::", "2001::"])
def test_no_embedded_address_passes(prefix: str, embedded: ipaddress.IPv4Address) -> None:
    assert not is_public(f"{prefix}{embedded}")


@pytest.mark.parametrize("address", LOOPBACK)
def test_loopback_is_recognised(address: str) -> None:
    assert is_loopback(address)
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["128.0.0.0", "126.255.255.255", "::2", "::ffff:127.0.0.1", "::127.0.0.1", "0.0.0.0"]
)
def test_what_only_leads_to_loopback_is_none(address: str) -> None:
    assert not is_loopback(address)
