"""What a stranger can make grow has an end, and he is told so."""

from __future__ import annotations

import asyncio
import tracemalloc

import pytest

from mail.loopback import is_loopback
from spool.lobby import Lobby
from tests.spool.fake_door import FakeDoor, NoTransport, codes, open_door, quiet, session_on, settings, talk


async def test_recipients_beyond_the_limit_are_put_off() -> None:
    door = FakeDoor()
    async with open_door(door, recipients_max=10) as listener, talk(listener) as client:
        replies = await client.ask("MAIL FROM:<>", *[f"RCPT TO:<u{n}@fabric.test>" for n in range(15)], "DATA")
        assert codes(replies)[1:-1] == ["250 2.1.5"] * 10 + ["452 4.5.3"] * 5
        client.send("\r\n.\r\n")
        assert codes([await client.reply()]) == ["250 2.0.0"]
    assert len(door.letters[0][0].recipients) == 10


@pytest.mark.parametrize("name", ["u", "later", "slow"])
async def test_a_flood_of_recipients_ends_the_session(name: str) -> None:
    async with open_door(FakeDoor(), recipients_max=10) as listener, talk(listener) as client:
        client.send("MAIL FROM:<>\r\n", f"RCPT TO:<{name}@fabric.test>\r\n" * 200_000)
        replies = await client.rest()
        assert replies[-1] == "421 4.7.0 Too many errors" and len(replies) <= 23


async def test_twenty_errors_end_the_session() -> None:
    async with open_door(FakeDoor()) as listener, talk(listener) as client:
        client.send("MAIL FROM:<>\r\n", "RCPT TO:<nobody@fabric.test>\r\n" * 100)
        assert codes(await client.rest()) == ["250 2.1.0", *["550 5.1.1"] * 20, "421 4.7.0"]


async def test_an_accepted_message_forgives_errors() -> None:
    async with open_door(FakeDoor()) as listener, talk(listener) as client:
        for _ in range(3):
            await client.ask(
                "MAIL FROM:<>", "RCPT TO:<alice@fabric.test>", *["RCPT TO:<nobody@fabric.test>"] * 19, "DATA"
            )
            client.send("\r\n.\r\n")
            assert codes([await client.reply()]) == ["250 2.0.0"]


@pytest.mark.parametrize("command", ["NOOP", "RSET", "EHLO me", "VRFY a", "HELP", "MAIL FROM:<>\r\nRSET"])
async def test_a_hundred_thousand_commands_without_a_message(command: str) -> None:
    async with open_door(FakeDoor()) as listener, talk(listener) as client:
        client.send(f"{command}\r\n" * 100_000)
        replies = await client.rest()
        assert replies[-1] == "421 4.7.0 Too many commands without a message" and len(replies) < 1000


async def test_a_fabric_host_that_proved_itself_may_probe_as_often_as_it_likes() -> None:
    door = FakeDoor()
    async with open_door(door) as listener, talk(listener, hello="") as client:
        nonce = (await client.ask("EHLO host-2"))[0].split()[-1]
        assert codes(await client.ask(f"XHELIOGRAPH host-2 {nonce}!")) == ["250 2.0.0"]
        for _ in range(100):
            probe = await client.ask("MAIL FROM:<>", "RCPT TO:<nobody@fabric.test>", "RSET")
            assert codes(probe) == ["250 2.1.0", "550 5.1.1", "250 2.0.0"]


async def test_a_line_without_end_costs_no_memory() -> None:
    transport = NoTransport("127.0.0.1")
    session = await session_on(FakeDoor(), transport)
    piece = b"x" * 65_536
    tracemalloc.start()
    try:
        for _ in range(3200):  # 200 MB
            session.data_received(piece)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    session.data_received(b"\r\nNOOP\r\n")
    await quiet()
    assert codes(transport.written.decode().splitlines())[1:] == ["500 5.5.2", "250 2.0.0"]
    session.connection_lost(None)


async def test_long_lines() -> None:
    async with open_door(FakeDoor()) as listener, talk(listener) as client:
        longest = "NOOP " + "x" * 2041
        assert codes(await client.ask(longest, longest + "x", "NOOP")) == ["250 2.0.0", "500 5.5.2", "250 2.0.0"]


async def test_an_idle_client_is_told_good_bye() -> None:
    async with open_door(FakeDoor(), idle_seconds_max=0.05) as listener, talk(listener) as client:
        assert codes(await client.rest()) == ["421 4.4.2"]


async def test_a_dripping_client_is_an_idle_one() -> None:
    async with open_door(FakeDoor(), idle_seconds_max=0.2) as listener, talk(listener) as client:
        said = asyncio.create_task(client.rest())
        while not said.done():
            client.send("N")
            await asyncio.sleep(0.02)
        assert codes(await said) == ["421 4.4.2"]


async def test_a_busy_client_has_to_come_to_the_point() -> None:
    limits = {"command_seconds_max": 0.3, "idle_commands_max": 10**9}
    async with open_door(FakeDoor(), **limits) as listener, talk(listener) as client:
        said = asyncio.create_task(client.rest())
        while not said.done():
            client.send("NOOP\r\n")
            await asyncio.sleep(0.02)
        assert codes(await said)[-1] == "421 4.4.2"


async def test_a_dripping_message_has_an_end() -> None:
    door = FakeDoor()
    async with open_door(door, data_seconds_max=0.3) as listener, talk(listener) as client:
        await client.ask("MAIL FROM:<>", "RCPT TO:<alice@fabric.test>", "DATA")
        said = asyncio.create_task(client.rest())
        while not said.done():
            client.send("x")
            await asyncio.sleep(0.02)
        assert codes(await said) == ["421 4.4.2"]
    assert door.letters == []


async def test_a_slow_commit_is_not_the_clients_fault() -> None:
    door = FakeDoor()
    door.accepting = lambda: asyncio.sleep(0.3)
    async with open_door(door, idle_seconds_max=0.1, command_seconds_max=0.1) as listener, talk(listener) as client:
        client.send("MAIL FROM:<>\r\nRCPT TO:<alice@fabric.test>\r\nDATA\r\n\r\n.\r\nNOOP\r\n")
        assert codes(await client.replies(5))[3:] == ["250 2.0.0", "250 2.0.0"]


async def test_a_client_that_reads_nothing_is_cut_off() -> None:
    limits = {"idle_seconds_max": 0.3, "close_seconds_max": 0.3, "idle_commands_max": 10**9}
    lobby = Lobby(settings())
    async with open_door(FakeDoor(), lobby=lobby, **limits) as listener, talk(listener) as client:
        client.send("HELP\r\n" * 2_000_000)
        while lobby.crowd.count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_client_that_reads_no_replies_is_not_written_to() -> None:
    transport = NoTransport("127.0.0.1")
    session = await session_on(FakeDoor(), transport)
    session.pause_writing()
    transport.unread = 100_000
    for _ in range(10):
        session.data_received(b"NOOP\r\n")
        await quiet()
    assert transport.written.count(b"250") == 1
    session.resume_writing()
    await quiet()
    assert transport.written.count(b"250") == 10
    session.connection_lost(None)


async def test_what_arrives_during_a_commit_waits_in_the_kernel() -> None:
    door = FakeDoor()
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def commit() -> None:
        begun.set()
        await may_end.wait()

    door.accepting = commit
    async with open_door(door, idle_commands_max=10**9) as listener, talk(listener) as client:
        client.send("MAIL FROM:<>\r\nRCPT TO:<alice@fabric.test>\r\nDATA\r\n\r\n.\r\n")
        await begun.wait()
        client.send("NOOP\r\n" * 200_000)
        await asyncio.sleep(0.05)
        may_end.set()
        assert codes(await client.replies(200_004))[3:] == ["250 2.0.0"] * 200_001


async def test_connections_in_total() -> None:
    async with open_door(FakeDoor(), connections_max=2) as listener, talk(listener), talk(listener) as second:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        assert (await reader.read()).startswith(b"421 4.3.2")
        writer.close()
        await second.ask("QUIT")
        await second.rest()
        async with talk(listener) as third:
            assert codes(await third.ask("NOOP")) == ["250 2.0.0"]


async def test_connections_from_one_address() -> None:
    lobby = Lobby(settings(connections_per_address_max=2))
    for _ in range(3):
        assert lobby.enter("127.0.0.1") is None, "loopback is exempt"
    assert [lobby.enter("192.0.2.1") for _ in range(2)] == [None, None]
    refusal = lobby.enter("192.0.2.1")
    assert refusal is not None and refusal.startswith(b"421 4.7.0")
    assert lobby.enter("192.0.2.2") is None
    for _ in range(2):
        lobby.leave("192.0.2.1")
    assert lobby.enter("192.0.2.1") is None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.1", False),
        ("fe80::1%eth0", False),
        ("", False),
    ],
)
def test_loopback(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected
