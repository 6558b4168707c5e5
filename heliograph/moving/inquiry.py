"""Asking all other hosts what they hold of buckets: before this host takes or keeps what another may own already.

Law: a host that came back from a backup does not know what it gave away since. What it hands over of its own accord is
taken only if every other host of the zone says that it has not got it; one that does not answer may have it. What it
has and another owns with a higher epoch is an old copy.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from heliograph.moving.frames import Broken, Word, hear, packed, say
from heliograph.moving.line import Line, Opens
from heliograph.moving.parties import Party, by_map
from heliograph.ownership import epochs
from heliograph.ownership.holding import OWNER, SEALED, Holding, give_way
from heliograph.ownership.ownership import Key, find
from store import Reader, Transaction

log = logging.getLogger("heliograph.moving")

PURPOSE = "holders"
KEYS_MAX = 2 * 65_536  # both maps of the largest fabric: some 3 MB

Held = dict[Key, tuple[str, int]]  # state and epoch


class Inquiry:
    """Asks, and answers others who ask."""

    def __init__(self, party: Party, streams: Opens) -> None:
        self._party, self._streams = party, streams

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        """Tell another host what is held here."""
        keys = (await hear(reader)).value[:KEYS_MAX]
        await say(writer, await self._party.store.read(lambda reader: _held(keys, reader)))

    async def doubts(self, keys: Sequence[Key], giver: str) -> dict[Key, str]:
        """Return why buckets may be another host's than the giver's; what is nobody else's is not in it."""
        found: dict[Key, str] = {}
        for host, held in (await self._ask_all(keys, giver)).items():
            for key in keys:
                if held is None:
                    found[key] = f"{host} may own it, and does not answer: bring it up, or take it out of the zone"
                elif held[key][0] in (OWNER, SEALED):
                    found[key] = f"{host} has it, with epoch {held[key][1]}"
        return found

    async def after_restore(self) -> list[Holding]:
        """Come back from a backup, before anybody is served: put aside what was given up, and give up what another host
        owns with a higher epoch, for it was handed over since. Return that."""
        party = self._party
        mine = {(one.map, one.bucket): one for one in party.ownership.held() if one.state in (OWNER, SEALED)}
        old: dict[Key, Holding] = {}
        for host, held in (await self._ask_all(list(mine), "")).items():
            if held is None:
                log.warning("%s does not answer: what it took over before the backup is not known here", host)
            for key, (state, epoch) in (held or {}).items():
                if state == OWNER and (copy := _old_copy(mine[key], host, epoch, party.clock())):
                    old[key] = copy
        aside = [key for key, one in mine.items() if key in old or one.state == SEALED]
        await party.store.write(lambda tx: self._put_aside(tx, aside, list(old.values())))
        if old:
            log.warning("%d buckets of this backup are owned by other hosts by now: its copies are put aside", len(old))
        return list(old.values())

    def _put_aside(self, tx: Transaction, keys: list[Key], old: list[Holding]) -> None:
        for which, buckets in by_map(keys).items():
            cargo = self._party.cargo[which]
            cargo.aside(tx, cargo.units(tx, self._party.in_buckets(buckets)))
        self._party.ownership.put(tx, *old)
        epochs.finished(tx)

    async def _ask_all(self, keys: Sequence[Key], but: str) -> dict[str, Held | None]:
        """Return what each other host says; None: nothing."""
        zone = self._party.zone()
        hosts = [name for name in zone.hosts if name not in (self._party.host, but, *zone.lost)]
        if not keys:
            return {}
        answers = await asyncio.gather(*(self._ask(host, keys) for host in hosts))
        return dict(zip(hosts, answers, strict=True))

    async def _ask(self, host: str, keys: Sequence[Key]) -> Held | None:
        try:
            reader, writer = await self._streams.open(host, PURPOSE)
            with contextlib.closing(writer):
                answer: list[Any] = (await Line(reader, writer).ask(packed("held", list(keys)), "held")).value
            return {key: (str(said[0]), int(said[1])) for key, said in zip(keys, answer, strict=True)}
        except (Broken, OSError, ValueError, TypeError, IndexError) as error:
            log.info("what %s holds is not known: %s", host, error)
            return None


def _held(keys: Sequence[Key], reader: Reader) -> Word:
    """In a thread: there may be very many."""
    held = [find(reader, which, bucket) for which, bucket in keys]
    return packed("held", [[one.state, one.epoch] if one else ["", 0] for one in held])


def _old_copy(mine: Holding, owner: str, epoch: int, now: float) -> Holding | None:
    """What was sealed here after the restore counts by the epoch before it."""
    before = replace(mine, epoch=mine.epoch - 1) if mine.state == SEALED else mine
    return give_way(before, owner, epoch, now) if epoch > before.epoch else None
