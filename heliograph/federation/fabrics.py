"""Finding other fabrics and their keys in the DNS.

Law: bounded in time, memory and questions, whoever makes us ask. That a name has no such record is an answer and
remembered; that nobody answers is none, and is asked again soon.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver

from directory.fabric import BUCKETS_MAX, HASH
from spool.resolver import make_resolver

ANSWER_SECONDS_MAX = 5.0  # somebody's client waits
AT_ONCE_MAX = 50
KEPT_MAX = 10_000
KEPT_SECONDS_MIN, KEPT_SECONDS_MAX = 60.0, 3_600.0
NONE_KEPT_SECONDS = 300.0
UNSURE_KEPT_SECONDS = 10.0
RECORDS_MAX = 10  # TXT of one name that are read

Texts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    texts: Texts | None
    until: float


def buckets_of(texts: Sequence[str]) -> int:
    """Read ``v=1 buckets=4096 hash=mmh3-32 seed=0``; 0 where no record says it, or several do."""
    found = [tags for tags in (dict(re.findall(r"(\w+)=(\S+)", text[:500])) for text in texts) if tags.get("v") == "1"]
    if len(found) != 1 or found[0].get("hash") != HASH or found[0].get("seed") != "0":
        return 0
    buckets = found[0].get("buckets", "")
    good = buckets.isascii() and buckets.isdigit() and len(buckets) < 10
    return int(buckets) if good and int(buckets) <= BUCKETS_MAX else 0


class Fabrics:
    """Asks the resolver at this address ("ip:port", several with commas; "" for the system's)."""

    def __init__(self, resolver: str, clock: Callable[[], float]) -> None:
        self._address, self._clock = resolver, clock
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Texts | None]] = {}
        self._turn = asyncio.Semaphore(AT_ONCE_MAX)

    async def is_fabric(self, domain: str) -> bool | None:
        """Tell whether a domain is a fabric's; None: nobody can say now."""
        texts = await self.texts(f"_heliograph.{domain}")
        return None if texts is None else bool(buckets_of(texts))

    async def texts(self, name: str) -> Texts | None:
        """Return a name's TXT; () where it has none, None where that cannot be found out now."""
        kept = self._kept.get(name)
        if kept and self._clock() < kept.until:
            return kept.texts
        task = self._asking.get(name)
        if task is None:
            task = self._asking[name] = asyncio.create_task(self._find(name))
            task.add_done_callback(lambda _: self._asking.pop(name, None))
        return await asyncio.shield(task)  # who hangs up does not take the answer from the others

    async def _find(self, name: str) -> Texts | None:
        texts, seconds = await self._ask(name)
        self._kept[name] = _Kept(texts, self._clock() + seconds)
        self._kept.move_to_end(name)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return texts

    async def _ask(self, name: str) -> tuple[Texts | None, float]:
        if self._resolver is None:
            self._resolver = make_resolver(self._address)
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX), self._turn:
                answer = await self._resolver.resolve(name, "TXT", search=False, lifetime=ANSWER_SECONDS_MAX)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return (), NONE_KEPT_SECONDS
        except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel, dns.name.IDNAException):
            return (), NONE_KEPT_SECONDS  # no name that could exist
        except (dns.exception.DNSException, OSError):  # TimeoutError is one
            return None, UNSURE_KEPT_SECONDS
        texts = tuple(b"".join(record.strings).decode("latin-1") for record in list(answer)[:RECORDS_MAX])
        ttl = float(answer.rrset.ttl) if answer.rrset is not None else 0.0
        return texts, min(max(ttl, KEPT_SECONDS_MIN), KEPT_SECONDS_MAX)
