"""Which hosts take a foreign domain's mail (RFC 5321 5.1).

Law: a name that cannot be resolved now is tried again; only an answer that says no is a no. Answers are cached by the
resolver for their TTL.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver

from mail.loopback import is_loopback, is_on_this_link
from mail.outcome import Deferred, Refused
from spool.mta_sts import Policy
from spool.resolver import make_resolver
from spool.smtp_client import Peer

EXCHANGES_MAX = 10  # of a domain that are considered; more are somebody's game
PEERS_MAX = 6  # addresses that are tried for one connection: each may cost a connect timeout
LOOKUP_SECONDS = 15.0

NULL_MX = Refused("5.1.10 the domain takes no mail (null MX)", 556)  # RFC 7505 4.2
LOOP = Refused("5.4.6 mail for this domain would come back to us: its MX is this host", 554)


@dataclass(frozen=True, slots=True)
class Exchange:
    preference: int
    name: str


class _Nothing(Exception):
    """The name exists, without such a record."""


class _NoName(Exception):
    """The name does not exist."""


class Exchanges:
    """Finds the peers of a domain or of an operator's relay, best first."""

    def __init__(
        self,
        *,
        port: int,
        own_addresses: frozenset[str],
        resolver: str = "",
        shuffle: Callable[[list[Exchange]], None] = random.shuffle,
    ) -> None:
        self._port = port
        self._own = own_addresses
        self._on_trial = any(map(is_loopback, own_addresses)) or not own_addresses  # all fabrics on this very machine
        self._address = resolver
        self._shuffle = shuffle
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def of_domain(self, domain: str) -> list[Peer] | Deferred | Refused:
        """Return the peers that take mail for a domain, in the order in which to try them."""
        try:
            if domain.startswith("["):
                return self._literal(domain)
            exchanges = await self._exchanges(domain)
            if [exchange.name for exchange in exchanges] == [""]:
                return NULL_MX
            return await self._peers(exchanges)
        except _NoName:
            return Refused(f"5.1.2 there is no domain {domain}", 550)
        except (dns.exception.DNSException, OSError) as error:
            return Deferred(f"4.4.3 {domain}: {type(error).__name__}")

    async def of_relay(self, relay: str) -> list[Peer] | Deferred | Refused:
        """Return the peers of ``host:port``, as the operator set it: no MX is asked for."""
        host, _, port = relay.rpartition(":")
        host = host.strip("[]")
        try:
            if _is_address(host):
                return [Peer(host, int(port), host)]
            addresses = await self._addresses(host)
        except (_NoName, dns.exception.DNSException, OSError) as error:
            return Deferred(f"4.4.3 relay {relay}: {type(error).__name__}")  # the operator will mend it
        peers = [Peer(address, int(port), host) for address in addresses[:PEERS_MAX]]
        return peers or Deferred(f"4.4.3 relay {relay} has no address")

    def _literal(self, domain: str) -> list[Peer] | Refused:
        address = domain[1:-1].removeprefix("IPv6:").removeprefix("ipv6:")
        if not _is_address(address):
            return Refused("5.1.2 not an address literal", 550)
        return LOOP if address in self._own or self._is_private(address) else [Peer(address, self._port, "")]

    def _is_private(self, address: str) -> bool:
        """A stranger's MX at 127.0.0.1 would have us speak, as one of its own, to whatever listens on this machine."""
        return not self._on_trial and is_on_this_link(address)

    async def texts(self, name: str) -> list[str]:
        """Return a name's TXT; none where they cannot be had now."""
        try:
            answer = await self._ask(name, "TXT")
        except (_NoName, _Nothing, dns.exception.DNSException, OSError):
            return []
        return [b"".join(record.strings).decode("latin-1") for record in answer]

    async def _exchanges(self, domain: str) -> list[Exchange]:
        """The domain's MX records in order of preference, equal ones shuffled; where it has none, the domain itself."""
        try:
            answer = await self._ask(domain, "MX")
        except _Nothing:
            return [Exchange(0, domain)]
        found = [Exchange(int(r.preference), r.exchange.to_text(omit_final_dot=True).rstrip(".")) for r in answer]
        self._shuffle(found)  # RFC 5321 5.1: equal preferences are taken at random, to spread the load
        return sorted(found, key=lambda exchange: exchange.preference)[:EXCHANGES_MAX]

    async def _peers(self, exchanges: Sequence[Exchange]) -> list[Peer] | Deferred | Refused:
        found = await asyncio.gather(*(self._addresses(e.name) for e in exchanges), return_exceptions=True)
        peers: list[Peer] = []
        unsure = False
        for place, (exchange, addresses) in enumerate(zip(exchanges, found, strict=True)):
            if isinstance(addresses, BaseException):
                unsure = unsure or not isinstance(addresses, _NoName)
            elif self._own.intersection(addresses):
                # RFC 5321 5.1: ourselves, and whoever is no better than we, are left out, or mail would loop.
                better = [e.name for e in exchanges[:place] if e.preference < exchange.preference]
                peers = [peer for peer in peers if peer.name in better]
                return peers or (Deferred("4.4.4 the better MX cannot be resolved now") if unsure else LOOP)
            else:
                reached = [address for address in addresses if not self._is_private(address)]
                peers += [Peer(address, self._port, exchange.name) for address in reached]
        if peers:
            return peers[:PEERS_MAX]
        if unsure:
            return Deferred("4.4.4 no MX can be resolved now")
        return Refused("5.4.4 no MX of the domain has an address", 550)

    async def _addresses(self, name: str) -> list[str]:
        """Return a name's addresses, IPv6 and IPv4 by turns, so that one broken family costs one timeout."""
        if _is_address(name):
            return []  # RFC 5321 5.1: an MX names a host, never an address
        four, six = await asyncio.gather(self._ask(name, "A"), self._ask(name, "AAAA"), return_exceptions=True)
        lists = [[str(r.address) for r in found] for found in (six, four) if not isinstance(found, BaseException)]
        addresses = [address for pair in _by_turns(lists) for address in pair]
        for error in (four, six):
            if not addresses and isinstance(error, BaseException) and not isinstance(error, _Nothing):
                raise error
        return addresses

    async def _ask(self, name: str, kind: str) -> dns.resolver.Answer:
        if self._resolver is None:
            self._resolver = make_resolver(self._address)
        try:
            return await self._resolver.resolve(name, kind, search=False, lifetime=LOOKUP_SECONDS)
        except dns.resolver.NXDOMAIN:
            raise _NoName(name) from None
        except dns.resolver.NoAnswer:
            raise _Nothing(name) from None
        except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel, dns.name.IDNAException):
            raise _NoName(name) from None  # no name that could exist


def strictly(peers: list[Peer], policy: Policy) -> list[Peer] | Deferred:
    """Leave the peers that a domain's policy names, to be reached under good TLS only (RFC 8461 5)."""
    if policy.mode != "enforce":
        return peers
    allowed = [replace(peer, strict=True) for peer in peers if policy.allows(peer.name)]
    return allowed or Deferred("4.7.5 no MX of the domain is one that its MTA-STS policy names")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _by_turns(lists: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[one[k] for one in lists if k < len(one)] for k in range(max(map(len, lists), default=0))]
