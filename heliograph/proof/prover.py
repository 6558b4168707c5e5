"""Looks up whether a seal is true, and whether its domain means it.

Law: the DNS is asked for at most four keys and one policy, and only of mail that would be granted something. What
cannot be found out now is not proven now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from heliograph.judging.dmarc import places, read_policy
from heliograph.proof.saying import Saying, Seal
from mail.outcome import Deferred
from mail.unsealing import Claim, is_true, read_tags

CHECKED_AT_ONCE_MAX = 2  # in threads: a message of 35 MB is hashed for half a second
UNSURE = Deferred("4.7.5 whether this is signed (DKIM) cannot be found out now, try again later")

Texts = Callable[[str], Awaitable[Sequence[str] | None]]


class Prover:
    """`texts`: a name's TXT; none, or None where that cannot be found out now."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._turn = asyncio.Semaphore(CHECKED_AT_ONCE_MAX)

    async def prove(self, content: bytes, saying: Saying) -> Claim | Deferred | None:
        """Return the seal that proves what a mail says; None: there is none."""
        keys = await asyncio.gather(*(self._key(saying, seal) for seal in saying.seals))
        for seal, key in zip(saying.seals, keys, strict=True):
            if not key:
                continue
            async with self._turn:
                if await asyncio.to_thread(is_true, content, seal.claim, key):
                    return seal.claim
        return UNSURE if None in keys else None

    async def _key(self, saying: Saying, seal: Seal) -> str | None:
        """Return a key that is to be believed, "" for none, None where nobody can say now."""
        means_it = seal.is_own or await self._may_speak(saying.author)
        if not means_it:
            return "" if means_it is False else None
        found = await self._texts(seal.claim.key_name)
        if found is None or len(found) != 1:  # RFC 6376 3.6.2.2
            return None if found is None else ""
        return found[0] if is_meant(found[0], seal) else ""

    async def _may_speak(self, author: str) -> bool | None:
        """RFC 9989: that a domain above speaks for one below is said by a policy, and taken back by adkim=s. A seal of
        From's very domain needs none: who publishes its keys says what is written there."""
        for place in places(author.rpartition("@")[2]):
            texts = await self._texts(place)
            if texts is None:
                return None
            if policy := read_policy(texts):
                return policy.get("adkim", "r").lower() != "s"
        return False


def is_meant(key: str, seal: Seal) -> bool:
    """RFC 6376 3.6.1: a key may be on trial (t=y), or for its very domain alone (t=s). The library does not look."""
    flags = read_tags(key).get("t", "").split(":")
    return "y" not in flags and ("s" not in flags or seal.strict)
