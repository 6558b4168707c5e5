"""Whether somebody speaks from this very machine.

Law: an address is what the socket said; a text that is none is nobody's here.
"""

from __future__ import annotations

import ipaddress


def is_loopback(address: str) -> bool:
    """Tell of an IP address; ``::ffff:127.0.0.1``, as a listener for both families hears of it, is one of IPv4."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)
