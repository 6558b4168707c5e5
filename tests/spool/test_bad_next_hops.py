"""A next hop that hangs, greylists, closes or breaks TLS: the mail waits in its row, and comes once it may."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from spool.runner_settings import Timeouts
from tests.spool.queue_house import SETTINGS, House
from tests.spool.scripted_peer import Peer

IMPATIENT = replace(
    SETTINGS,
    timeouts=Timeouts(connect=0.5, greeting=0.5, command=0.3, group=0.5, data=0.3, block=0.3, dot=0.3, quit=0.1),
)

Hook = Callable[[str, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]


def once(verb: str, act: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> Hook:
    """Misbehave at the first such command, and be good from then on."""
    bad = [True]

    async def hook(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if bad[0] and line.startswith(verb):
            bad[0] = False
            await act(reader, writer)
            return True
        return False

    return hook


async def takes_and_says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"354 go\r\n")
    await reader.readuntil(b"\r\n.\r\n")
    await reader.read()  # until we give up


async def closes_after_data(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"354 go\r\n")
    await reader.readuntil(b"\r\n.\r\n")
    writer.close()


async def closes_at_data(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def breaks_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 go ahead\r\n")
    await reader.read(100)
    writer.write(b"\x15\x03\x01\x00\x02\x02\x28no TLS after all")
    writer.close()


async def never_shakes_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 go ahead\r\n")
    await reader.read()


async def test_a_stranger_that_takes_its_time_with_large_mail_holds_up_no_host_of_the_fabric(tmp_path: Path) -> None:
    async def mute(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        return line == "DATA" and not await reader.read(1)

    settings = replace(SETTINGS, large_octets=100, large_at_once=1, timeouts=Timeouts())
    async with Peer(hook=mute) as slow, Peer() as host, House(tmp_path, replace(settings, stop_seconds=0.1)) as house:
        house.fabric.ports = {"far.test": slow.port, "host-2": host.port}
        large = b"Subject: large\r\n\r\n" + b"x" * 500 + b"\r\n"
        await house.put("a@far.test", content=large)
        await house.until(lambda: "DATA" in slow.heard)
        await house.put("b@host-2", content=large)
        await house.until(lambda: host.recipients == ["b@host-2"], seconds=3)


@pytest.mark.parametrize(
    ("verb", "crime"),
    [
        ("DATA", takes_and_says_nothing),
        ("DATA", closes_after_data),
        ("DATA", closes_at_data),
        ("STARTTLS", breaks_tls),
        ("STARTTLS", never_shakes_hands),
    ],
)
async def test_it_is_tried_again_and_comes_whole(
    tmp_path: Path, verb: str, crime: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> None:
    features = ("PIPELINING", "8BITMIME", "STARTTLS") if verb == "STARTTLS" else ("PIPELINING", "8BITMIME")
    async with Peer(features=features, hook=once(verb, crime)) as peer, House(tmp_path, IMPATIENT) as house:
        house.fabric.ports = {"b.test": peer.port}
        await house.put("x@b.test", "y@b.test")
        await house.empty()
        assert sorted(peer.recipients) == ["x@b.test", "y@b.test"]
        assert not house.events("bounced") and peer.connections > 1


async def test_a_greylist_is_waited_out_by_each_row_for_itself(tmp_path: Path) -> None:
    tries: dict[str, int] = {}

    def grey(address: str) -> str:
        tries[address] = tries.get(address, 0) + 1
        return (
            "250 Ok" if tries[address] > 1 or address.startswith("known") else "450 4.7.1 greylisted, come back later"
        )

    async with Peer(rcpt=grey) as peer, House(tmp_path, IMPATIENT) as house:
        house.fabric.ports = {"b.test": peer.port}
        await house.put("known@b.test", "new@b.test")
        await house.empty()
        assert peer.recipients == ["known@b.test", "new@b.test"] and tries == {"known@b.test": 1, "new@b.test": 2}
