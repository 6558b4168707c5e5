"""Which servers take what goes to a destination, in the order in which to try them.

Law: a host of the fabric is where the zone says, the operator's servers are where the operator says; only for the rest
is the DNS asked, and the domain's own word on TLS heard (MTA-STS).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mail.outcome import Deferred, Refused
from spool.destination import Destination
from spool.mta_sts import Policies
from spool.mx import Exchanges, strictly
from spool.peer import Access, Peer


class Peers:
    """`access`: what the operator's relays demand."""

    def __init__(self, exchanges: Exchanges, policies: Policies | None, access: Mapping[str, Access]) -> None:
        self._exchanges = exchanges
        self._policies = policies
        self._access = access

    async def of(self, destination: Destination) -> list[Peer] | Deferred | Refused:
        via, abroad = destination.via, destination.abroad
        if via is not None:
            return [Peer(via.address, via.port, via.host, in_fabric=True)]
        if destination.shelf is not None:
            return [Peer.shelf(destination.shelf.place)]
        assert abroad is not None
        if abroad.relay:
            return await self._of_relay(abroad.relay)
        peers = await self._exchanges.of_domain(abroad.domain)
        if self._policies is None or not isinstance(peers, list):
            return peers
        return strictly(peers, await self._policies.of(abroad.domain))

    async def _of_relay(self, relay: str) -> list[Peer] | Deferred | Refused:
        peers, access = await self._exchanges.of_relay(relay), self._access.get(relay)
        if access is None or not isinstance(peers, list):
            return peers
        return [replace(peer, login=access.login, strict=access.strict) for peer in peers]
