"""Whether somebody speaks from this very machine, or an address leads to nobody beyond it and its wire.

Law: an address is what the socket or the DNS said; a text that is none is nobody's here.
"""

from __future__ import annotations

import ipaddress


def is_loopback(address: str) -> bool:
    """Tell of an IP address whether it is this machine's."""
    parsed = _parsed(address)
    return parsed is not None and parsed.is_loopback


def is_on_this_link(address: str) -> bool:
    """Tell of an IP address whether it is another one for every machine, or none: so no server of the world's has it.
    Connecting to 0.0.0.0 reaches this machine."""
    parsed = _parsed(address)
    return parsed is not None and bool(
        parsed.is_loopback or parsed.is_unspecified or parsed.is_link_local or parsed.is_multicast
    )


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """``::ffff:127.0.0.1``, as a listener for both families hears of it, is one of IPv4."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed
