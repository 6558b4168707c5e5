"""XHELIOGRAPH: a host of the fabric proves who it is, against a nonce of this connection."""

from __future__ import annotations

from tests.spool.fake_door import FakeDoor, codes, open_door, talk


async def test_each_connection_has_its_own_nonce() -> None:
    door = FakeDoor()
    async with open_door(door) as listener, talk(listener, hello="") as one, talk(listener, hello="") as other:
        first, again = [(await one.ask("EHLO me"))[0].split()[-1] for _ in range(2)]
        second = (await other.ask("EHLO me"))[0].split()[-1]
        assert first == again != second and len(first) >= 32
        assert codes(await one.ask(f"XHELIOGRAPH host-2 {second}!")) == ["550 5.7.0"]
        assert codes(await one.ask(f"xheliograph host-2 {first}!")) == ["250 2.0.0"]
    assert door.proofs == [("host-2", first, f"{second}!"), ("host-2", first, f"{first}!")]


async def test_malformed_proofs_reach_nobody() -> None:
    door = FakeDoor()
    async with open_door(door) as listener, talk(listener) as client:
        replies = await client.ask("XHELIOGRAPH", "XHELIOGRAPH host-2", "XHELIOGRAPH a b c", "XHELIOGRAPH å b")
        assert codes(replies) == ["501 5.5.4"] * 4
    assert door.proofs == []


async def test_only_hosts_doors_ask_for_it() -> None:
    async with open_door(FakeDoor(), "submission") as listener, talk(listener, hello="") as client:
        assert "XHELIOGRAPH" not in (await client.ask("EHLO me"))[0]
        assert codes(await client.ask("XHELIOGRAPH host-2 x")) == ["500 5.5.2"]
