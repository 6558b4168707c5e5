"""What an address means inside a fabric.

Law: every address that ends in the fabric's domain means exactly one of these things, or nothing (`Unknown`, with the
reason); an address that does not is `Foreign`. No state is asked here: whether alice exists, only her host knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from directory.bucket import bucket_of
from mail.address import ROLE_NAMES, Address, is_entity, is_source, mirrored

# The followers of a host are named again with every post; some 300 octets each.
NAMES_REMEMBERED = 16_384

_BUCKET = re.compile(r"b(0|[1-9][0-9]{0,9})\Z")
_QUOTED = re.compile(r'"([A-Za-z0-9._+-]+)"\Z')
_SUB = re.compile(r"sub\.[1-9][0-9]{0,8}\Z")
_OF_A_ROW = re.compile(r"(?:bounce|leave)\.[a-z2-7]{24}\Z")


@dataclass(frozen=True, slots=True)
class Timeline:
    """A person's mail and timeline: ``alice@D``, ``alice+detail@D``, ``alice@b3805.timeline.D``."""

    entity: str
    detail: str
    bucket: int


@dataclass(frozen=True, slots=True)
class Reflector:
    """A source's reflector and its commands: ``bob@reflectors.D``, ``bob+subscribe@``; ``bob-request@`` (detail
    "request"). `entity`: the source's name, or a mirror's, ``bob=other.example``. `detail` is in lower case and may
    hold a token: ``confirm.TOKEN``. `bucket`: the source's, or the sub-reflector's own for ``sub.7``; for
    ``bounce.TOKEN`` and ``leave.TOKEN`` the one that was addressed."""

    entity: str
    detail: str
    bucket: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """The leaf of one source on one host: ``bob+leaf@host-2.D``."""

    source: str
    host: str


@dataclass(frozen=True, slots=True)
class Follow:
    """``follow@D`` (bucket None: any host), or ``follow@b7.reflectors.D`` (the host that polls for this bucket)."""

    bucket: int | None


@dataclass(frozen=True, slots=True)
class Role:
    """The operator, at any domain of the fabric: postmaster, abuse ... (RFC 2142)."""

    name: str


@dataclass(frozen=True, slots=True)
class Foreign:
    """An address outside the fabric."""

    domain: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """An address under the fabric's domain that means nothing."""

    reason: str


Name = Timeline | Reflector | Leaf | Follow | Role | Foreign | Unknown


@dataclass(frozen=True, slots=True)
class FabricNames:
    """A fabric's naming: its domain (lower case, no final dot) and its count of buckets."""

    domain: str
    buckets: int

    def classify(self, address: Address) -> Name:
        """Tell what an address means; what was asked lately costs a tenth."""
        return _remembered(self, address)

    def _classify(self, address: Address) -> Name:
        if address.domain != self.domain and not address.domain.endswith("." + self.domain):
            return Foreign(address.domain)
        if not address.local.isascii():
            # Folding case makes ASCII of some characters (the Kelvin sign becomes k): another mailbox than was meant.
            return Unknown("names here are ASCII")
        entity, detail = _unquoted(address).detail
        where = address.domain[: -len(self.domain) - 1]  # less the dot
        if address.domain.startswith("."):
            return Unknown("no such domain")
        if entity in ROLE_NAMES and not detail:
            return Role(entity)
        first, _, rest = where.partition(".")
        if where in ("", "timeline") or rest == "timeline":
            return self._timeline(entity, detail, first if rest else "")
        if where == "reflectors" or rest == "reflectors":
            return self._reflector(entity, detail, first if rest else "")
        if not rest and detail == "leaf" and self._is_source(entity):
            return Leaf(entity, where)
        return Unknown("no mailboxes at this domain")

    def bucket(self, entity: str) -> int:
        """A mirror is in the bucket of what it mirrors: ``bob=other.example`` hashes as ``bob@other.example``."""
        return bucket_of(entity.replace("=", "@", 1), self.buckets)

    def person(self, entity: str) -> str:
        """``alice`` -> ``alice@D``: how the world writes to her."""
        return f"{entity}@{self.domain}"

    def timeline(self, entity: str) -> str:
        """``alice`` -> ``alice@b3805.timeline.D``: how the fabric does."""
        return f"{entity}@b{self.bucket(entity)}.timeline.{self.domain}"

    def reflector(self, entity: str, detail: str = "") -> str:
        """``bob``, ``subscribe`` -> ``bob+subscribe@reflectors.D``: as the world knows it."""
        return f"{entity}{'+' if detail else ''}{detail}@reflectors.{self.domain}"

    def reflector_inside(self, entity: str, detail: str = "") -> str:
        """The same in its bucket: ``bob+subscribe@b3058.reflectors.D``. A sub-reflector has a bucket of its own."""
        local = f"{entity}{'+' if detail else ''}{detail}"
        return f"{local}@b{self.bucket(local if _SUB.match(detail) else entity)}.reflectors.{self.domain}"

    def leaf(self, source: str, host: str) -> str:
        return f"{source}+leaf@{host}.{self.domain}"

    def follow(self, bucket: int | None = None) -> str:
        return f"follow@{self.domain}" if bucket is None else f"follow@b{bucket}.reflectors.{self.domain}"

    def local_entity(self, address: str) -> str:
        """``alice@D`` or ``alice@b3805.timeline.D`` -> ``alice``; "" for any other address."""
        local, _, domain = address.rpartition("@")
        name = self.classify(Address(local, domain.lower()))
        return name.entity if isinstance(name, Timeline) else ""

    def _timeline(self, entity: str, detail: str, label: str) -> Name:
        if entity == "follow" and not label:
            return Follow(None)
        if not is_entity(entity):
            return Unknown("no such user here")
        bucket = self.bucket(entity)
        return (
            Timeline(entity, detail, bucket) if label in ("", f"b{bucket}") else Unknown("wrong bucket for this user")
        )

    def _reflector(self, entity: str, detail: str, label: str) -> Name:
        if entity == "follow":
            return self._follow(label)
        if entity.endswith("-request") and not detail:
            entity, detail = entity.removesuffix("-request"), "request"
        if not self._is_source(entity):
            return Unknown("no such source here")
        if detail.startswith("sub."):
            return self._sub_reflector(entity, detail, label)
        bucket = self.bucket(entity)
        if label in ("", f"b{bucket}"):
            return Reflector(entity, detail, bucket)
        elsewhere = self._bucket_of_label(label) if _OF_A_ROW.match(detail) else None
        if elsewhere is not None:  # what a sub-reflector sent comes back to it: nothing else tells which one it was
            return Reflector(entity, detail, elsewhere)
        return Unknown("wrong bucket for this source")

    def _is_source(self, entity: str) -> bool:
        """No mirror of our own sources: they are here."""
        mirror = mirrored(entity)
        return mirror[1] != self.domain if mirror else is_source(entity)

    def _sub_reflector(self, entity: str, detail: str, label: str) -> Name:
        """``bob+sub.7@b412.reflectors.D``: in the bucket of its own name, not of bob's."""
        bucket = self.bucket(f"{entity}+{detail}")
        if label != f"b{bucket}" or not _SUB.match(detail):
            return Unknown("a sub-reflector is addressed in its bucket")
        return Reflector(entity, detail, bucket)

    def _follow(self, label: str) -> Name:
        if not label:
            return Follow(None)
        bucket = self._bucket_of_label(label)
        return Unknown("no such bucket") if bucket is None else Follow(bucket)

    def _bucket_of_label(self, label: str) -> int | None:
        """``b412`` -> 412; None for what is no bucket of this fabric."""
        match = _BUCKET.match(label)
        return int(match[1]) if match and int(match[1]) < self.buckets else None


def _unquoted(address: Address) -> Address:
    """``"alice"@D`` is alice@D (RFC 5321 4.1.2: quotes that are not needed mean nothing)."""
    match = _QUOTED.match(address.local)
    return Address(match[1], address.domain) if match else address


@lru_cache(maxsize=NAMES_REMEMBERED)
def _remembered(names: FabricNames, address: Address) -> Name:
    return names._classify(address)
