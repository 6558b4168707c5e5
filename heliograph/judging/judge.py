"""Judges a message by its seals: DKIM (RFC 6376), and whether one that is true is aligned with From (DMARC, RFC 9989).

Law: the DNS is asked only about what a message claims, boundedly; that nobody answers is "temperror" and no refusal.
Who has no seal costs no question: unsigned mail proves nothing to us.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence

from heliograph.judging.results import Seal, Verdict
from mail.headers import HEADER_COUNT_MAX, Headers, first_addr_spec, names_several, split_message
from mail.organization import organization
from mail.unsealing import Claim, is_true

SEALS_MAX = (
    4  # that are checked: each costs a look-up and a millisecond; mailing lists and providers put on two or three
)
CHECKED_AT_ONCE_MAX = 4  # in threads: a large message is hashed whole

Texts = Callable[[str], Awaitable[Sequence[str] | None]]

_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,200}[a-z0-9])?\Z")


class Judge:
    """`texts`: a name's TXT; none, or None where that cannot be found out now."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._turn = asyncio.Semaphore(CHECKED_AT_ONCE_MAX)

    async def judge(self, content: bytes) -> Verdict:
        headers = Headers.parse(split_message(content)[0])
        values = headers.all("dkim-signature")[:SEALS_MAX]
        found = await asyncio.gather(*(self._seal(content, index, value) for index, value in enumerate(values)))
        seals = tuple(seal for seal in found if seal)
        domain = _from_domain(headers)
        if not domain or not seals:
            return Verdict(seals)
        return Verdict(seals, await self._dmarc(domain, seals), domain)

    async def _seal(self, content: bytes, index: int, value: str) -> Seal | None:
        tags = _tags(value)
        domain, selector = tags.get("d", "").lower(), tags.get("s", "").lower()
        if not (_NAME.match(domain) and _NAME.match(selector)):
            return None
        if "l" in tags:  # RFC 6376 8.2: a tail that anybody may write
            return Seal("policy", domain, selector)
        name = f"{selector}._domainkey.{domain}"
        keys = await self._texts(name)
        if keys is None or len(keys) != 1:
            return Seal("temperror" if keys is None else "permerror", domain, selector)
        async with self._turn:
            good = await asyncio.to_thread(is_true, content, Claim(index, name, ()), keys[0])
        return Seal("pass" if good else "fail", domain, selector)

    async def _dmarc(self, domain: str, seals: Sequence[Seal]) -> str:
        """A true seal of the domain is a pass. Without one SPF may still be, and that is not looked at here."""
        for place in dict.fromkeys((domain, organization(domain))):
            texts = await self._texts(f"_dmarc.{place}")
            if texts is None:
                return "temperror"
            policies = [_tags(text) for text in texts if text.startswith("v=DMARC1")]
            if len(policies) == 1:
                return "pass" if is_aligned(domain, seals, policies[0].get("adkim", "r") == "s") else ""
        return "none"


def is_aligned(domain: str, seals: Sequence[Seal], strict: bool) -> bool:
    true = {seal.domain for seal in seals if seal.result == "pass"}
    return domain in true or (not strict and organization(domain) in map(organization, true))


def _tags(text: str) -> dict[str, str]:
    parts = (part.partition("=") for part in text[:4_000].split(";"))
    return {key.strip(): "".join(value.split()) for key, _, value in parts}


def _from_domain(headers: Headers) -> str:
    fields = headers.all("from")
    unread = len(headers.fields) >= HEADER_COUNT_MAX  # there may be another From behind
    if len(fields) != 1 or names_several(fields[0]) or unread:
        return ""
    domain = first_addr_spec(fields[0]).rpartition("@")[2]
    return domain if _NAME.match(domain) else ""
