"""The server over real sockets, asked by dnspython and attacked by nobody in particular."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator

import dns.asyncquery
import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.xfr
import dns.zone
import pytest

from directory import server as server_module
from directory import wire
from directory.answers import Answers
from directory.rate import RateLimit
from directory.reception import Rights
from directory.render import render_zone
from directory.server import DnsServer
from directory.transfer_out import transfer
from directory.tsig import Key
from directory.zone_text import read_zone
from tests.directory import fabricated
from tests.directory.fabricated import until


class Town:
    """A server on 127.0.0.1, what it may, and who rang."""

    def __init__(self, limit: RateLimit | None = None) -> None:
        self.rung: list[str] = []
        self.guests = {"127.0.0.1"}
        rights = Rights(lambda source, key: source in self.guests, self.notified)
        self.server = DnsServer("127.0.0.1", 0, rights, limit or RateLimit(0, 0))

    def notified(self, source: str, key: Key | None) -> bool:
        self.rung.append(source)
        return source == "127.0.0.1"

    async def udp(self, query: dns.message.Message, **more: object) -> dns.message.Message:
        return await dns.asyncquery.udp(query, "127.0.0.1", port=self.server.port, timeout=5, **more)  # type: ignore[arg-type]

    async def tcp(self, query: dns.message.Message, **more: object) -> dns.message.Message:
        return await dns.asyncquery.tcp(query, "127.0.0.1", port=self.server.port, timeout=5, **more)  # type: ignore[arg-type]

    async def transfer(self, rtype: str = "AXFR", serial: int = 0, zone: str = "fabric.test") -> dns.zone.Zone:
        """Transfer with dnspython, in a thread: its own reader judges the messages."""

        def work() -> dns.zone.Zone:
            messages = dns.query.xfr(
                "127.0.0.1", zone, rtype, port=self.server.port, serial=serial, relativize=False, timeout=5
            )
            return dns.zone.from_xfr(messages, relativize=False)

        return await asyncio.to_thread(work)


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    town = Town()
    await town.server.start()
    town.server.serve(Answers(fabricated.zone()))
    yield town
    await town.server.stop()


MX = dns.message.make_query("b1.timeline.fabric.test", "MX")


async def test_a_resolver_finds_the_host_of_a_bucket(town: Town) -> None:
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], town.server.port
    answer = await resolver.resolve("b7.timeline.fabric.test", "MX")
    assert [str(mx.exchange) for mx in answer] == ["host-3.fabric.test."]
    with pytest.raises(dns.asyncresolver.NXDOMAIN):
        await resolver.resolve("b8.timeline.fabric.test", "MX")
    with pytest.raises(dns.asyncresolver.NoAnswer):
        await resolver.resolve("b7.timeline.fabric.test", "A")


async def test_udp_and_tcp_say_the_same(town: Town) -> None:
    assert (await town.udp(MX)).to_wire() == (await town.tcp(MX)).to_wire()


async def test_a_transfer_brings_the_whole_zone(town: Town) -> None:
    text = render_zone("fabric.test", 700, fabricated.hosts(), serial=77)
    zone = read_zone(text.encode(), "fabric.test").zone
    assert zone is not None
    town.server.serve(Answers(zone))
    query = dns.message.make_query("fabric.test", "AXFR").to_wire()
    messages = list(transfer(zone, query, wire.read_question(query)))
    assert len(messages) > 2 and max(map(len, messages)) <= 16_384  # as far as a compression pointer reaches
    for rtype in ("AXFR", "IXFR"):
        got = await town.transfer(rtype, serial=5)
        assert got == dns.zone.from_text(text, "fabric.test.", relativize=False)


async def test_an_ixfr_of_one_who_is_up_to_date_is_one_soa(town: Town) -> None:
    query, _ = dns.xfr.make_query(dns.zone.from_text(fabricated.text(), "fabric.test."), serial=10)
    answer = await town.tcp(query)
    assert len(answer.answer) == 1 and "SOA" in answer.answer[0].to_text()
    answer = await town.udp(query)  # RFC 1995 2: over UDP the SOA alone
    assert len(answer.answer) == 1 and "SOA" in answer.answer[0].to_text()


async def test_transfers_are_for_those_who_may(town: Town) -> None:
    town.guests.clear()
    with pytest.raises(dns.exception.DNSException):
        await town.transfer()
    refused = await town.tcp(dns.message.make_query("fabric.test", "AXFR"))
    assert refused.rcode() == dns.rcode.REFUSED
    assert (await town.tcp(dns.message.make_query("example.org", "AXFR"))).rcode() == dns.rcode.NOTAUTH


async def test_before_the_first_zone_it_says_so() -> None:
    town = Town()
    await town.server.start()
    assert (await town.udp(MX)).rcode() == (await town.tcp(MX)).rcode() == dns.rcode.SERVFAIL
    await town.server.stop()


async def test_notify_is_taken_from_the_primary_for_this_zone_only(town: Town) -> None:
    notify = dns.message.make_query("fabric.test", "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    answer = await town.udp(notify)
    assert (answer.rcode(), answer.opcode(), town.rung) == (dns.rcode.NOERROR, dns.opcode.NOTIFY, ["127.0.0.1"])
    assert (await town.udp(notify, source="127.0.0.9")).rcode() == dns.rcode.REFUSED
    other = dns.message.make_query("example.org", "SOA")
    other.set_opcode(dns.opcode.NOTIFY)
    assert (await town.udp(other)).rcode() == dns.rcode.REFUSED
    assert town.rung == ["127.0.0.1", "127.0.0.9"]
    update = dns.message.make_query("fabric.test", "SOA")
    update.set_opcode(dns.opcode.UPDATE)
    assert (await town.udp(update)).rcode() == dns.rcode.REFUSED


async def test_a_response_is_not_answered_lest_two_servers_talk_forever(town: Town) -> None:
    notify = dns.message.make_query("fabric.test", "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    for response in (MX.to_wire(), notify.to_wire()):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            other.connect(("127.0.0.1", town.server.port))
            other.send(response[:2] + bytes((response[2] | 0x80,)) + response[3:])
            assert (await town.udp(MX)).answer
            with pytest.raises(BlockingIOError):
                other.recv(512)
    assert town.rung == []


async def test_a_greedy_source_is_sent_to_tcp_and_served_there() -> None:
    town = Town(RateLimit(per_second=0.001, burst=5))
    await town.server.start()
    town.server.serve(Answers(fabricated.zone()))
    for _ in range(5):
        assert (await town.udp(MX)).answer
    assert (await town.udp(MX)).flags & dns.flags.TC
    with pytest.raises(dns.exception.Timeout):
        await dns.asyncquery.udp(MX, "127.0.0.1", port=town.server.port, timeout=0.2)
    assert (await town.tcp(MX)).answer
    await town.server.stop()


async def test_twenty_thousand_pieces_of_junk_and_a_question_that_is_answered(town: Town) -> None:
    chance, good = random.Random(7), bytearray(MX.to_wire())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as junk:
        junk.connect(("127.0.0.1", town.server.port))
        for number in range(20_000):
            packet = bytearray(good) if number % 2 else bytearray(chance.randbytes(chance.randrange(64)))
            for _ in range(number % 5 if packet else 0):
                packet[chance.randrange(len(packet))] = chance.randrange(256)
            try:
                junk.send(packet)
            except ConnectionRefusedError as gone:
                raise AssertionError("the server died") from gone
            if not number % 50:
                await asyncio.sleep(0)  # or the kernel would throw most of it away
        junk.send(b"\0" * 9_000)
    await asyncio.sleep(0.05)
    assert (await town.udp(MX)).answer


JUNK = (b"", b"\0", b"\0\0", b"\0\5junk!", b"\xff\xff", b"\0\x0c" + b"\x80" * 12, b"GET / HTTP/1.1\r\n\r\n")


async def test_junk_over_tcp_ends_a_connection_and_no_more(town: Town) -> None:
    message = MX.to_wire()
    for junk in JUNK:
        reader, writer = await asyncio.open_connection("127.0.0.1", town.server.port)
        writer.write(junk)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", town.server.port)
    bad = struct.pack("!H", 20) + message[:20]
    good = struct.pack("!H", len(message)) + message
    writer.write(bad + good + good)  # pipelined, RFC 7766 6.2.1.1
    answers = [await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big")) for _ in range(3)]
    assert [answer[3] & 15 for answer in answers] == [dns.rcode.FORMERR, dns.rcode.NOERROR, dns.rcode.NOERROR]
    writer.close()
    assert (await town.tcp(MX)).answer


async def test_connections_are_counted(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "CONNECTIONS_PER_SOURCE_MAX", 3)
    held = [await asyncio.open_connection("127.0.0.1", town.server.port) for _ in range(3)]
    await until(lambda: len(town.server._conversations) == 3)
    reader, writer = await asyncio.open_connection("127.0.0.1", town.server.port)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    for _, each in [*held, (reader, writer)]:
        each.close()
    await until(lambda: not town.server._conversations)
    assert (await town.tcp(MX)).answer
    await until(lambda: not town.server._sources)


async def test_the_idle_are_shown_out(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "IDLE_SECONDS_MAX", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", town.server.port)
    writer.write(b"\0")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_a_fault_in_one_answer_is_that_answer_s(town: Town) -> None:
    class Broken(Answers):
        def reply(self, query: bytes, *, udp: bool) -> bytes | None:
            raise RuntimeError("surprise")

    good = Answers(fabricated.zone())
    town.server.serve(Broken(fabricated.zone()))
    with pytest.raises(dns.exception.Timeout):
        await dns.asyncquery.udp(MX, "127.0.0.1", port=town.server.port, timeout=0.2)
    town.server.serve(good)
    assert (await town.udp(MX)).answer


async def test_both_families(town: Town) -> None:
    try:
        six = DnsServer("::1", 0, Rights(lambda *_: False, lambda *_: False), RateLimit(0, 0))
        await six.start()
    except OSError:
        pytest.skip("no IPv6 here")
    six.serve(Answers(fabricated.zone()))
    assert (await dns.asyncquery.udp(MX, "::1", port=six.port, timeout=5)).answer
    assert (await dns.asyncquery.tcp(MX, "::1", port=six.port, timeout=5)).answer
    await six.stop()
