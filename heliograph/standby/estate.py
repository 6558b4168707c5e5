"""A lost host's replica as its heir works with it: a copy, which is a host's database in all but doors.

Law: it skips ahead before anything is taken out of it, once, in the transaction that says so: UIDs, post numbers and
generations that the lost host may have given after its replica's last word are nobody's. It is not served from.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

from heliograph.moving.cargo import Cargo, Reflectors, Timelines
from heliograph.moving.parties import Party
from heliograph.ownership.holding import ACQUIRING, LEGACY, TOMBSTONE, Holding, inherit, leave_behind
from heliograph.ownership.ownership import Key, Ownership
from heliograph.tables import MIGRATIONS
from mailbox_host import gaps, outward
from reflector import extras as lists
from spool.queue import Queue
from store import Reader, Store, Transaction, events
from store.durable_files import move_durably

UNITS_AT_ONCE = 200  # settled in one transaction
LAID_OUT = "laid out"


def copy_in(replica: Path, place: Path) -> None:
    """Make the copy: under another name until it is whole and on disk."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = place.with_suffix(".coming")
    shutil.copyfile(replica, aside)
    with aside.open("rb+") as file:
        os.fsync(file.fileno())
    move_durably(aside, place)


class Estate:
    """What a lost host left, opened. Close it at the end."""

    def __init__(self, place: Path, lost: str, heir: Party) -> None:
        """Blocks: the database may have to be brought to this version first, and every entry is written once."""
        self._lost, self._heir = lost, heir
        self.store = Store(place, MIGRATIONS)
        self.store.write_now(self._lay_out)
        reader = self.store.reader_of_its_own()
        self._reader = reader
        held = {(one.map, one.bucket): one for one in self._held()}
        key = reader.one("SELECT key FROM token_key LIMIT 1")
        cargo: dict[str, Cargo] = {
            "timeline": Timelines(reader),
            "reflectors": Reflectors(reader, key[0] if key else b""),
        }
        self.party = Party(
            lost, self.store, Ownership(lost, held, {}), Queue(), heir.zone, cargo, lambda _: None, heir.clock, heir.at
        )

    def close(self) -> None:
        self.store.close()  # waits for the threads that may read by this connection, too
        self._reader.connection.close()

    def _held(self) -> list[Holding]:
        rows = self._reader.all("SELECT map, bucket, state, epoch, peer, serial, since, kept FROM holding")
        return [replace(Holding(*row), kept=bool(row[-1])) for row in rows]

    def _lay_out(self, tx: Transaction) -> None:
        now = self._heir.clock()
        row = tx.one("SELECT step FROM inheritance WHERE host = ?", (self._lost,))
        if row is None or row[0] != LAID_OUT:  # a host that was lost and came back before has a step of its own there
            tx.execute("INSERT OR REPLACE INTO inheritance VALUES (?, ?, '', 0, 0)", (self._lost, LAID_OUT))
            outward.rest(tx)
            folders, sources = gaps.skip_after(tx, self._lost), lists.skip_after(tx, self._lost)
            rows = tx.all("SELECT map, bucket, state, epoch, peer, serial, since, kept FROM holding")
            held = [Holding(*row) for row in rows if row[2] != ACQUIRING]  # what was given away stays known
            left = [leave_behind(one) or replace(one, kept=False) for one in held]
            tx.execute("DELETE FROM holding")
            Ownership(self._lost, {}, {}).put(tx, *left)
            events.append(
                tx, now, "laid-out", buckets=sum(one.state == LEGACY for one in left), folders=folders, sources=sources
            )

    def undecided(self) -> list[Holding]:
        return [one for one in self.party.ownership.held() if one.state == LEGACY]

    def given_away(self) -> list[Holding]:
        return [one for one in self.party.ownership.held() if one.state == TOMBSTONE]

    async def settle(self) -> None:
        """Make what is due of the log, pack what is packed on its way: nothing here is at work."""
        for which, cargo in self.party.cargo.items():
            keys = [one.bucket for one in self.undecided() if one.map == which]
            units = await self.store.read(partial(_units, cargo, self.party, keys))
            for at in range(0, len(units), UNITS_AT_ONCE):
                some = units[at : at + UNITS_AT_ONCE]
                while not await self.store.write(partial(_settle, cargo, some, self.party.clock())):
                    pass
                await self.store.write(partial(_leave, cargo, some, self._heir.host))

    async def seal(self, keys: set[Key]) -> None:
        """Give these to the heir."""
        now, serial = self.party.clock(), self.party.zone().serial
        found = [one for one in self.undecided() if (one.map, one.bucket) in keys]
        sealed = [inherit(one, self._heir.host, serial, now) for one in found]
        await self.store.write(lambda tx: self.party.ownership.put(tx, *sealed))

    async def pass_over(self, keys: set[Key]) -> None:
        """These are another host's already."""
        found = [one for one in self.undecided() if (one.map, one.bucket) in keys]
        await self.store.write(lambda tx: self.party.ownership.drop(tx, *found))

    def named(self) -> list[tuple[str, int, str]]:
        """Whom the zone named for a bucket lately, as the lost host knew: (map, bucket, host)."""
        return [
            (which, bucket, host) for which, bucket, host in self._reader.all("SELECT map, bucket, host FROM named")
        ]


def _units(cargo: Cargo, party: Party, buckets: list[int], reader: Reader) -> list[str]:
    return cargo.units(reader, party.in_buckets(buckets))


def _settle(cargo: Cargo, units: list[str], now: float, tx: Transaction) -> bool:
    return cargo.settle(tx, units, now)


def _leave(cargo: Cargo, units: list[str], heir: str, tx: Transaction) -> None:
    cargo.leave(tx, units, heir)
