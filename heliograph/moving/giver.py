"""The owner's end of a hand-over: it sends while it serves, seals, sends the rest, and is told that it was taken.

Law: before the seal nothing has happened, and it may end at any time. From the seal on the buckets are nobody's until
the other host has them; whatever breaks, it is begun again and comes to that end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from functools import partial

from heliograph.holding import OWNER, SEALED, Holding, bury, seal
from heliograph.moving import frames
from heliograph.moving.cargo import Cargo, Part
from heliograph.moving.frames import Broken, Word, packed
from heliograph.moving.line import Line
from heliograph.moving.parties import Party, by_map
from heliograph.moving.progress import Progress
from heliograph.ownership import find
from store import Bodies, Reader, Transaction, events

log = logging.getLogger("heliograph.moving")

ROWS_AT_ONCE = 4_000  # read in one go, sent in one word and put in by one transaction: some 50 ms of the writer
UNITS_SETTLED_AT_ONCE = 200
BODIES_OCTETS = 1 << 20  # sent in one word, unless one alone is larger
BODIES_AT_ONCE = 400  # their sizes stand in the line
ROUNDS_MAX = 8  # of sending what changed meanwhile, before the seal: each is shorter than the one before
LITTLE = 50  # parts in a round: what is left is sent under the seal
TRIES_MAX = 3  # of comparing, in one stream


@dataclass(frozen=True, slots=True)
class Load:
    """Some parts, ready to be said, and the SHA-256 of the bodies that they name."""

    parts: int
    bodies: frozenset[bytes]
    word: Word


class Giver:
    """One hand-over to one host."""

    def __init__(self, party: Party, line: Line, progress: Progress) -> None:
        self._party, self._line, self._progress = party, line, progress
        self._peer = progress.peer

    async def give(self, held: list[Holding]) -> list[Holding]:
        """Hand over what the other host takes now; return what it took."""
        going = await self._offer(held)
        if not going:
            return []
        keys = [(one.map, one.bucket) for one in going]
        if any(one.state == OWNER for one in going):
            await self._send_while_serving(keys)
            await self._party.at("before-seal")
            going = await self._seal(keys)
            await self._party.at("after-seal")
        return await self._finish(going)

    # --- whether

    async def _offer(self, held: list[Holding]) -> list[Holding]:
        party = self._party
        offers = [
            [one.map, one.bucket, one.epoch - (one.state == SEALED), one.serial, one.state == SEALED]
            if one.state == SEALED
            else [one.map, one.bucket, one.epoch, party.view(one.map, one.bucket).serial, False]
            for one in held
        ]
        layouts = {which: cargo.layout() for which, cargo in party.cargo.items()}
        word = packed("offer", {"version": frames.VERSION, "layouts": layouts, "buckets": offers})
        answers = (await self._line.ask(word, "answers")).value
        going, taken = [], []
        for one, (said, detail) in zip(held, answers, strict=True):
            if said == "go":
                going.append(one)
            elif said == "taken" and one.state == SEALED:
                taken.append((one, int(detail)))
            else:
                self._progress.why = str(detail)
                log.info("b%d.%s to %s: %s", one.bucket, one.map, self._peer, detail)
        if taken:
            await self._bury([one for one, _ in taken], max(epoch for _, epoch in taken))
        return going

    # --- while it is served

    async def _send_while_serving(self, keys: list[tuple[str, int]]) -> None:
        """Send everything, then what changed meanwhile, until that is little."""
        self._progress.phase = "copying"
        for _ in range(ROUNDS_MAX):
            self._check_wanted(keys)
            if await self._send(keys) <= LITTLE and await self._settle(keys):
                return

    def _check_wanted(self, keys: list[tuple[str, int]]) -> None:
        if any(self._party.view(*key).named != self._peer for key in keys):
            raise Broken(f"the zone does not name {self._peer} any more: abandoned")

    async def _settle(self, keys: list[tuple[str, int]]) -> bool:
        """Make what is due, for under the seal it would take its time."""
        party = self._party
        whole = True
        for which, units in (await self._units(keys)).items():
            cargo = party.cargo[which]
            for at in range(0, len(units), UNITS_SETTLED_AT_ONCE):
                settle = partial(_settle, cargo, units[at : at + UNITS_SETTLED_AT_ONCE], party.clock())
                while not await party.store.write(settle):
                    whole = False
        return whole

    async def _units(self, keys: list[tuple[str, int]]) -> dict[str, list[str]]:
        return await self._party.store.read(lambda reader: self._units_in(reader, keys))

    def _units_in(self, source: Reader | Transaction, keys: list[tuple[str, int]]) -> dict[str, list[str]]:
        party = self._party
        return {
            which: party.cargo[which].units(source, party.in_buckets(buckets))
            for which, buckets in by_map(keys).items()
        }

    async def _send(self, keys: list[tuple[str, int]]) -> int:
        """Send what is new since it was told; return how many parts that were."""
        sent = 0
        units = await self._units(keys)
        self._progress.units, self._progress.done = sum(map(len, units.values())), 0
        reader = self._party.store.reader_of_its_own()
        try:
            for which, names in units.items():
                async with contextlib.aclosing(self._loads(which, self._parts(reader, which, names))) as loads:
                    async for load in loads:
                        sent += load.parts
                        await self._send_load(load)
            await self._line.settle()
        finally:
            reader.connection.close()
        return sent

    async def _loads(self, which: str, parts: Iterator[Part]) -> AsyncGenerator[Load, None]:
        """Read ahead: while one load is sent, the next is read and packed in a thread."""
        read = partial(_next, which, self._party.cargo[which], parts)
        coming = asyncio.ensure_future(self._party.store.read(read))
        try:
            while load := await coming:
                coming = asyncio.ensure_future(self._party.store.read(read))
                yield load
        finally:
            await asyncio.gather(coming, return_exceptions=True)  # it reads in a thread

    def _parts(self, reader: Reader, which: str, names: list[str]) -> Iterator[Part]:
        """All new parts of these units, one after the other."""
        cargo, told = self._party.cargo[which], self._progress.told
        for name in names:
            yield from cargo.parts(reader, name, told.setdefault((which, name), cargo.told()))
            self._progress.done += 1

    async def _send_load(self, load: Load) -> None:
        wanted = self._line.unknown(load.bodies)
        for at in range(0, len(wanted), BODIES_AT_ONCE):
            some = wanted[at : at + BODIES_AT_ONCE]
            lacks = await self._line.ask(Word("lacks", {}, b"".join(some)), "lack")
            missing = await self._send_bodies([some[place] for place in lacks.value])
            self._line.know(digest for digest in some if digest not in missing)
        self._progress.octets += len(load.word.octets)
        await self._line.say_ahead(load.word)

    async def _send_bodies(self, digests: list[bytes]) -> set[bytes]:
        """Return which are not here any more."""
        found = await self._party.store.read(partial(_ids, digests))
        bodies = list(found.values())
        while bodies:
            contents, bodies = await self._party.store.read(partial(_contents, bodies))
            word = Word("bodies", {"sizes": [len(content) for content in contents]}, b"".join(contents))
            self._progress.octets += len(word.octets)
            await self._line.say_ahead(word)
        return set(digests) - found.keys()

    # --- and given up

    async def _seal(self, keys: list[tuple[str, int]]) -> list[Holding]:
        self._progress.phase = "sealing"
        while True:
            sealed = await self._party.store.write(lambda tx: self._seal_now(tx, keys))
            if sealed is not None:
                return sealed

    def _seal_now(self, tx: Transaction, keys: list[tuple[str, int]]) -> list[Holding] | None:
        """One transaction: from here on nothing is filed for them, and no flag is changed. None: not yet."""
        party = self._party
        now, units = party.clock(), self._units_in(tx, keys)
        if not all(party.cargo[which].settle(tx, names, now) for which, names in units.items()):
            return None
        sealed = []
        for key in keys:
            mine = find(tx, *key)
            after = seal(mine, self._peer, party.view(*key), now) if mine else None
            if after is None:
                raise Broken(f"b{key[1]}.{key[0]} is not to go to {self._peer} any more: abandoned")
            sealed.append(after)
        for which, names in units.items():
            party.cargo[which].leave(tx, names, self._peer)
        party.ownership.put(tx, *sealed)
        gone = frozenset(units.get("timeline", ()))
        tx.after_commit(lambda: party.turn_out(gone))
        return sealed

    async def _finish(self, sealed: list[Holding]) -> list[Holding]:
        """Send the rest and the digest of all, until the other host says that it has the same and owns it."""
        self._progress.phase = "finishing"
        keys = [(one.map, one.bucket) for one in sealed]
        for _ in range(TRIES_MAX):
            await self._send(keys)
            digests = await self._party.store.read(lambda reader: self._digests(reader, keys))
            await self._party.at("before-grant")
            buckets = [[one.map, one.bucket, one.epoch, one.serial] for one in sealed]
            grant = packed("grant", {"buckets": buckets, "units": digests})
            answer = await self._line.ask(grant, "taken", "differs")
            if answer.do == "taken":
                await self._party.at("before-bury")
                return await self._bury(sealed, 0)
            log.error("%s has other contents of %s: sent again", self._peer, ", ".join(answer.value)[:200])
            self._progress.told.clear()
        raise Broken(f"{self._peer} does not come to the same contents")

    def _digests(self, reader: Reader, keys: list[tuple[str, int]]) -> dict[str, dict[str, str]]:
        units = self._units_in(reader, keys)
        return {
            which: {name: self._party.cargo[which].digest(reader, name) for name in names}
            for which, names in units.items()
        }

    async def _bury(self, sealed: list[Holding], epoch: int) -> list[Holding]:
        party, now = self._party, self._party.clock()
        self._progress.pause = pause = now - min(one.since for one in sealed)
        buried = [found for one in sealed if (found := bury(one, epoch or one.epoch, now))]

        def work(tx: Transaction) -> None:
            party.ownership.put(tx, *buried)
            party.hurry(tx)
            for which in {one.map for one in buried}:
                party.cargo[which].left(tx, self._peer, now)
            for one in buried:
                events.append(
                    tx, now, "moved", map=one.map, bucket=one.bucket, to=one.peer, epoch=one.epoch, pause=pause
                )

        await party.store.write(work)
        log.info("%d buckets are at %s now", len(buried), self._peer)
        return buried


def _settle(cargo: Cargo, units: list[str], now: float, tx: Transaction) -> bool:
    return cargo.settle(tx, units, now)


def _next(which: str, cargo: Cargo, parts: Iterator[Part], _: Reader) -> Load | None:
    """Read and pack the next parts; None: there are no more."""
    some, rows = [], 0
    for part in parts:
        some.append(part)
        rows += 1 + sum(len(value) for value in part.values() if isinstance(value, list))
        if rows >= ROWS_AT_ONCE:
            break
    if not some:
        return None
    bodies = frozenset[bytes]().union(*(cargo.bodies_of(part) for part in some)) - {b""}
    return Load(len(some), bodies, packed("rows", some, map=which))


def _ids(digests: list[bytes], reader: Reader) -> dict[bytes, int]:
    return Bodies.by_digest(reader, digests)


def _contents(bodies: list[int], reader: Reader) -> tuple[list[bytes], list[int]]:
    """Read bodies for one word; return them, and what is left. One that went meanwhile is passed over."""
    contents: list[bytes] = []
    octets = 0
    for place, body in enumerate(bodies):
        if octets >= BODIES_OCTETS:
            return contents, bodies[place:]
        for header, text in Bodies.read_many(reader, [body]).values():
            contents.append(header + text)
            octets += len(contents[-1])
    return contents, []
