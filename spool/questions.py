"""Questions to the DNS, whose answers are remembered.

Law: bounded in time, memory and questions, whoever makes us ask. That a name has no such record is an answer and
remembered; that nobody answers is none, and is asked again soon.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver

from spool.resolver import make_resolver
from spool.small_answers import ask_for_small

ANSWER_SECONDS_MAX = 5.0  # somebody's client waits
AT_ONCE_MAX = 50
KEPT_MAX = 10_000
KEPT_CHARACTERS_MAX = 16_000_000  # of all answers: strangers choose whose names are asked for
KEPT_SECONDS_MIN, KEPT_SECONDS_MAX = 60.0, 3_600.0
NONE_KEPT_SECONDS = 300.0
UNSURE_KEPT_SECONDS = 10.0
ANSWER_CHARACTERS_MAX = 32_768  # the largest names of the world say a quarter of it

Values = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    values: Values | None
    until: float

    @property
    def size(self) -> int:
        return sum(map(len, self.values or ()))


class Questions:
    """Asks the resolver at this address ("ip:port", several with commas; "" for the system's)."""

    def __init__(self, resolver: str, clock: Callable[[], float]) -> None:
        self._address, self._clock = resolver, clock
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._kept_characters = 0
        self._asking: dict[tuple[str, str], asyncio.Task[Values | None]] = {}
        self._turn = asyncio.Semaphore(AT_ONCE_MAX)

    async def texts(self, name: str) -> Values | None:
        """Return a name's TXT, each in one piece, a character an octet."""
        return await self.ask(name, "TXT")

    async def ask(self, name: str, kind: str) -> Values | None:
        """Return a name's records of this kind (TXT, A, AAAA, MX, PTR): addresses, or names without the last dot; ()
        where it has none, None where that cannot be found out now."""
        question = (name, kind)
        kept = self._kept.get(question)
        if kept and self._clock() < kept.until:
            return kept.values
        task = self._asking.get(question)
        if task is None:
            task = self._asking[question] = asyncio.create_task(self._find(name, kind))
            task.add_done_callback(lambda _: self._asking.pop(question, None))
        return await asyncio.shield(task)  # who hangs up does not take the answer from the others

    async def _find(self, name: str, kind: str) -> Values | None:
        values, seconds = await self._ask(name, kind)
        self._keep((name, kind), _Kept(values, self._clock() + seconds))
        return values

    def _keep(self, question: tuple[str, str], kept: _Kept) -> None:
        before = self._kept.pop(question, None)
        self._kept_characters += kept.size - (before.size if before else 0)
        self._kept[question] = kept
        while len(self._kept) > KEPT_MAX or self._kept_characters > KEPT_CHARACTERS_MAX:
            self._kept_characters -= self._kept.popitem(last=False)[1].size

    async def _ask(self, name: str, kind: str) -> tuple[Values | None, float]:
        if self._resolver is None:
            self._resolver = make_resolver(self._address)
            self._resolver.cache = None  # it would keep whole answers, and have no bound but their number
            ask_for_small(self._resolver)
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX), self._turn:
                wanted = _name(name)
                answer = await self._resolver.resolve(wanted, kind, search=False, lifetime=ANSWER_SECONDS_MAX)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return (), NONE_KEPT_SECONDS
        except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel, dns.name.IDNAException):
            return (), NONE_KEPT_SECONDS  # no name that could exist
        except (dns.exception.DNSException, OSError):  # TimeoutError is one
            return None, UNSURE_KEPT_SECONDS
        values = tuple(_value(record) for record in answer)
        if sum(map(len, values)) > ANSWER_CHARACTERS_MAX:
            return None, KEPT_SECONDS_MAX
        ttl = float(answer.rrset.ttl) if answer.rrset is not None else 0.0
        return values, min(max(ttl, KEPT_SECONDS_MIN), KEPT_SECONDS_MAX)


def _name(text: str) -> dns.name.Name:
    """A stranger's word may be part of a name: a backslash in it is no escape."""
    if not text.isascii():
        return dns.name.from_text(text)
    return dns.name.Name([*(label.encode() for label in text.removesuffix(".").split(".")), b""])


def _value(record: Any) -> str:
    if hasattr(record, "strings"):
        return b"".join(record.strings).decode("latin-1")
    if hasattr(record, "address"):
        return str(record.address)
    found = record.exchange if hasattr(record, "exchange") else record.target
    text = str(found.to_text(omit_final_dot=True))
    return "" if "\\" in text or text == "." else text  # a dot inside a label would be read as one between two
