"""When something fails here, or the client goes away: nothing is lost, nothing is told that should not be."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import struct

import pytest

from spool.listeners import Listener
from store import StandbyBehind, StoreFull
from tests.spool.fake_door import FakeDoor, Talk, codes, open_door, talk

LETTER = "MAIL FROM:<a@b.test>\r\nRCPT TO:<alice@fabric.test>\r\nDATA\r\nSubject: hi\r\n\r\nhi\r\n.\r\n"


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (StoreFull("database or disk is full"), "451 4.3.1"),
        (StandbyBehind("the standby does not answer"), "451 4.3.1"),
        (OSError(errno.ENOSPC, "No space left on device"), "451 4.3.1"),
        (OSError(errno.EIO, "secret inside"), "451 4.3.0"),
        (RuntimeError("secret inside"), "451 4.3.0"),
        (ConnectionResetError("secret inside"), "451 4.3.0"),
    ],
)
async def test_a_fault_is_temporary_and_says_nothing(fault: Exception, status: str) -> None:
    door = FakeDoor()
    door.fault = fault
    async with open_door(door) as listener, talk(listener) as client:
        client.send(LETTER)
        replies = await client.replies(4)
        assert codes(replies)[3] == status
        assert "secret" not in replies[3] and "space" not in replies[3] and "Error" not in replies[3]
        door.fault = None
        client.send(LETTER)
        assert codes(await client.replies(4))[3] == "250 2.0.0", "recovers without a restart"


async def test_a_fault_in_any_command_is_temporary(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FakeDoor):
        def sender(self, *_: object) -> None:  # type: ignore[override]
            raise OSError(errno.ENOSPC, "secret inside")

        def prove(self, *_: object) -> None:  # type: ignore[override]
            raise KeyError("secret inside")

    async with open_door(Broken()) as listener, talk(listener) as client:
        replies = await client.ask("MAIL FROM:<>", "XHELIOGRAPH host-2 proof", "NOOP")
        assert codes(replies) == ["451 4.3.1", "451 4.3.0", "250 2.0.0"]
        assert "secret" not in "".join(replies)
    assert "secret inside" in caplog.text, "the operator is told"


class Committing:
    """A door whose commits wait until the test lets them go on."""

    def __init__(self) -> None:
        self.door = FakeDoor()
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.door.accepting = self._wait

    async def _wait(self) -> None:
        self.begun.set()
        await self.may_end.wait()


async def begin(listener: Listener, committing: Committing) -> Talk:
    client = Talk(*await asyncio.open_connection("127.0.0.1", listener.port))
    await client.reply()
    await client.ask("EHLO me")
    client.send(LETTER)
    await committing.begun.wait()
    return client


async def letters(door: FakeDoor, count: int) -> None:
    while len(door.letters) < count:  # noqa: ASYNC110
        await asyncio.sleep(0.001)


async def test_fin_does_not_cancel_a_commit() -> None:
    committing = Committing()
    async with open_door(committing.door) as listener:
        client = await begin(listener, committing)
        client.writer.write_eof()
        await asyncio.sleep(0.02)
        committing.may_end.set()
        assert codes(await client.replies(4))[3] == "250 2.0.0", "who only stopped sending still hears it"
        assert await client.rest() == []
    assert len(committing.door.letters) == 1


async def test_a_reset_connection_does_not_cancel_a_commit() -> None:
    committing = Committing()
    async with open_door(committing.door) as listener:
        client = await begin(listener, committing)
        connection: socket.socket = client.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.writer.transport.abort()
        await asyncio.sleep(0.02)
        committing.may_end.set()
        await letters(committing.door, 1)


async def test_closing_waits_for_a_commit_and_says_good_bye_to_the_idle() -> None:
    committing = Committing()
    async with open_door(committing.door) as listener, talk(listener) as idle:
        client = await begin(listener, committing)
        closing = asyncio.create_task(listener.close())
        assert codes([await idle.reply()]) == ["421 4.3.2"]
        assert await idle.rest() == []
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", listener.port)
        assert not closing.done()
        committing.may_end.set()
        assert codes(await client.replies(5))[3:] == ["250 2.0.0", "421 4.3.2"]
        await closing


async def test_a_client_that_leaves_in_the_middle_leaves_nothing() -> None:
    door = FakeDoor()
    async with open_door(door) as listener:
        for sent in ("MAIL FR", "MAIL FROM:<>\r\n", LETTER[:-5]):
            async with talk(listener) as client:
                client.send(sent)
                client.writer.write_eof()
                await client.rest()
        async with talk(listener) as client:
            assert codes(await client.ask("NOOP")) == ["250 2.0.0"]
    assert door.letters == []


async def test_a_log_line_cannot_be_forged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "heliograph.smtp")
    door = FakeDoor()
    async with open_door(door) as listener, talk(listener, hello="EHLO red\xa1") as client:
        client.send("MAIL FROM:<a\r@b.test>\r\n", "MAIL FROM:<\x1b[31mred@b.test>\r\n", 'MAIL FROM:<"a b"@b.test>\r\n')
        client.send("RCPT TO:<nobody@fabric.test\x07>\r\n", "RCPT TO:<alice@fabric.test>\r\nDATA\r\n\r\n.\r\n")
        await client.replies(7)
    messages = [record.getMessage() for record in caplog.records if record.name == "heliograph.smtp"]
    assert len(messages) == 4, "one line for each message and each refusal"
    assert all(message.isprintable() and message.isascii() for message in messages)
    assert "553 5.1.7" in messages[0] and "octets=2: 250 2.0.0" in messages[-1]
