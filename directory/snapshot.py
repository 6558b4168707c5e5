"""One version of the zone, as the fabric routes by it.

Law: a snapshot is immutable; who holds one sees one consistent serial. TTLs concern outsiders, not us.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from directory.names import FabricNames, Follow, Leaf, Name, Reflector, Timeline

Map = Literal["timeline", "reflectors"]


@dataclass(frozen=True, slots=True)
class HostRecord:
    """A host of the fabric: its name (``host-1``), its address, and its Ed25519 public key (None: revoked)."""

    name: str
    address: str
    key: bytes | None


@dataclass(frozen=True, slots=True)
class Service:
    """Where mail clients find a service, by the zone's SRV: its name (``imaps``), a host's full name, a port."""

    name: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Directory:
    """Who owns which bucket. `timeline` and `reflectors` hold a host's name per bucket, in order of bucket.
    `services`: of each, the preferred one first. `former`: by map and bucket, whom the zone named lately.
    `dkim`: selector -> the TXT there, of the keys that mail to the outside is signed with.
    `standbys`: host -> the host that keeps its second copy; who has none is not in it.
    `lost`: hosts that were given up -> who has what they had."""

    names: FabricNames
    serial: int
    hosts: Mapping[str, HostRecord]
    timeline: tuple[str, ...]
    reflectors: tuple[str, ...]
    services: tuple[Service, ...] = ()
    former: Mapping[tuple[str, int], frozenset[str]] = field(default_factory=dict)
    dkim: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    standbys: Mapping[str, str] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)

    def owner(self, which: Map, bucket: int) -> str:
        """Return the name of the host that the zone names for a bucket."""
        return (self.timeline if which == "timeline" else self.reflectors)[bucket]

    def speaks_for(self, which: Map, bucket: int, host: str) -> bool:
        """Tell whether a host's word about a bucket is believed: the owner's, and that of whom the zone named lately,
        as long as it publishes its key: what they signed may still be on its way."""
        return host == self.owner(which, bucket) or (
            host in self.former.get((which, bucket), ()) and self.key_of(host) is not None
        )

    def spoke_for(self, which: Map, bucket: int, host: str) -> bool:
        """The same, also for a lost host's heir, who says what that one noted."""
        those = (host, *(one for one, heir in self.lost.items() if heir == host))
        return any(self.speaks_for(which, bucket, one) for one in those)

    def host_of(self, name: Name) -> str:
        """Return the host that a name lives on, or "" where any host will do (follow@D, roles) or none does."""
        match name:
            case Timeline():
                return self.timeline[name.bucket]
            case Reflector():
                return self.reflectors[name.bucket]
            case Follow(bucket) if bucket is not None:
                return self.reflectors[bucket]
            case Leaf():
                return self.stands_for(name.host)
            case _:
                return ""

    def stands_for(self, host: str) -> str:
        """Return who is where a host was: itself, or its heir."""
        return self.lost.get(host, host)

    def key_of(self, host: str) -> bytes | None:
        """Return a host's public key, 32 octets; None for a stranger or one whose record was taken away."""
        record = self.hosts.get(host)
        return record.key if record else None
