"""A mail server that means harm: no line, literal, flood or silence of its costs more than its own mailbox."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from ingest.mailboxes import visit
from ingest.mailboxes.client import Client
from ingest.mailboxes.place import BadPlace, place_of
from ingest.mailboxes.said import body_of
from ingest.mailboxes.wire import Response
from tests.ingest.conftest import MakeHost
from tests.ingest.far_server import FarServer, letter
from tests.ingest.test_mailboxes import far, look_again, reading, row, subjects

__all__ = ["far"]
MEGABYTE = 1 << 20


async def _pour(writer: asyncio.StreamWriter, octets: bytes, most: int) -> None:
    for _ in range(most // len(octets)):
        writer.write(octets)
        await writer.drain()


async def endless_line(writer: asyncio.StreamWriter, tag: str) -> None:
    await _pour(writer, b"x" * 65_536, 200 * MEGABYTE)


async def endless_lines(writer: asyncio.StreamWriter, tag: str) -> None:
    await _pour(writer, b"* 1 EXISTS\r\n" * 5_000, 200 * MEGABYTE)


async def endless_literals(writer: asyncio.StreamWriter, tag: str) -> None:
    await _pour(writer, b"* 1 FETCH ({1}\r\nx" + b" {1}\r\nx" * 5_000, 200 * MEGABYTE)


async def huge_literal(writer: asyncio.StreamWriter, tag: str) -> None:
    writer.write(b"* 1 FETCH (UID 1 BODY[] {4294967295}\r\n")
    await _pour(writer, b"x" * 65_536, 200 * MEGABYTE)


async def huger_literal(writer: asyncio.StreamWriter, tag: str) -> None:
    writer.write(b"* 1 FETCH (UID 1 BODY[] {" + b"9" * 4_000 + b"}\r\n")


async def nonsense(writer: asyncio.StreamWriter, tag: str) -> None:
    writer.write(b"\xff\xfe\0 {\r\n* SEARCH -1 99999999999999999999\r\n" + f"{tag} OK\r\n".encode())


async def another_tag(writer: asyncio.StreamWriter, tag: str) -> None:
    writer.write(b"h999 OK done\r\n")


async def farewell(writer: asyncio.StreamWriter, tag: str) -> None:
    writer.write(b"* BYE \x1b[2J enough\r\n")


Harm = Callable[[asyncio.StreamWriter, str], Awaitable[None]]
HARMS: list[Harm] = [
    endless_line,
    endless_lines,
    endless_literals,
    huge_literal,
    huger_literal,
    nonsense,
    another_tag,
    farewell,
]


WHEN = [(harm, "UID FETCH") for harm in HARMS] + [(harm, "IDLE") for harm in (endless_lines, another_tag, farewell)]


@pytest.mark.parametrize(("harm", "command"), WHEN, ids=lambda each: getattr(each, "__name__", each))
async def test_a_hostile_answer_ends_its_connection(
    make_host: MakeHost, far: FarServer, harm: Harm, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visit, "Client", partial(Client, seconds=0.3))

    async def says(server: FarServer, line: str, writer: asyncio.StreamWriter) -> bool:
        tag, _, said = line.partition(" ")
        if not said.startswith(command):
            return False
        await harm(writer, tag)
        return True

    far.says = says
    far.add(letter(1))
    tracemalloc.start()
    host = await reading(make_host, far)
    await host.until(lambda: far.connections and row(host).last_at and far.now == far.idling)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 20 * MEGABYTE
    assert "\x1b" not in row(host).last_answer and len(row(host).last_answer) < 300
    far.says = None
    far.add(letter(2))
    await look_again(host)
    await host.until(lambda: subjects(host)[-1:] == ["Letter 2"])
    if harm is not nonsense:  # which says that there is no first one
        assert "Letter 1" in subjects(host) or "larger than its server says" in host.posts[0].text


async def test_one_that_drips_holds_up_nobody(
    make_host: MakeHost, far: FarServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visit, "LOOK_SECONDS_MAX", 0.5)

    async def drips(server: FarServer, line: str, writer: asyncio.StreamWriter) -> bool:
        if "EXAMINE" not in line or server.connections > 1:
            return False
        while True:
            writer.write(b"* 1 EXISTS\r\n")
            await asyncio.sleep(0.02)

    far.says = drips
    far.add(letter(1))
    host = await reading(make_host, far)
    await host.until(lambda: "EXAMINE" in " ".join(far.asked))
    await host.until(lambda: row(host).errors == 1)
    assert "too slow" in row(host).last_answer
    await look_again(host)
    assert subjects(host) == ["Letter 1"]


async def test_what_the_server_will_not_give_is_told_of_in_the_end(make_host: MakeHost, far: FarServer) -> None:
    async def will_not(server: FarServer, line: str, writer: asyncio.StreamWriter) -> bool:
        if "UID FETCH 1 (UID BODY.PEEK[])" not in line:
            return False
        writer.write(f"{line.partition(' ')[0]} NO [SERVERBUG] broken mail\r\n".encode())
        return True

    far.says, far.idle = will_not, False
    far.add(letter(1), letter(2))
    host = await reading(make_host, far)
    for _ in range(3):
        await host.until(lambda: row(host).last_at == host.now)
        assert host.posts == [] and "broken mail" in row(host).last_answer
        host.now = row(host).next_due
        host.poller.wake()
    await host.until(lambda: subjects(host) == ["Not shown: Letter 1", "Letter 2"])
    await host.until(lambda: row(host).errors == 0)


@pytest.mark.parametrize(
    "text",
    [
        "imap://a@h/x",
        "https://a@h/",
        "imaps://a:b@h/x",
        "imaps://h/x",
        "imaps://@h/x",
        "imaps://a@/x",
        "imaps://a@h:x/x",
        "imaps://a@h:0x/x",
        "imaps://a%0d%0ab@h/x",
        "imaps://a@h/x%00",
        "imaps://a@h/" + "x" * 300,
        "imaps://a@h/x?y",
        "imaps://a@h h/x",
        "imaps://a@-h-/x",
        "imaps://a@[::1/x",
        "imaps://a@h/x\r\ny",
        "",
    ],
)
def test_what_is_no_folders_address(text: str) -> None:
    with pytest.raises(BadPlace):
        place_of(text)


def test_a_folders_address_is_written_as_it_is_read() -> None:
    for text in (
        "imaps://alice@mail.example/INBOX",
        "imaps://a%40b@[2001:db8::1]:1993/Lists/Gr%C3%B6%C3%9Fe%20%26%20x",
    ):
        assert place_of(text).text == text and place_of(place_of(text).text) == place_of(text)
    assert place_of("IMAPS://a@b@2130706433").text == "imaps://a%40b@127.0.0.1/INBOX"


def test_a_line_of_beginnings_is_read_in_one_pass() -> None:
    """Each began a search to the end of the line: 260 KB of them kept the host from everything else for six seconds."""
    assert body_of(Response((b"* 1 FETCH (UID 1 " + b"BODY[(" * 4_000_000,))) is None
    answer = Response((rb'* 1 FETCH (UID 1 BODY[HEADER.FIELDS (FROM SUBJECT DATE)] "a\"b")',))
    assert body_of(answer) == b'a"b'


async def test_a_letter_larger_than_its_server_says_is_told_of_and_passed(make_host: MakeHost, far: FarServer) -> None:
    async def lies(server: FarServer, line: str, writer: asyncio.StreamWriter) -> bool:
        if "UID FETCH 1 (UID BODY.PEEK[])" not in line:
            return False
        await huge_literal(writer, "")
        return True

    far.says, far.idle = lies, False
    far.add(letter(1), letter(2))
    host = await reading(make_host, far)
    await host.until(lambda: row(host).errors == 1)
    assert "larger than its server says" in host.posts[0].text
    await look_again(host)
    assert subjects(host)[1:] == ["Letter 2"]
