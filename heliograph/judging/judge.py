"""Judges a message by its seals (DKIM, RFC 6376), by the way it came (SPF, RFC 7208), and by what the domain in From
says of both (DMARC, RFC 9989).

Law: the DNS is asked only about what a message claims, boundedly; that nobody answers is "temperror" and no refusal.
Who has no seal, and comes by a way that is not seen from here, costs no question.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence

from heliograph.judging.dmarc import Policy, dmarc, places, read_policy
from heliograph.judging.results import Path, Seal, Verdict
from heliograph.judging.spf.asking import Ask, Came, path_of
from mail.headers import HEADER_COUNT_MAX, Headers, first_addr_spec, names_several
from mail.unsealing import Claim, is_true, read_tags

# That are checked: each costs a look-up and a millisecond; mailing lists and providers put on two or three.
SEALS_MAX = 4
CHECKED_AT_ONCE_MAX = 4  # in threads: a large message is hashed whole
ALGORITHMS = frozenset(("rsa-sha256", "ed25519-sha256"))

Texts = Callable[[str], Awaitable[Sequence[str] | None]]

_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,200}[a-z0-9])?\Z")


class Judge:
    """`texts`: a name's TXT; none, or None where that cannot be found out now. `ask`: any records, for SPF: whoever
    keeps that busy does not keep the seals from their keys."""

    def __init__(self, texts: Texts, ask: Ask | None = None) -> None:
        self._texts, self._ask = texts, ask
        self._turn = asyncio.Semaphore(CHECKED_AT_ONCE_MAX)

    async def judge(self, content: bytes, came: Came | None = None) -> Verdict:
        """`came`: None where who brought it is not seen from here."""
        headers = Headers.of(content)
        values, domain = headers.all("dkim-signature"), _from_domain(headers)
        seals, path, policy = await asyncio.gather(
            self._seals(content, values[:SEALS_MAX]),
            self._path(came),
            self._policy(domain if came or values else ""),
        )
        if not domain or not (seals or path):
            return Verdict(seals, path=path)
        found = dmarc(domain, policy, seals, path, all_seen=len(values) <= SEALS_MAX)
        return Verdict(seals, found, domain, path)

    async def _path(self, came: Came | None) -> Path | None:
        return await path_of(came, self._ask) if came and self._ask else None

    async def _seals(self, content: bytes, values: Sequence[str]) -> tuple[Seal, ...]:
        found = await asyncio.gather(*(self._seal(content, index, value) for index, value in enumerate(values)))
        return tuple(seal for seal in found if seal)

    async def _seal(self, content: bytes, index: int, value: str) -> Seal | None:
        said = read_tags(value)
        domain, selector = said.get("d", "").lower(), said.get("s", "").lower()
        if not (_NAME.match(domain) and _NAME.match(selector)):
            return None
        # RFC 6376 8.2: a tail that anybody may write. RFC 8301 3.1: SHA-1 proves nothing any more.
        if "l" in said or said.get("a") not in ALGORITHMS:
            return Seal("policy", domain, selector)
        name = f"{selector}._domainkey.{domain}"
        keys = await self._texts(name)
        if keys is None or len(keys) != 1:
            return Seal("temperror" if keys is None else "permerror", domain, selector)
        async with self._turn:
            good = await asyncio.to_thread(is_true, content, Claim(index, name, ()), keys[0])
        return Seal("pass" if good else "fail", domain, selector)

    async def _policy(self, domain: str) -> Policy | None:
        for name in places(domain) if domain else ():
            texts = await self._texts(name)
            policy = None if texts is None else read_policy(texts)
            if policy is None or policy:
                return policy
        return {}


def _from_domain(headers: Headers) -> str:
    fields = headers.all("from")
    unread = len(headers.fields) >= HEADER_COUNT_MAX  # there may be another From behind
    if len(fields) != 1 or names_several(fields[0]) or unread:
        return ""
    domain = first_addr_spec(fields[0]).rpartition("@")[2]
    return domain if _NAME.match(domain) else ""
