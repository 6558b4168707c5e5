"""The standby's end of a stream: takes what the owner commits, and says how far it holds it.

Law: "held" is said after it is on this disk, and never of a copy that is not whole. Whatever does not go on from what
is here ends the stream; the owner begins it again, from what is here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from heliograph.moving.frames import Broken, Word, hear, packed, say
from heliograph.standby.place import told
from heliograph.standby.record import Bad, Kind, unpack
from heliograph.standby.replica import DIGEST_OCTETS
from heliograph.standby.replicas import Kept, Replicas
from heliograph.standby.words import SILENCE_SECONDS_MAX, VERSION

log = logging.getLogger("heliograph.standby")

WORDS_AHEAD = 8  # read while the disk is busy: they share the next flush
LENT_SECONDS_MAX = 20.0  # for whoever reads the replica to give it back, before a new copy begins


class Receiver:
    """Serves the streams of owners. `wanted`: whether the zone names this host as the standby of that one."""

    def __init__(
        self, replicas: Replicas, wanted: Callable[[str], bool], clock: Callable[[], float] = time.time
    ) -> None:
        self._replicas, self._wanted, self._clock = replicas, wanted, clock

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        """Serve a stream of purpose "replica"; a newer one of the same owner takes its place."""
        if not self._wanted(peer):
            return await say(writer, Word("refused", {"why": "the zone here names another standby"}))
        kept = self._replicas.kept(peer)
        while kept.stream and not kept.stream.done():  # a newer one still may have come while we waited
            kept.stream.cancel()
            await asyncio.wait([kept.stream])
        stream = kept.stream = asyncio.create_task(
            _Stream(kept, reader, writer, self._wanted, self._clock).run(), name=f"replica of {peer}"
        )
        try:
            await asyncio.wait([stream])  # its end is told there
        except asyncio.CancelledError:  # the host ends; asyncio would tell of a task that was cancelled as of a fault
            stream.cancel()
        return None


class _Stream:
    def __init__(
        self,
        kept: Kept,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        wanted: Callable[[str], bool],
        clock: Callable[[], float],
    ) -> None:
        self._kept, self._reader, self._writer = kept, reader, writer
        self._wanted, self._clock = wanted, clock
        self._words: asyncio.Queue[Word | Exception] = asyncio.Queue(WORDS_AHEAD)
        self._database = ""

    async def run(self) -> None:
        kept = self._kept
        try:
            await self._greet(await hear(self._reader))
            reading = asyncio.create_task(self._read())
            kept.connected = True
            try:
                while True:
                    await self._serve(await self._batch())
            finally:
                kept.connected = False
                reading.cancel()
                kept.cut()
        except (Broken, Bad, OSError, TimeoutError, ValueError, KeyError, TypeError) as error:
            log.info("replica of %s: the stream ended: %s", kept.owner, error)
            with contextlib.suppress(Exception):
                await say(self._writer, Word("refused", {"why": str(error) or repr(error)}))
        finally:
            self._writer.close()

    async def _greet(self, hello: Word) -> None:
        if hello.do != "hello" or hello.about["version"] != VERSION:
            raise Broken("another version speaks there: bring both hosts to the same")
        self._database = str(hello.about["database"])
        replica = await self._kept.reopen()
        place = replica.place
        if place.whole and place.database not in ("", self._database):
            raise Broken(f"the replica here is of another database; look at {replica.folder}, move it away")
        log.info("replica of %s: the stream begins", self._kept.owner)
        known = place.whole and place.database == self._database
        await say(self._writer, packed("have", told(replica.reached) if known else None))

    async def _read(self) -> None:
        try:
            while True:
                await self._words.put(await hear(self._reader, SILENCE_SECONDS_MAX))
        except Exception as error:  # told by whoever takes the words
            await self._words.put(error)

    async def _batch(self) -> list[Word]:
        """Take what has come; records together, for they share a flush."""
        found = [await self._words.get()]
        while not self._words.empty():
            found.append(self._words.get_nowait())
        words: list[Word] = []
        for word in found:
            if isinstance(word, Exception):
                if words:
                    await self._serve(words)
                raise word
            words.append(word)
        return words

    async def _serve(self, words: list[Word]) -> None:
        """Do what was said, in order, as long as the zone wants it: whoever takes the place of an owner that was given
        up takes all that was acknowledged to it, so nothing more may be."""
        if not self._wanted(self._kept.owner):
            raise Broken("the zone here names another standby")
        self._kept.heard_at = self._clock()
        records = [word for word in words if word.do == "record"]
        if len(records) == len(words):
            return await self._take(words)
        for word in words:
            if word.do == "record":
                await self._take([word])
            else:
                await self._answer(word)
        return None

    async def _take(self, words: list[Word]) -> None:
        packed_ = [word.octets for word in words]
        found = [unpack(octets) for octets in packed_]
        self._kept.check_room()
        if found[0].kind == Kind.COPY:
            return await self._begin(words)
        await self._kept.run(lambda replica: replica.append(packed_, found))
        self._kept.tend()
        return await self._say_held()

    async def _begin(self, words: list[Word]) -> None:
        try:
            async with asyncio.timeout(LENT_SECONDS_MAX):
                await self._kept.settle()
        except TimeoutError:
            raise Broken("the replica is being read: a new copy cannot begin yet") from None
        first = words[0].octets
        await self._kept.run(lambda replica: replica.begin(self._database, first, unpack(first)))
        await say(self._writer, Word("ready"))
        if words[1:]:
            await self._take(words[1:])

    async def _answer(self, word: Word) -> None:
        match word.do:
            case "beat":
                self._kept.behind = int(word.about["behind"])
                await self._say_held()
            case "digests":
                octets, first = word.octets, int(word.about["first"])
                digests = [octets[at : at + DIGEST_OCTETS] for at in range(0, len(octets), DIGEST_OCTETS)]
                lacks = await self._kept.run(lambda replica: replica.lacks(first, digests))
                await say(self._writer, packed("lack", lacks))
            case "whole":
                await self._kept.end_copy(self._database)
                log.info("replica of %s: a copy is whole", self._kept.owner)
                self._kept.tend()
                await self._say_held()
            case _:
                raise Broken(f"{word.do} is not known here")

    async def _say_held(self) -> None:
        replica = self._kept.replica
        if replica and not replica.copying and replica.place.whole:
            await say(self._writer, packed("held", told(replica.reached)))
        else:
            await say(self._writer, Word("copying"))
