"""Whether mail is what another fabric sealed.

Law: the keys are those that its domain publishes now. What nobody sealed is refused; what cannot be checked now is put
off, and the other side keeps it.
"""

from __future__ import annotations

import asyncio

from heliograph.federation.fabrics import Fabrics
from mail.outcome import Deferred, Refused
from mail.unsealing import claims, could_be_true, is_true, key_of, sealed_part


async def unseal(fabrics: Fabrics, content: bytes, domain: str) -> bytes | Deferred | Refused:
    """Return what a fabric has sealed of a message: all of it but the fields that no seal covers."""
    found = claims(content, domain)
    names = list(dict.fromkeys(claim.key_name for claim in found))
    texts = dict(zip(names, await asyncio.gather(*map(fabrics.texts, names)), strict=True))
    for claim in found:  # one after the other: a message of 35 MB keeps a thread for a second
        key = key_of({name: values or () for name, values in texts.items()}, claim)
        good = bool(key) and await asyncio.to_thread(could_be_true, content, claim, key)
        if good and await asyncio.to_thread(is_true, content, claim, key):
            return await asyncio.to_thread(sealed_part, content, claim)
    if any(values is None for values in texts.values()):
        return Deferred(f"4.7.5 the keys of {domain} cannot be looked up now")
    return Refused(f"5.7.20 this is for mail that {domain} has signed (DKIM), and no good signature of it is here")
