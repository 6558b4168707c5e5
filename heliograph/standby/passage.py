"""The owner's end of one stream to its standby: finds where the standby is, brings it there, then sends each commit.

Law: a commit counts as held when the standby has said so of it or of a later one. Where the standby's place is not in
our log any more, everything is compared, and what differs is sent: checkpoints are held meanwhile, so the file stands
still and the log has the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator

from heliograph.moving.frames import Broken, Word, hear, say
from heliograph.standby.place import position
from heliograph.standby.progress import Progress
from heliograph.standby.record import copied, copy_begins, of_span
from heliograph.standby.replica import CHUNK_OCTETS, digest
from heliograph.standby.words import BEAT_SECONDS, SILENCE_SECONDS_MAX, VERSION
from store.shipping import SPAN_OCTETS_MAX, Held, Shipment, Shipping
from store.wal import Position, Span

log = logging.getLogger("heliograph.standby")

CHUNKS_AT_ONCE = 64  # 16 MB: read, compared and kept until it is known which are sent


class Passage:
    """One stream. `back`: called when the standby is in step again."""

    def __init__(
        self,
        shipping: Shipping,
        database: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        progress: Progress,
        back: Callable[[], object],
        clock: Callable[[], float],
    ) -> None:
        self._shipping, self._database = shipping, database
        self._reader, self._writer = reader, writer
        self._progress, self._back, self._clock = progress, back, clock
        self._at: Position | None = None  # what was sent
        self._held: Position | None = None  # what the standby said last that it holds
        self._page_octets = 0
        self._live = False  # commits are passed on as they happen
        self._on_their_way: deque[tuple[int, Position, float]] = deque()  # commits that are not known to be held
        self._queue: deque[tuple[Shipment, float]] = deque()
        self._bell = asyncio.Event()
        self._answers: asyncio.Queue[Word] = asyncio.Queue(1)

    @property
    def octets_waiting(self) -> int:
        """Roughly how much was committed and is not sent yet."""
        return sum(_octets(shipment) for shipment, _ in self._queue)

    async def run(self) -> None:
        """Send until the stream breaks: raise Broken or OSError."""
        await say(self._writer, Word("hello", {"version": VERSION, "database": self._database.hex()}))
        have = await hear(self._reader)
        if have.do != "have":
            raise Broken(have.about.get("why", have.do))
        tasks = [asyncio.create_task(work) for work in (self._listen(), self._send_all(have), self._beat())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _beat(self) -> None:
        """Say that we are here, and how much waits."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            await say(self._writer, Word("beat", {"behind": self.octets_waiting}))

    # --- sending

    async def _send_all(self, have: Word) -> None:
        there = position(have.value) if have.value is not None else None
        if there is None or not await self._go_on(there):
            held = await self._hold()
            await self._copy(held)
            self._at = Position(held.position.salts, 0, bytes(8))
            await self._catch_up(held)
            await say(self._writer, Word("whole"))
        while True:
            await self._send_live()
            await self._catch_up(await self._hold())

    async def _go_on(self, there: Position) -> bool:
        """Go on from where the standby is, if everything since then can be read."""
        self._at = self._held = there
        shipment = await self._go_live(there)
        if shipment.spans is not None:
            await self._send(shipment, self._clock())
            return True
        held = await self._hold()  # which may be when the log begins anew
        if shipment.is_lost or not held.goes_on_from(there):
            self._at = self._held = None
            return False
        await self._catch_up(held)
        return True

    async def _hold(self) -> Held:
        held = await asyncio.wrap_future(self._shipping.hold())
        self._page_octets = held.wal.page_octets
        if self._shipping.is_too_long(held):
            raise Broken("the log has grown too long meanwhile: everything is compared again")
        return held

    async def _copy(self, held: Held) -> None:
        """Send the file, as far as it differs."""
        progress, octets_all = self._progress, held.wal.file_octets()
        step = held.wal.page_octets
        progress.phase, progress.pages, progress.pages_done = "copying", octets_all // step, 0
        base = Position(held.position.salts, 0, bytes(8))
        begun = copy_begins(base, step, octets_all // step, self._clock())
        await self._ask(Word("record", {}, begun.pack()), "ready")
        batch = CHUNKS_AT_ONCE * CHUNK_OCTETS
        for offset in range(0, octets_all, batch):
            chunks, digests = await asyncio.to_thread(_read_chunks, held, offset, min(batch, octets_all - offset))
            first = offset // CHUNK_OCTETS
            lack = await self._ask(Word("digests", {"first": first}, b"".join(digests)), "lack")
            for number in lack.value:
                page = (first + number) * CHUNK_OCTETS // step
                await self._say_record(copied(begun, page, chunks[number]).pack())
            progress.pages_done = (offset + len(chunks) * CHUNK_OCTETS) // step
            await self._hold()  # only to see how long the log is by now

    async def _catch_up(self, held: Held) -> None:
        """Send from the log until little is left, then have every commit passed on as it happens."""
        self._live, self._progress.phase = False, "catching up"
        while True:
            assert self._at is not None
            spans = _spans(held, self._at)
            while span := await asyncio.to_thread(next, spans, None):
                await self._send_span(span, self._clock())
            self._shipment_now(held.number, self._clock())
            shipment = await self._go_live(self._at)
            if shipment.spans is not None:
                return await self._send(shipment, self._clock())
            held = await self._hold()

    async def _send_live(self) -> None:
        """Send commits as they happen, until they are too many."""
        self._live = True
        self._note_step()
        while True:
            await self._bell.wait()
            self._bell.clear()
            while self._queue:
                shipment, at = self._queue.popleft()
                if shipment.spans is None:
                    if shipment.is_lost:
                        raise Broken("a commit could not be read from the log")
                    return
                await self._send(shipment, at)
                self._shipping.sent(_octets(shipment))

    async def _go_live(self, there: Position) -> Shipment:
        loop = asyncio.get_running_loop()
        take = self._take
        live = self._shipping.go_live(there, lambda shipment: loop.call_soon_threadsafe(take, shipment))
        shipment = await asyncio.wrap_future(live)
        self._page_octets = self._shipping.page_octets
        return shipment

    def _take(self, shipment: Shipment) -> None:
        self._queue.append((shipment, self._clock()))
        self._bell.set()

    async def _send(self, shipment: Shipment, at: float) -> None:
        for span in shipment.spans or ():
            await self._send_span(span, at)
        self._shipment_now(shipment.number, at)

    async def _send_span(self, span: Span, at: float) -> None:
        await self._say_record(of_span(span, self._page_octets, at).pack())
        self._at = span.after

    async def _say_record(self, octets: bytes) -> None:
        self._progress.octets += len(octets)
        await say(self._writer, Word("record", {}, octets))

    def _shipment_now(self, number: int, at: float) -> None:
        """All of a commit was sent; one that changed nothing is held with the last that did."""
        assert self._at is not None
        self._on_their_way.append((number, self._at, at))
        if self._held == self._at:
            self._note_held(self._at)

    # --- and hearing

    async def _ask(self, word: Word, expected: str) -> Word:
        await say(self._writer, word)
        answer = await self._answers.get()
        if answer.do != expected:
            raise Broken(f"to {word.do} the answer was {answer.do}")
        return answer

    async def _listen(self) -> None:
        while True:
            word = await hear(self._reader, SILENCE_SECONDS_MAX)
            match word.do:
                case "held":
                    self._note_held(position(word.value))
                case "refused":
                    raise Broken(word.about.get("why", "refused"))
                case "copying":
                    pass
                case _:
                    await self._answers.put(word)

    def _note_held(self, there: Position) -> None:
        """Everything up to the last commit that ended there is held, with those after it that changed nothing."""
        self._held = there
        known = [n for n, (_, after, _) in enumerate(self._on_their_way) if after == there]
        if not known:
            return
        for _ in range(known[-1] + 1):
            number, _, self._progress.as_of = self._on_their_way.popleft()
        self._note_step()
        if self._shipping.held(number):
            self._back()

    def _note_step(self) -> None:
        if self._live and not self._on_their_way:
            self._progress.phase = "in step"


def _octets(shipment: Shipment) -> int:
    return sum(len(span.octets) for span in shipment.spans or ())


def _read_chunks(held: Held, offset: int, octets: int) -> tuple[list[bytes], list[bytes]]:
    read = held.wal.read_pages(offset, octets)
    chunks = [read[at : at + CHUNK_OCTETS] for at in range(0, len(read), CHUNK_OCTETS)]
    return chunks, [digest(chunk) for chunk in chunks]


def _spans(held: Held, at: Position) -> Iterator[Span]:
    return held.wal.read(at, held.position, SPAN_OCTETS_MAX)
