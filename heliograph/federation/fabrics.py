"""Finding other fabrics and their keys in the DNS.

Law: what a name says is read strictly; that nobody can say now is neither yes nor no.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from directory.fabric import BUCKETS_MAX, HASH
from spool.questions import Questions, Values


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
        self._questions = Questions(resolver, clock)

    async def is_fabric(self, domain: str) -> bool | None:
        """Tell whether a domain is a fabric's; None: nobody can say now."""
        texts = await self.texts(f"_heliograph.{domain}")
        return None if texts is None else bool(buckets_of(texts))

    async def texts(self, name: str) -> Values | None:
        """Return a name's TXT; () where it has none, None where that cannot be found out now."""
        return await self._questions.texts(name)
