"""Asking the others, before a lost host's buckets are taken: does one of you have it from that host already?

Law: who answers has seen the zone that says that the host is lost, and takes nothing from it any more that it gave
before; so what is answered stays true. Only those are asked whom the zone named for a bucket lately: nobody else can
have it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import astuple

from heliograph.moving.demoting import forget_coming
from heliograph.moving.frames import Broken, Word, hear, packed, say
from heliograph.moving.line import Line
from heliograph.moving.mover import Opens
from heliograph.moving.parties import Party
from heliograph.ownership.holding import Holding
from heliograph.ownership.ownership import Key, find

PURPOSE = "held"
KEYS_AT_ONCE = 1_000  # asked about in one word


async def ask_host(streams: Opens, host: str, lost: str, serial: int, keys: list[Key]) -> dict[Key, Holding]:
    """Return what a host holds of these buckets; OSError where it does not say."""
    found: dict[Key, Holding] = {}
    reader, writer = await streams.open(host, PURPOSE)
    with contextlib.closing(writer):
        line = Line(reader, writer)
        for at in range(0, len(keys), KEYS_AT_ONCE):
            word = packed("held", keys[at : at + KEYS_AT_ONCE], lost=lost, serial=serial)
            for row in (await line.ask(word, "holds")).value:
                one = Holding(*row)
                found[one.map, one.bucket] = one
    return found


class Fence:
    """Answers at a host that is asked."""

    def __init__(self, party: Party) -> None:
        self._party = party

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        with contextlib.suppress(Broken):
            while True:
                await say(writer, await self._answer(await hear(reader), peer))

    async def _answer(self, word: Word, peer: str) -> Word:
        party, lost = self._party, str(word.about["lost"])
        if party.zone().serial < int(word.about["serial"]) or party.zone().lost.get(lost) != peer:
            return Word("wait", {"why": f"the zone at {party.host} does not say that {lost} is lost"})
        await forget_coming(party, lost)
        reader = party.store.reader
        held = [find(reader, which, bucket) for which, bucket in word.value]
        return packed("holds", [astuple(one) for one in held if one])


def named_lately(rows: Iterable[tuple[str, int, str]], besides: set[str]) -> dict[str, set[Key]]:
    """Sort (map, bucket, host) by host."""
    found: dict[str, set[Key]] = {}
    for which, bucket, host in rows:
        if host not in besides:
            found.setdefault(host, set()).add((which, bucket))
    return found
