"""Which addresses a user may make us connect to: public unicast only, and no address that embeds another one.

The ranges are those of IANA's special-purpose registries, whether or not they call a range globally reachable,
https://www.iana.org/assignments/iana-ipv4-special-registry and
https://www.iana.org/assignments/iana-ipv6-special-registry; multicast and the reserved space are added. An IPv6
address that embeds an IPv4 one is refused whatever it embeds: no public server needs to be reached through it.
`ipaddress.is_global` is no substitute: it allows multicast, NAT64 and the 6to4 relays.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_SPECIAL_IPV4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network, RFC 791
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # shared by carriers, RFC 6598
        "127.0.0.0/8",  # loopback, RFC 1122
        "168.63.129.16/32",  # Azure's host agent, on an address that looks public
        "169.254.0.0/16",  # link-local, RFC 3927: the metadata services of clouds
        "172.16.0.0/12",  # private, RFC 1918
        "192.0.0.0/24",  # protocol assignments, RFC 6890
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.31.196.0/24",  # AS112, RFC 7535
        "192.52.193.0/24",  # multicast tunnels, RFC 7450
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "192.168.0.0/16",  # private, RFC 1918
        "192.175.48.0/24",  # AS112, RFC 7534
        "198.18.0.0/15",  # benchmarks, RFC 2544
        "198.51.100.0/24",  # documentation, RFC 5737
        "203.0.113.0/24",  # documentation, RFC 5737
        "224.0.0.0/4",  # multicast, RFC 5771
        "240.0.0.0/4",  # reserved, RFC 1112, and broadcast, RFC 919
    )
)
_GLOBAL_UNICAST_IPV6 = IPv6Network("2000::/3")
_SPECIAL_IPV6 = tuple(
    IPv6Network(block)
    for block in (
        "::/128",  # unspecified, RFC 4291
        "::1/128",  # loopback, RFC 4291
        "::/96",  # IPv4-compatible, RFC 4291
        "::ffff:0:0/96",  # IPv4-mapped, RFC 4291
        "::ffff:0:0:0/96",  # IPv4-translated, RFC 2765
        "64:ff9b::/96",  # NAT64, RFC 6052
        "64:ff9b:1::/48",  # local NAT64, RFC 8215
        "100::/64",  # discarded, RFC 6666
        "100:0:0:1::/64",  # dummy prefix, RFC 9780
        "2001::/23",  # protocol assignments, RFC 2928: Teredo, benchmarks, ORCHID and others
        "2001:db8::/32",  # documentation, RFC 3849
        "2002::/16",  # 6to4, RFC 3056
        "2620:4f:8000::/48",  # AS112, RFC 7534
        "3ffe::/16",  # the former 6bone, RFC 3701
        "3fff::/20",  # documentation, RFC 9637
        "5f00::/16",  # segment routing, RFC 9602
        "fc00::/7",  # unique local, RFC 4193: also fd00:ec2::254, EC2's metadata service
        "fe80::/10",  # link-local, RFC 4291
        "fec0::/10",  # site-local, RFC 3879
        "ff00::/8",  # multicast, RFC 4291
    )
)
_LOOPBACK_IPV4 = IPv4Network("127.0.0.0/8")
_LOOPBACK_IPV6 = IPv6Address("::1")


def is_public(address: str) -> bool:
    """True for the canonical text of a public unicast address; False for any other address and any other text."""
    parsed = _parsed(address)
    if isinstance(parsed, IPv4Address):
        return not any(parsed in block for block in _SPECIAL_IPV4)
    if isinstance(parsed, IPv6Address):
        return parsed in _GLOBAL_UNICAST_IPV6 and not any(parsed in block for block in _SPECIAL_IPV6)
    return False


def is_loopback(address: str) -> bool:
    """True for 127.0.0.0/8 and ::1, and False for addresses that embed them."""
    parsed = _parsed(address)
    return parsed in _LOOPBACK_IPV4 if isinstance(parsed, IPv4Address) else parsed == _LOOPBACK_IPV6


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    if "%" in address:  # a scope names an interface of this machine
        return None
    try:
        return ip_address(address)
    except ValueError:
        return None
