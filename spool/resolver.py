"""The DNS resolver that a host asks.

Law: one address is enough; of several, who refuses a question or does not answer is passed over for the next.
"""

from __future__ import annotations

import dns.asyncresolver
import dns.nameserver
import dns.resolver

CACHE_ANSWERS = 10_000


def make_resolver(addresses: str) -> dns.asyncresolver.Resolver:
    """Return a resolver. `addresses`: "ip:port", several with commas between; "" for the system's."""
    resolver = dns.asyncresolver.Resolver(configure=not addresses)
    if addresses:
        pairs = [address.strip().rpartition(":") for address in addresses.split(",")]
        resolver.nameservers = [dns.nameserver.Do53Nameserver(ip.strip("[]"), int(port)) for ip, _, port in pairs]
    resolver.cache = dns.resolver.LRUCache(CACHE_ANSWERS)  # off unless set
    return resolver
