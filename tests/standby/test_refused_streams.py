"""What a standby does not take: records that are cut, altered, repeated or left out, and streams of nobody's."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph.moving.frames import Word, hear, packed, say
from heliograph.standby.place import position
from heliograph.standby.receiver import Receiver
from heliograph.standby.record import Bad, Kind, Record, unpack
from heliograph.standby.words import VERSION
from store.wal import Position
from tests.standby.pair import Pair

DATABASE = "ab" * 16
PAGE = 512
SALTS = b"saltsalt"


def commit(number: int, before: Position, pages: int = 3) -> Record:
    """One page of a commit."""
    after = Position(SALTS, before.frame + 1, struct.pack(">Q", number))
    frame = struct.pack(">II8s8s", number % 3 + 1, pages, SALTS, after.sum) + bytes([number % 256]) * PAGE
    return Record(Kind.FRAMES, PAGE, 0, pages, float(number), before, after, frame)


@given(st.integers(0, 10**9), st.binary(min_size=1, max_size=3))
def test_an_altered_record_is_none(at: int, octets: bytes) -> None:
    whole = commit(1, Position(SALTS, 0, bytes(8))).pack()
    place = at % len(whole)
    altered = whole[:place] + octets + whole[place + len(octets) :]
    if altered[: len(whole)] != whole:
        with pytest.raises(Bad):
            unpack(altered)
    with pytest.raises(Bad):
        unpack(whole[:place])


def test_a_record_that_cannot_be_is_none() -> None:
    start = Position(SALTS, 0, bytes(8))
    good = commit(1, start)
    assert unpack(good.pack()) == good
    for bad in (
        replace(good, page_octets=500),
        replace(good, octets=good.octets[:-1]),
        replace(good, after=good.after._replace(frame=9)),
        replace(good, octets=b""),
        replace(good, kind=9),  # type: ignore[arg-type]
        replace(good, kind=Kind.COPY),
        replace(good, kind=Kind.PAGES, octets=bytes(PAGE)),
    ):
        with pytest.raises(Bad):
            unpack(bad.pack())


class Owner:
    """What speaks as an owner does."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.at = Position(SALTS, 0, bytes(8))

    async def greet(self, database: str = DATABASE, version: int = VERSION) -> Word:
        await say(self.writer, Word("hello", {"version": version, "database": database}))
        return await hear(self.reader, 10)

    async def put(self, octets: bytes) -> Word:
        await say(self.writer, Word("record", {}, octets))
        return await hear(self.reader, 10)

    async def copy(self) -> None:
        """A database of three pages."""
        begun = Record(Kind.COPY, PAGE, 0, 3, 1.0, self.at, self.at, b"")
        assert (await self.put(begun.pack())).do == "ready"
        pages = replace(begun, kind=Kind.PAGES, octets=bytes(3 * PAGE))
        assert (await self.put(pages.pack())).do == "copying"
        await say(self.writer, Word("whole"))
        assert (await hear(self.reader, 10)).do == "held"

    async def commit(self, number: int) -> Record:
        record = commit(number, self.at)
        answer = await self.put(record.pack())
        assert answer.do == "held" and position(answer.value) == record.after
        self.at = record.after
        return record


async def owner(pair: Pair) -> Owner:
    return Owner(*await pair.wire.open("host-2", "replica"))


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


BREAKS: dict[str, Callable[[Record, Record], bytes]] = {
    "repeated": lambda first, then: first.pack(),
    "left out": lambda first, then: commit(9, then.after).pack(),
    "altered": lambda first, then: then.pack()[:-1] + b"x",
    "cut": lambda first, then: then.pack()[:-1],
    "of another log": lambda first, then: replace(then, before=then.before._replace(salts=b"othersal")).pack(),
    "pages without a copy": lambda first, then: replace(
        then, kind=Kind.PAGES, after=then.before, octets=bytes(PAGE)
    ).pack(),
    "nothing": lambda first, then: b"",
}


@pytest.mark.parametrize("what", BREAKS)
async def test_what_does_not_go_on_ends_the_stream(pair: Pair, what: str) -> None:
    await pair.wire.start()
    first_owner = await owner(pair)
    assert (await first_owner.greet()).value is None
    await first_owner.copy()
    first = await first_owner.commit(1)
    then = commit(2, first.after)
    answer = await first_owner.put(BREAKS[what](first, then))
    assert answer.do == "refused"
    again = await owner(pair)
    assert position((await again.greet()).value) == first.after
    again.at = first.after
    assert (await again.commit(2)).after == then.after
    async with pair.replicas.lend("host-1") as path:
        assert path.read_bytes() == bytes(PAGE) + b"\x01" * PAGE + b"\x02" * PAGE
    await pair.wire.close()
    await pair.replicas.close()


async def test_who_may_not_speak(pair: Pair) -> None:
    await pair.wire.start()
    assert "version" in (await (await owner(pair)).greet(version=99)).about["why"]
    for hello in (Word("record", {}, b"x"), Word("hello", {}), packed("hello", [1])):
        one = await owner(pair)
        await say(one.writer, hello)
        assert (await hear(one.reader, 10)).do == "refused"
    one = await owner(pair)
    one.writer.write(b"\x00" * 100_000)
    assert (await hear(one.reader, 10)).do == "refused"
    one = await owner(pair)
    await one.greet()
    await one.copy()
    assert "another database" in (await (await owner(pair)).greet("cd" * 16)).about["why"]
    pair.wire._receiver = Receiver(pair.replicas, lambda name: False)
    assert "another standby" in (await hear((await owner(pair)).reader, 10)).about["why"]
    await pair.wire.close()
    await pair.replicas.close()


async def test_who_was_given_up_is_acknowledged_nothing_more(pair: Pair) -> None:
    """Its heir takes what is here; what came later would be in nobody's hands."""
    named = [True]
    pair.wire._receiver = Receiver(pair.replicas, lambda name: named[0])
    await pair.wire.start()
    one = await owner(pair)
    await one.greet()
    await one.copy()
    first = await one.commit(1)
    named[0] = False
    assert (await one.put(commit(2, first.after).pack())).do == "refused"
    async with pair.replicas.lend("host-1") as path:
        assert path.read_bytes()[PAGE : 2 * PAGE] == b"\x01" * PAGE
        assert b"\x02" not in path.read_bytes()
    await pair.wire.close()
    await pair.replicas.close()


async def test_a_newer_stream_takes_the_place_of_an_older_one(pair: Pair) -> None:
    """The older one may be half dead: nobody has noticed yet."""
    await pair.wire.start()
    first = await owner(pair)
    await first.greet()
    await first.copy()
    await first.commit(1)
    second = await owner(pair)
    assert position((await second.greet()).value) == first.at
    second.at = first.at
    with pytest.raises(OSError):
        await first.commit(2)
        await first.commit(3)
    await second.commit(2)
    await pair.wire.close()
    await pair.replicas.close()


async def test_a_copy_that_does_not_end_is_none(pair: Pair) -> None:
    await pair.wire.start()
    first = await owner(pair)
    await first.greet()
    begun = Record(Kind.COPY, PAGE, 0, 3, 1.0, first.at, first.at, b"")
    assert (await first.put(begun.pack())).do == "ready"
    assert (await first.put(commit(1, first.at).pack())).do == "copying"
    first.writer.close()
    second = await owner(pair)
    assert (await second.greet()).value is None
    state = pair.replicas.state("host-1")
    assert state and not state.complete
    await second.copy()
    await second.commit(1)
    await pair.wire.close()
    await pair.replicas.close()
