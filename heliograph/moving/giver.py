"""The owner's end of a hand-over: it sends while it serves, seals, sends the rest, and is told that it was taken.

Law: before the seal nothing has happened, and it may end at any time. From the seal on the buckets are nobody's until
the other host has them; whatever breaks, it is begun again and comes to that end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from heliograph.moving.cargo import Part
from heliograph.moving.demoting import demote_all
from heliograph.moving.frames import Broken, packed
from heliograph.moving.line import Line
from heliograph.moving.offering import offer, yield_bare
from heliograph.moving.parties import Hashes, Party, by_map
from heliograph.moving.progress import Progress
from heliograph.moving.returning import Returning
from heliograph.moving.settling import SETTLE_SECONDS, owed, settled
from heliograph.moving.shipping import Shipping
from heliograph.ownership.holding import DEMOTED, GIVEN_UP, OWNER, Holding, bury, is_beaten, seal
from heliograph.ownership.ownership import find
from store import Reader, Transaction, events

log = logging.getLogger("heliograph.moving")

ROUNDS_MAX = 8  # of sending what changed meanwhile, before the seal: each is shorter than the one before
LITTLE = 50  # parts in a round: what is left is sent under the seal
TRIES_MAX = 3  # of comparing, in one stream


class Giver:
    """One hand-over to one host."""

    def __init__(self, party: Party, line: Line, progress: Progress) -> None:
        self._party, self._line, self._progress = party, line, progress
        self._peer = progress.peer
        self._ships = Shipping(party.store, line, progress)
        self._hashes = Hashes(party)

    async def give(self, held: list[Holding]) -> list[Holding]:
        """Hand over what the other host takes now; return what it took, or had already."""
        going, settled = await self._offer(held)
        if not going:
            return settled
        keys = [(one.map, one.bucket) for one in going]
        if any(one.state == OWNER for one in going):
            await self._send_while_serving(keys)
            await self._party.at("before-seal")
            going = await self._seal(keys)
            await self._party.at("after-seal")
        else:  # sealed before a crash, or by a host that came back from a backup and had not told whom it lets go
            await self._owe([(one.map, one.bucket) for one in going if one.state == DEMOTED])
            await self._party.store.write(lambda tx: self._leave(tx, self._units_in(tx, keys)))
        return [*settled, *await self._finish(going)]

    # --- whether

    async def _offer(self, held: list[Holding]) -> tuple[list[Holding], list[Holding]]:
        """Return which are to be sent, and which the other host has already."""
        party = self._party
        answers = (await self._line.ask(offer(party, held, self._peer), "answers")).value
        going, taken = [], []
        for one, (said, detail) in zip(held, answers, strict=True):
            if said == "go":
                going.append(one)
            elif said == "taken" and (one.state in GIVEN_UP or is_beaten(one, int(detail))):
                taken.append((one, int(detail)))
            elif said in ("taken", "both"):
                self._progress.why = await yield_bare(party, one, self._peer, int(detail))
            else:
                self._progress.why = str(detail)
                log.info("b%d.%s to %s: %s", one.bucket, one.map, self._peer, detail)
        if taken:
            await self._let_go(taken)
        return going, [one for one, _ in taken]

    async def _let_go(self, taken: list[tuple[Holding, int]]) -> None:
        """It is theirs. What a lost host has of it, and they have not, is given to them first."""
        beaten = [one for one, epoch in taken if is_beaten(one, epoch)]
        if beaten:
            await demote_all(self._party, beaten, self._peer)
        back = [one for one, _ in taken if one.state == DEMOTED]
        if back:
            self._progress.phase = "returning"
            await Returning(self._party, self._line, self._ships).give(back)
        theirs = [(one, epoch) for one, epoch in taken if one not in beaten]
        if theirs:
            await self._bury([one for one, _ in theirs], max(epoch for _, epoch in theirs))

    # --- while it is served

    async def _send_while_serving(self, keys: list[tuple[str, int]]) -> None:
        """Send everything, then what changed meanwhile, until that is little."""
        self._progress.phase = "copying"
        for _ in range(ROUNDS_MAX):
            self._check_wanted(keys)
            if await self._send(keys) <= LITTLE and await self._settle(keys):
                break
        self._progress.phase = "hashing"
        await self._line.ask(packed("hash", keys), "ok")
        await self._party.store.read(lambda reader: self._hashes.of(reader, keys))
        await self._send(keys)  # what changed while that was done

    def _check_wanted(self, keys: list[tuple[str, int]]) -> None:
        if any(self._party.view(*key).named != self._peer for key in keys):
            raise Broken(f"the zone does not name {self._peer} any more: abandoned")

    async def _settle(self, keys: list[tuple[str, int]]) -> bool:
        cargo = self._party.cargo
        return all([await settled(self._party, cargo[at], some) for at, some in (await self._units(keys)).items()])

    async def _owe(self, keys: list[tuple[str, int]]) -> None:
        """They were given up, and nobody else ever had them."""
        for which, units in (await self._units(keys)).items():
            await owed(self._party, self._party.cargo[which], units)

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
                bodies_of = self._party.cargo[which].bodies_of
                sent += await self._ships.send("rows", which, self._parts(reader, which, names), bodies_of)
        finally:
            reader.connection.close()
        return sent

    def _parts(self, reader: Reader, which: str, names: list[str]) -> Iterator[Part]:
        """All new parts of these units, one after the other."""
        cargo, told = self._party.cargo[which], self._progress.told
        for name in names:
            yield from cargo.parts(reader, name, told.setdefault((which, name), cargo.told()))
            self._progress.done += 1

    # --- and given up

    async def _seal(self, keys: list[tuple[str, int]]) -> list[Holding]:
        self._progress.phase = "sealing"
        while True:
            sealed = await self._party.store.write(lambda tx: self._seal_now(tx, keys))
            if sealed is not None:
                return sealed
            await asyncio.sleep(SETTLE_SECONDS)

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
        self._leave(tx, units)
        party.ownership.put(tx, *sealed)
        gone = frozenset(units.get("timeline", ()))
        tx.after_commit(lambda: party.turn_out(gone))
        return sealed

    def _leave(self, tx: Transaction, units: dict[str, list[str]]) -> None:
        for which, names in units.items():
            self._party.cargo[which].leave(tx, names, self._peer)

    async def _finish(self, sealed: list[Holding]) -> list[Holding]:
        """Send the rest and the digest of all, until the other host says that it has the same and owns it."""
        self._progress.phase = "finishing"
        keys = [(one.map, one.bucket) for one in sealed]
        for _ in range(TRIES_MAX):
            await self._send(keys)
            digests = await self._party.store.read(lambda reader: self._hashes.of(reader, keys))
            await self._party.at("before-grant")
            buckets = [[one.map, one.bucket, one.epoch, one.serial] for one in sealed]
            grant = packed("grant", {"buckets": buckets, "units": digests})
            answer = await self._line.ask(grant, "taken", "differs")
            if answer.do == "taken":
                await self._party.at("before-bury")
                return await self._bury(sealed, 0)
            log.error("%s has other contents of %s: sent again", self._peer, ", ".join(answer.value)[:200])
            self._progress.told.clear()
            self._hashes.clear()
        raise Broken(f"{self._peer} does not come to the same contents")

    async def _bury(self, sealed: list[Holding], epoch: int) -> list[Holding]:
        party, now = self._party, self._party.clock()
        self._progress.pause = pause = now - min(one.since for one in sealed)

        def work(tx: Transaction) -> list[Holding]:
            # As it is now: where the other host was given up meanwhile, it may be this one's again.
            there = [
                (mine, one) for one in sealed if (mine := find(tx, one.map, one.bucket)) and mine.epoch == one.epoch
            ]
            buried = [found for mine, one in there if (found := bury(mine, epoch or one.epoch, now))]
            party.ownership.put(tx, *buried)
            party.hurry(tx)
            for which in {one.map for one in buried}:
                party.cargo[which].left(tx, self._peer, now)
            for one in buried:
                events.append(
                    tx, now, "moved", map=one.map, bucket=one.bucket, to=one.peer, epoch=one.epoch, pause=pause
                )
            return buried

        buried = await party.store.write(work)
        log.info("%d buckets are at %s now", len(buried), self._peer)
        return buried
