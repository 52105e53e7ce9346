"""Which internet addresses are public, and not this machine, its network, or its cloud's inside."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

# Beyond what Python knows to be private, reserved or shared: relays to IPv4 inside IPv6, and a
# cloud's own service.
_V4 = [ip_network(net) for net in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")]
_V6_UNICAST = IPv6Network(
    "2000::/3"
)  # NAT64, mapped, local and multicast addresses are all outside
_V6 = [IPv6Network(net) for net in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]


def is_public(address: str) -> bool:
    """Whether an address, as a resolver gives it, belongs to the public internet."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        inside = ip in _V6_UNICAST and not any(ip in net for net in _V6)
        return inside and ip.is_global and ip.scope_id is None
    return _is_public_v4(ip)


def _is_public_v4(ip: IPv4Address) -> bool:
    special = ip.is_multicast or ip.is_reserved or any(ip in net for net in _V4)
    return ip.is_global and not special
