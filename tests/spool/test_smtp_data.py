"""The message itself: where it ends, what it may hold, how large it may be."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.headers import HEADER_BLOCK_OCTETS_MAX
from mail.outcome import Deferred, Refused
from spool.data_reader import BARE_LINE_END, HEADERS_TOO_LARGE, HOLDS_NUL, LOOP, NO_ROOM, DataReader, Room, fault_of
from spool.lobby import Lobby
from tests.spool.fake_door import FakeDoor, codes, open_door, settings, talk

END = b"\r\n.\r\n"
SMUGGLERS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r.\r\n",
    b"\r.\r",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\n.\r",
    b"\r\n\0.\r\n",
    b"\r\r\n.\r\r\n",
]

Result = tuple[bytes | Refused | Deferred, bytes]


def read(wire: bytes, cuts: list[int] | None = None, octets_max: int = 10_000) -> Result:
    """Feed a message cut at these places; return it and what follows it."""
    places = [0, *sorted(cuts or []), len(wire)]
    reader = DataReader(octets_max, Room(10**8))
    rest = None
    for start, end in itertools.pairwise(places):
        rest = reader.feed(wire[start:end]) if rest is None else rest + wire[start:end]
    assert rest is not None
    return reader.finish(), rest


def stuffed(content: bytes) -> bytes:
    """RFC 5321 4.5.2, as a client does it."""
    return b"".join(b"." + line if line.startswith(b".") else line for line in content.splitlines(keepends=True))


lines = st.lists(st.sampled_from([b"", b".", b"..", b". ", b"a", b"a.b", b"\xff", b"x: y"]), max_size=8)


@given(lines, st.lists(st.integers(0, 60), max_size=6), st.sampled_from([b"", b"NOOP\r\n", END, b"\r\n"]))
def test_a_message_is_what_was_sent_however_it_was_cut(text: list[bytes], cuts: list[int], after: bytes) -> None:
    content = b"".join(line + b"\r\n" for line in text)
    wire = stuffed(content) + b".\r\n" + after
    assert read(wire, [cut for cut in cuts if cut < len(wire)]) == (content, after)


@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\0", END]), max_size=20), st.data())
def test_any_octets_are_cut_alike(parts: list[bytes], data: st.DataObject) -> None:
    wire = b"".join(parts) + END
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=8))
    assert read(wire, cuts) == read(wire)


@pytest.mark.parametrize("ending", SMUGGLERS)
async def test_nothing_but_crlf_dot_crlf_ends_a_message(ending: bytes) -> None:
    """The smuggled transaction stays part of a message, which is refused."""
    door = FakeDoor()
    smuggled = b"MAIL FROM:<eve@fabric.test>\r\nRCPT TO:<bob@fabric.test>\r\nDATA\r\nSubject: eve\r\n\r\n"
    async with open_door(door) as listener, talk(listener) as client:
        await client.ask("MAIL FROM:<a@b.test>", "RCPT TO:<alice@fabric.test>", "DATA")
        client.send(b"Subject: hi\r\n\r\ntext", ending, smuggled, END, b"NOOP\r\n")
        assert codes(await client.replies(2)) == ["550 5.6.0", "250 2.0.0"]
    assert door.letters == []


@pytest.mark.parametrize("content", [b"a\nb\r\n", b"a\rb\r\n", b"\n\r\n", b"a: b\r\n\r\n\r\r\n"])
def test_a_bare_cr_or_lf_is_refused(content: bytes) -> None:
    assert read(content + b".\r\n")[0] == BARE_LINE_END


def test_nul_is_refused() -> None:
    assert fault_of(b"a: b\r\n\r\n\0\r\n") == HOLDS_NUL


def test_the_size_counts_what_is_stored() -> None:
    dots = b".\r\n" * 100
    assert read(stuffed(dots) + b".\r\n", octets_max=300)[0] == dots
    refused, rest = read(stuffed(dots) + b".\r\nQUIT\r\n", octets_max=299)
    assert isinstance(refused, Refused) and refused.code == 552 and rest == b"QUIT\r\n"


def test_what_is_too_much_is_not_kept() -> None:
    reader = DataReader(1000, Room(1_000_000))
    for _ in range(39):
        assert reader.feed(b"x" * 100) is None
    assert len(reader._raw) < 10 and not reader.is_endless
    for _ in range(20):
        reader.feed(b"x" * 100)
    assert reader.is_endless


def test_memory_for_all_messages_together_is_bounded_and_given_back() -> None:
    room = Room(1000)
    first, second = DataReader(10_000, room), DataReader(10_000, room)
    first.feed(b"x" * 900)
    second.feed(b"y" * 200)
    assert second.feed(END) == b"" and second.finish() == NO_ROOM
    first.close()
    third = DataReader(10_000, room)
    third.feed(b"z" * 900)
    assert third.feed(END) == b"" and third.finish() == b"z" * 900 + b"\r\n"


def test_headers_have_a_limit_text_has_not() -> None:
    line = b"X: " + b"a" * 994 + b"\r\n"
    many = line * (HEADER_BLOCK_OCTETS_MAX // len(line) + 1)
    assert fault_of(many + b"\r\ntext\r\n") == HEADERS_TOO_LARGE
    assert fault_of(many) == HEADERS_TOO_LARGE
    assert fault_of(b"X: a\r\n\r\n" + many) is None
    assert fault_of(b"\r\n" + many) is None


def test_a_message_that_has_come_too_far_is_in_a_loop() -> None:
    hops = b"Received: from a by b; date\r\n"
    assert fault_of(hops * 51 + b"\r\n") == LOOP
    assert fault_of(hops * 51) == LOOP
    assert fault_of(hops.upper() * 51 + b"\r\n") == LOOP
    assert fault_of(hops * 50 + b"\r\n" + hops * 9) is None
    assert fault_of(b"\r\n" + hops * 51) is None
    assert fault_of(b"X: \r\n received: no\r\n" * 60 + b"\r\n") is None


def test_a_message_of_tiny_lines_is_a_few_chunks() -> None:
    """aiosmtpd's line-at-a-time reading took 52 seconds of CPU and 1.8 GB for such a one of 33 MB."""
    content = b"x: y\r\n\r\n" + (b"a\r\n" * 999 + b".\r\n") * 2000
    wire = content.replace(b"\r\n.", b"\r\n..") + b".\r\n"
    assert read(wire, list(range(0, len(wire), 65_536)), octets_max=10**7) == (content, b"")


async def test_oversize_is_told_at_mail_and_after_data() -> None:
    door = FakeDoor()
    async with open_door(door, message_octets_max=100) as listener, talk(listener) as client:
        assert codes(await client.ask("MAIL FROM:<> SIZE=101", "MAIL FROM:<> SIZE=100")) == ["552 5.3.4", "250 2.1.0"]
        await client.ask("RCPT TO:<alice@fabric.test>", "DATA")
        client.send("x" * 300, "\r\n.\r\nNOOP\r\n")
        assert codes(await client.replies(2)) == ["552 5.3.4", "250 2.0.0"]
    assert door.letters == []


async def test_too_much_mail_at_once_is_put_off_and_the_room_is_free_again() -> None:
    door = FakeDoor()
    lobby = Lobby(settings(octets_in_flight_max=300_000))
    async with open_door(door, lobby=lobby) as listener, talk(listener) as slow, talk(listener) as other:
        for client in (slow, other):
            await client.ask("MAIL FROM:<>", "RCPT TO:<alice@fabric.test>", "DATA")
        slow.send("x: y\r\n\r\n" + "x" * 200_000)
        await slow.writer.drain()
        while lobby.room._left > 100_000:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        other.send("x: y\r\n\r\n" + "x" * 200_000, "\r\n.\r\n")
        assert codes([await other.reply()]) == ["452 4.3.1"]
        slow.send("\r\n.\r\n")
        assert codes([await slow.reply()]) == ["250 2.0.0"]
        assert lobby.room._left == 300_000


async def test_who_leaves_in_the_middle_of_a_message_gives_the_room_back() -> None:
    lobby = Lobby(settings(octets_in_flight_max=300_000))
    async with open_door(FakeDoor(), lobby=lobby) as listener, talk(listener) as client:
        await client.ask("MAIL FROM:<>", "RCPT TO:<alice@fabric.test>", "DATA")
        client.send("x" * 200_000)
        while lobby.room._left > 100_000:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        client.writer.write_eof()
        await client.rest()
        assert lobby.room._left == 300_000


async def test_a_message_that_does_not_end_ends_the_session() -> None:
    async with open_door(FakeDoor(), message_octets_max=10_000) as listener, talk(listener) as client:
        await client.ask("MAIL FROM:<>", "RCPT TO:<alice@fabric.test>", "DATA")
        client.send("x" * 10_000_000)
        assert codes([await client.reply()]) == ["421 4.3.1"]
