"""A secondary and primaries of every kind: dnspython's words in, nothing broken believed."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import dns.message
import dns.rrset
import dns.zone
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from directory import transfer_in, wire
from directory.transfer_in import Primary, SerialWentBack, TransferFailed, fetch
from tests.directory import fabricated

ORIGIN = wire.name_of("fabric.test")
Script = Callable[[dns.message.Message], list[bytes]]


@asynccontextmanager
async def primary(script: Script) -> AsyncIterator[Primary]:
    """A primary that answers each question with the messages that `script` returns."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                query = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
                for message in script(dns.message.from_wire(query)):
                    writer.write(struct.pack("!H", len(message)) + message)
                await writer.drain()
        except (EOFError, OSError):
            writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    try:
        yield Primary("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()


def foreign(per_message: int = 7, **change: object) -> Script:
    """As BIND or Knot would: compressed, some records a message, in an order of their own."""
    zone = dns.zone.from_text(fabricated.text(), "fabric.test.", relativize=False)
    soa = dns.rrset.from_rdata_list("fabric.test.", 300, list(zone.get_rdataset("fabric.test.", "SOA")))
    others = [
        dns.rrset.from_rdata(name, ttl, rdata) for name, ttl, rdata in zone.iterate_rdatas() if rdata.rdtype != wire.SOA
    ]

    def script(query: dns.message.Message) -> list[bytes]:
        if query.question[0].rdtype == wire.SOA:
            chunks = [[soa]]
        else:
            records = [soa, *others[::-1], soa]
            chunks = [records[at : at + per_message] for at in range(0, len(records), per_message)]
        messages = []
        for number, chunk in enumerate(chunks):
            response = dns.message.make_response(query)
            response.answer = chunk
            if number:
                response.question = []
            messages.append(response.to_wire(max_size=65_535))
        return messages

    return script


@pytest.mark.parametrize("per_message", [1, 7, 1000])
async def test_a_foreign_primary_s_zone_arrives_whole(per_message: int) -> None:
    async with primary(foreign(per_message)) as there:
        assert await fetch(there, ORIGIN, None) == fabricated.zone()
        assert await fetch(there, ORIGIN, 9) == fabricated.zone()
        assert await fetch(there, ORIGIN, 10) is None
        with pytest.raises(SerialWentBack):
            await fetch(there, ORIGIN, 11)


def last(change: Callable[[bytes], bytes]) -> Script:
    """A primary whose transfer is spoilt in its last message."""

    def script(query: dns.message.Message) -> list[bytes]:
        messages = foreign(1000)(query)
        return messages if query.question[0].rdtype == wire.SOA else [*messages[:-1], change(messages[-1])]

    return script


def answers(query: dns.message.Message, text: str, *names: str) -> list[bytes]:
    if query.question[0].rdtype == wire.SOA:
        return foreign()(query)
    response = dns.message.make_response(query)
    response.answer = [dns.rrset.from_text(*line.split(" ", 4)) for line in text.splitlines()]
    return [response.to_wire(max_size=65_535)]


SOA = "fabric.test. 300 IN SOA a. b. {} 1 1 1 1"
BROKEN: dict[str, tuple[Script, str]] = {
    "refuses": (lambda query: [dns.message.make_response(query).to_wire()[:2] + b"\x84\5" + bytes(8)], "refused"),
    "has no zone yet": (lambda query: [query.to_wire()[:2] + b"\x84\2" + bytes(8)], "no zone yet"),
    "has no such zone": (lambda query: [query.to_wire()[:2] + b"\x84\0" + bytes(8)], "no such zone"),
    "another ID": (lambda query: [b"\0\0" + foreign()(query)[0][2:]], "not the answer"),
    "a question back": (lambda query: [query.to_wire()], "not the answer"),
    "scraps": (lambda query: [b"\0"], "cannot be read"),
    "nothing": (lambda query: [b""], "cannot be read"),
    "cut short": (last(lambda message: message[:-5]), "cannot be read"),
    "a loop of pointers": (last(lambda message: looped(message)), "cannot be read"),
    "an empty message": (last(lambda message: message[:6] + b"\0\0" + message[8:]), "empty"),
    "no SOA first": (lambda query: answers(query, "fabric.test. 300 IN A 192.0.2.1"), "begin"),
    "another SOA last": (lambda query: answers(query, SOA.format(10) + "\n" + SOA.format(11)), "changed"),
    "records behind the end": (
        lambda query: answers(query, "\n".join([SOA.format(10), SOA.format(10), "fabric.test. 300 IN A 192.0.2.1"])),
        "changed",
    ),
    "broken data": (lambda query: [broken(message) for message in foreign(1000)(query)], "broken data"),
}


def looped(message: bytes) -> bytes:
    """Let the owner of the last record point at itself."""
    at = message.rindex(b"\xc0\x0c\0\6\0\1")
    return message[:at] + (0xC000 | at).to_bytes(2, "big") + message[at + 2 :]


def broken(message: bytes) -> bytes:
    """Make the TXT's inner length lie."""
    return message.replace(b"\x0ev=spf1 mx -all", b"\xfev=spf1 mx -all")


@pytest.mark.parametrize(("script", "words"), BROKEN.values(), ids=BROKEN)
async def test_a_broken_primary_is_not_believed(script: Script, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer_in, "TRANSFER_SECONDS_MAX", 1.0)
    async with primary(script) as there:
        with pytest.raises(TransferFailed, match=words):
            await fetch(there, ORIGIN, None)


async def test_an_endless_or_silent_primary_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer_in, "ZONE_OCTETS_MAX", 5_000)
    async with primary(lambda query: [*foreign(1)(query)[:2], *foreign(1)(query)[1:2] * 400]) as there:
        with pytest.raises(TransferFailed, match="larger"):
            await fetch(there, ORIGIN, None)
    monkeypatch.setattr(transfer_in, "TRANSFER_SECONDS_MAX", 0.1)
    async with primary(lambda query: []) as there:
        with pytest.raises(TransferFailed, match="in time"):
            await fetch(there, ORIGIN, None)
    with pytest.raises(TransferFailed, match="no connection"):
        await fetch(Primary("127.0.0.1", 1), ORIGIN, None)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2000), st.binary(min_size=1, max_size=4))
def test_no_octet_changed_on_the_way_is_a_surprise(at: int, octets: bytes) -> None:
    query = dns.message.make_query("fabric.test", "AXFR", id=1)
    message = bytearray(foreign(1000)(query)[0])
    at %= len(message) - len(octets)
    message[at : at + len(octets)] = octets

    async def read() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(struct.pack("!H", len(message)) + bytes(message))
        reader.feed_eof()
        line = transfer_in._Line(reader, None, None)  # type: ignore[arg-type] - nothing is asked
        line._ident = int.from_bytes(message[:2], "big")
        records, _ = await line.answer()
        kept = [transfer_in.Record(r.owner, r.rtype, r.ttl, r.rdata, 0) for r in records]
        transfer_in._checked(ORIGIN, kept)

    with suppress(TransferFailed, wire.Malformed, struct.error, EOFError):
        asyncio.run(read())
