"""MTA-STS (RFC 8461): a domain's word that its mail hosts have good TLS, and that none without it is to be trusted.

Law: a policy comes over verified HTTPS only, and holds for its time once it was seen: who can cut us off from it later
cannot take it back. Where none can be had, mail goes as it always did (RFC 8461 5.1); that is no failure.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

MODES = ("enforce", "testing", "none")
AGE_SECONDS_MAX = 31_557_600.0  # RFC 8461 3.2
POLICIES_KEPT = 10_000
PATTERNS_MAX = 100
POLICY_OCTETS_MAX = 64 * 1024  # RFC 8461 3.3 suggests as much
AGAIN_SECONDS = 300.0  # RFC 8461 3.3: not more often than every five minutes where it cannot be had

_RECORD = re.compile(r"v=STSv1[ \t]*;[ \t]*id=([A-Za-z0-9]{1,32})[ \t]*(?:;|\Z)")
_PATTERN = re.compile(r"(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*\Z")

Texts = Callable[[str], Awaitable[Sequence[str]]]  # a name -> its TXT; none where there is no such name now
Fetch = Callable[[str], Awaitable[bytes | None]]  # a domain -> its policy file; None where it cannot be had


@dataclass(frozen=True, slots=True)
class Policy:
    """`hosts`: names, or ``*.example.com`` for one label before."""

    mode: str
    hosts: tuple[str, ...]
    age_seconds: float

    def allows(self, host: str) -> bool:
        """RFC 8461 4.1."""
        name = host.lower().rstrip(".")
        return any(name == p or (p[:2] == "*." and name.partition(".")[2] == p[2:]) for p in self.hosts)


NONE = Policy("none", (), 0.0)


def read_record(texts: Sequence[str]) -> str:
    """Return the id of ``_mta-sts`` TXT; "" for none, or more than one (RFC 8461 3.1)."""
    found = [text for text in texts if text.startswith("v=STSv1")]
    match = _RECORD.match(found[0]) if len(found) == 1 else None
    return match[1] if match else ""


def read_policy(content: bytes) -> Policy | None:
    """Read a policy file (RFC 8461 3.2); None for what is none."""
    if len(content) > POLICY_OCTETS_MAX or not content.isascii():
        return None
    lines = [line.partition(":") for line in content.decode().splitlines()]
    pairs = [(key.strip(), value.strip()) for key, colon, value in lines if colon]
    first = dict(reversed(pairs))
    hosts = tuple(value.lower().rstrip(".") for key, value in pairs if key == "mx")[:PATTERNS_MAX]
    age = first.get("max_age", "")
    good = first.get("version") == "STSv1" and first.get("mode") in MODES and age.isdigit() and len(age) <= 10
    if not good or not all(map(_PATTERN.match, hosts)) or (first["mode"] != "none" and not hosts):
        return None
    return Policy(first["mode"], hosts, min(float(age), AGE_SECONDS_MAX))


@dataclass(frozen=True, slots=True)
class _Kept:
    policy: Policy
    id: str
    until: float
    again: float = 0.0  # not asked for before


class Policies:
    """Finds and remembers domains' policies."""

    def __init__(self, texts: Texts, fetch: Fetch, clock: Callable[[], float]) -> None:
        self._texts, self._fetch, self._clock = texts, fetch, clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Policy]] = {}

    async def of(self, domain: str) -> Policy:
        """Return a domain's policy; who asks at the same time shares one question."""
        task = self._asking.get(domain)
        if task is None:
            task = self._asking[domain] = asyncio.create_task(self._find(domain))
            task.add_done_callback(lambda _: self._asking.pop(domain, None))
        return await asyncio.shield(task)

    async def _find(self, domain: str) -> Policy:
        now, kept = self._clock(), self._kept.get(domain)
        if kept and now >= kept.until:
            kept = None
        id_ = read_record(await self._texts(f"_mta-sts.{domain}"))
        if not id_ or (kept and (kept.id == id_ or now < kept.again)):
            return kept.policy if kept else NONE
        content = await self._fetch(domain)
        policy = read_policy(content) if content is not None else None
        if policy is not None:
            self._keep(domain, _Kept(policy, id_, now + policy.age_seconds))
            return policy
        old = kept or _Kept(NONE, "", now + AGAIN_SECONDS)
        self._keep(domain, _Kept(old.policy, old.id, old.until, now + AGAIN_SECONDS))
        return old.policy

    def _keep(self, domain: str, kept: _Kept) -> None:
        self._kept[domain] = kept
        self._kept.move_to_end(domain)
        while len(self._kept) > POLICIES_KEPT:
            self._kept.popitem(last=False)
