"""The other end of a hand-over: it stages what comes, compares, and owns all of it or nothing.

Law: nobody is believed but the host that the key proves, and that one only about buckets that were taken on from it.
What is staged is nobody's mailbox yet; it becomes one in the transaction that makes this host the owner.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from heliograph.moving.agreement import Agreement
from heliograph.moving.clearing import clear, forget, release
from heliograph.moving.frames import Broken, Ended, Word, hear, packed, say
from heliograph.moving.inquiry import Inquiry
from heliograph.moving.merging import Merging
from heliograph.moving.parties import REPLICA, Hashes, Party, by_map
from heliograph.ownership.holding import ACQUIRING, Holding, take
from heliograph.ownership.ownership import find
from store import Bodies, Reader, Transaction, events

log = logging.getLogger("heliograph.moving")

WORD_SECONDS_MAX = 600.0  # until the giver's next word: it may compare all that it gives, or wait for its own disk
DIGEST_OCTETS = 32

Key = tuple[str, int]


class Taker:
    """Serves the streams of hosts that hand over, one of each host. `ended`: one has ended, there may be something to
    tidy: what did not come, and is not to come any more."""

    def __init__(self, party: Party, inquiry: Inquiry, ended: Callable[[], object] = lambda: None) -> None:
        self._party, self._inquiry, self._ended = party, inquiry, ended
        self._serving: dict[str, asyncio.Task[None]] = {}

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        """Take what a host hands over, until it ends the stream. Its newest stream counts."""
        while before := self._serving.get(peer):  # a newer one still may have come while we waited
            before.cancel()
            await asyncio.gather(before, return_exceptions=True)
        task = asyncio.ensure_future(_Stream(self._party, self._inquiry, reader, writer, peer).run())
        self._serving[peer] = task
        try:
            await task
        except Ended:
            pass
        except (Broken, ValueError, KeyError, TypeError, IndexError) as error:
            log.warning("hand-over from %s broke off: %r", peer, error)
        finally:
            task.cancel()
            if self._serving.get(peer) is task:
                del self._serving[peer]
            self._ended()

    async def tidy(self) -> None:
        """Let go of what was to come and does not, and of bodies that came for what is here now."""
        party = self._party
        rows = party.store.reader.all("SELECT map, bucket FROM holding WHERE state = ?", (ACQUIRING,))
        waiting = [one for key in rows if (one := find(party.store.reader, *key))]
        idle = [one for one in waiting if one.peer not in self._serving]
        zone = party.zone()
        dropped = [one for one in idle if one.peer in zone.lost or party.view(one.map, one.bucket).named != party.host]
        if dropped:
            await clear(party, [(one.map, one.bucket) for one in dropped])
            await party.store.write(lambda tx: self._drop(tx, dropped))
        busy = {one.peer for one in waiting if one not in dropped} | set(self._serving)
        for (peer,) in party.store.reader.all("SELECT DISTINCT peer FROM carried"):
            if peer not in busy:
                await release(party, peer)

    def _drop(self, tx: Transaction, dropped: list[Holding]) -> None:
        there = [one for one in dropped if find(tx, one.map, one.bucket) == one]  # or it comes after all
        self._party.ownership.drop(tx, *there)


class _Stream:
    """One stream of one host."""

    def __init__(
        self,
        party: Party,
        inquiry: Inquiry,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        peer: str,
    ) -> None:
        self._party, self._agreement = party, Agreement(party, inquiry, peer)
        self._reader, self._writer, self._peer = reader, writer, peer
        self._merging = Merging(party, peer)
        self._hashes = Hashes(party)

    async def run(self) -> None:
        doing = {
            "offer": self._agreement.answer,
            "lacks": self._lacks,
            "bodies": self._bodies,
            "rows": self._rows,
            "hash": self._hash,
            "grant": self._grant,
            "gaps": self._merging.gaps,
            "extras": self._merging.extras,
        }
        coming = asyncio.ensure_future(hear(self._reader, WORD_SECONDS_MAX))
        try:
            while True:
                word = await coming
                if word.do not in doing:
                    raise Broken(f"{word.do!r} is nothing that a giver says")
                coming = asyncio.ensure_future(hear(self._reader, WORD_SECONDS_MAX))  # while this one is put in
                await say(self._writer, await doing[word.do](word))
        except asyncio.CancelledError:
            pass
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)

    # --- what comes

    async def _lacks(self, word: Word) -> Word:
        octets = word.octets
        digests = [octets[at : at + DIGEST_OCTETS] for at in range(0, len(octets), DIGEST_OCTETS)]
        known = await self._party.store.write(lambda tx: self._hold(tx, digests))
        return packed("lack", [place for place, digest in enumerate(digests) if digest not in known])

    def _hold(self, tx: Transaction, digests: list[bytes]) -> set[bytes]:
        """Keep what is here of these bodies until the rows that name them have come."""
        found = Bodies.by_digest(tx, digests)
        for body in found.values():
            if self._note(tx, body):
                Bodies.share(tx, body)
        return set(found)

    def _note(self, tx: Transaction, body: int) -> bool:
        return bool(tx.execute("INSERT OR IGNORE INTO carried VALUES (?, ?)", (self._peer, body)).rowcount)

    async def _bodies(self, word: Word) -> Word:
        contents, at = [], 0
        for size in word.about["sizes"]:
            contents.append(word.octets[at : at + size])
            at += size
        await self._party.store.write(lambda tx: self._keep(tx, contents))
        return Word("ok")

    def _keep(self, tx: Transaction, contents: list[bytes]) -> None:
        for content in contents:
            body = Bodies.keep(tx, content)
            if not self._note(tx, body):
                Bodies.release(tx, body)

    async def _rows(self, word: Word) -> Word:
        which, parts = word.about["map"], word.value
        await self._party.store.write(partial(self._put, which, parts))
        self._hashes.touch(which, parts)
        await self._party.at("rows")
        return Word("ok")

    async def _hash(self, word: Word) -> Word:
        """Hash what has come, before it is nobody's: then what changed since is all that is left to hash."""
        keys = [(str(which), int(bucket)) for which, bucket in word.value]
        for key in keys:
            self._must_be_coming(self._party.store.reader, key)
        await self._party.store.read(lambda reader: self._hashes.of(reader, keys))
        return Word("ok")

    def _put(self, which: str, parts: list[dict[str, Any]], tx: Transaction) -> None:
        cargo, bucket = self._party.cargo[which], self._party.names.bucket
        for name in {part["name"] for part in parts}:
            self._must_be_coming(tx, (which, cargo.bucket_of(name, bucket)))
        for part in parts:
            cargo.put(tx, part)

    def _must_be_coming(self, source: Reader | Transaction, key: Key) -> None:
        mine = find(source, *key)
        if mine is None or mine.state != ACQUIRING or mine.peer != self._peer:
            raise Broken(f"{self._peer} sends what it does not hand over: b{key[1]}.{key[0]}")

    # --- and is taken

    async def _grant(self, word: Word) -> Word:
        party, said = self._party, word.value
        granted = [(which, bucket, epoch, serial) for which, bucket, epoch, serial in said["buckets"]]
        keys = [(which, bucket) for which, bucket, _, _ in granted]
        for key in keys:
            self._must_be_coming(party.store.reader, key)
        differ = await self._differing(keys, said["units"])
        if differ:
            return packed("differs", differ)
        await party.at("before-take")
        taken = await party.store.write(lambda tx: self._take(tx, granted))
        await party.at("after-take")
        log.info("%d buckets of %s are here now", len(taken), self._peer)
        return Word("taken")

    async def _differing(self, keys: list[Key], told: dict[str, dict[str, str]]) -> list[str]:
        """Compare what is here with what the giver has; what it has not any more goes."""
        here = await self._party.store.read(lambda reader: self._hashes.of(reader, keys))
        differ: list[str] = []
        for which, digests in here.items():
            theirs = told.get(which, {})
            for name in digests.keys() - theirs.keys():
                await forget(self._party, which, name)
                self._hashes.forget(which, name)
            differ += [name for name, digest in theirs.items() if digests.get(name, "") != digest]
        if differ:  # it is hashed whole next time
            self._hashes.clear()
        return differ

    def _take(self, tx: Transaction, granted: list[tuple[str, int, int, int]]) -> list[Holding]:
        """The one transaction in which the owner changes."""
        party, now = self._party, self._party.clock()
        taken = []
        for which, bucket, epoch, serial in granted:
            own = take(find(tx, which, bucket), self._peer, epoch, serial, party.view(which, bucket), now)
            if own is None:
                raise Broken(f"b{bucket}.{which} was not to come with epoch {epoch} and serial {serial}")
            taken.append(own)
            events.append(tx, now, "taken", map=which, bucket=bucket, giver=self._peer, epoch=epoch)
        giver = "" if self._peer.endswith(REPLICA) else self._peer
        for which, buckets in by_map((one.map, one.bucket) for one in taken).items():
            cargo = party.cargo[which]
            cargo.arrive(tx, cargo.units(tx, party.in_buckets(buckets)), giver, now)
        party.ownership.put(tx, *taken)
        party.hurry(tx)
        return taken
