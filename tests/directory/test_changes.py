"""IXFR (RFC 1995): what changed alone, given and taken, and the whole zone where that does not do."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import dns.message
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from directory import journal, wire
from directory.changes import changed
from directory.journal import Journal, delta_of
from directory.reception import Reception, Rights
from directory.transfer_in import _checked, fetch
from directory.zone import Record, Zone, make_rrset
from tests.directory import fabricated
from tests.directory.test_transfer_in import ORIGIN, foreign, primary

HOSTS = [wire.name_of(f"host-{n}.fabric.test") for n in (1, 2, 3)]


def moved(zone: Zone, dice: random.Random) -> Zone:
    """A version in which some bucket, address or TTL is another."""
    nodes = dict(zone.nodes)
    for _ in range(dice.randint(1, 3)):
        owner = wire.name_of(f"b{dice.randrange(8)}.{dice.choice(['timeline', 'reflectors'])}.fabric.test")
        rdatas = tuple(sorted({b"\0\x0a" + dice.choice(HOSTS), b"\0\x14" + dice.choice(HOSTS)}))
        nodes[owner] = {**nodes[owner], wire.MX: make_rrset(zone.origin, wire.MX, dice.choice([300, 600]), rdatas)}
    if dice.random() < 0.3:
        extra = wire.name_of("extra.fabric.test")
        if extra in nodes:
            del nodes[extra]
        else:
            nodes[extra] = {wire.A: make_rrset(zone.origin, wire.A, 300, (b"\x7f\0\0\x01",))}
    return replace(zone, nodes=nodes, records=()).with_serial(zone.serial + 1)


def read(messages: Iterator[bytes]) -> list[Record]:
    """The records of a transfer, without the last SOA."""
    records = []
    for message in messages:
        at = wire.read_question(message).end
        for _ in range(int.from_bytes(message[6:8], "big")):
            record, at = wire.read_record(message, at)
            records.append(Record(record.owner, record.rtype, record.ttl, record.rdata, 0))
    return records[:-1]


def asked(zone: Zone) -> bytes:
    soa = zone.soa.rdatas[0]
    head = wire.HEADER.pack(7, 0, 1, 0, 1, 0) + ORIGIN + wire.IXFR.to_bytes(2, "big") + b"\0\1"
    return head + ORIGIN + wire.FIXED.pack(wire.SOA, 1, 0, len(soa)) + soa


def reception(versions: list[Zone]) -> Reception:
    from directory.answers import Answers

    found = Reception(Rights(lambda *_: True, lambda *_: False), lambda: 0.0)
    for zone in versions:
        found.show(Answers(zone))
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(0, 5))
def test_whoever_applies_the_changes_has_the_zone(seed: int, count: int, behind: int) -> None:
    dice = random.Random(seed)
    versions = [fabricated.zone()]
    for _ in range(count):
        versions.append(moved(versions[-1], dice))
    ours = versions[max(count - behind, 0)]
    records = read(iter(reception(versions).stream(asked(ours), "127.0.0.1")))  # type: ignore[call-overload]
    if ours is versions[-1]:
        return
    assert records[1].rtype == wire.SOA  # the changes, not the whole
    assert _checked(ORIGIN, records, ours) == versions[-1]


def test_what_is_too_long_or_too_old_is_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "VERSIONS_MAX", 2)
    dice = random.Random(1)
    versions = [fabricated.zone()]
    for _ in range(4):
        versions.append(moved(versions[-1], dice))
    here = reception(versions)
    for at, whole in ((0, True), (1, True), (2, False), (3, False)):
        records = read(iter(here.stream(asked(versions[at]), "127.0.0.1")))  # type: ignore[call-overload]
        assert (records[1].rtype != wire.SOA) is whole
        assert _checked(ORIGIN, records, versions[at]) == versions[-1]
    monkeypatch.setattr(journal, "OCTETS_MAX", 10)
    empty = Journal()
    empty.note(versions[0], versions[1])
    assert empty.since(versions[0].serial, versions[1].serial) == []


def test_a_gap_is_not_bridged() -> None:
    versions = [fabricated.zone()]
    for seed in range(3):
        versions.append(moved(versions[-1], random.Random(seed)))
    found = Journal()
    found.note(versions[0], versions[1])
    found.note(versions[2], versions[3])
    assert found.since(versions[0].serial, versions[3].serial) == []
    assert len(found.since(versions[2].serial, versions[3].serial)) == 1
    assert delta_of(versions[0], versions[0]).octets == 0


SPOILT: dict[str, Callable[[list[Record]], list[Record]]] = {
    "of another version": lambda records: [records[0], records[1]._replace(rdata=records[0].rdata), *records[2:]],
    "takes away what is not there": lambda records: [
        *records[:2],
        records[2]._replace(rdata=b"\0\x63\0"),
        *records[3:],
    ],
    "without its end": lambda records: records[:3],
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_changes_that_do_not_fit_are_not_taken(spoil: Callable[[list[Record]], list[Record]]) -> None:
    before = fabricated.zone()
    after = moved(before, random.Random(3))
    records = read(iter(reception([before, after]).stream(asked(before), "127.0.0.1")))  # type: ignore[call-overload]
    assert changed(before, records)
    with pytest.raises(Exception, match="changes"):
        changed(before, spoil(records))


async def test_a_primary_that_gives_no_changes_gives_the_whole() -> None:
    """One that refuses IXFR, and one that answers it with nonsense."""
    kinds: list[int] = []

    def script(query: dns.message.Message) -> list[bytes]:
        kinds.append(query.question[0].rdtype)
        if kinds[-1] == dns.rdatatype.IXFR:
            return [dns.message.make_response(query).to_wire()[:2] + b"\x84\4" + bytes(8)]
        return foreign()(query)

    ours = fabricated.zone().with_serial(9)
    async with primary(script) as there:
        assert await fetch(there, ORIGIN, 9, ours) == fabricated.zone()
    assert dns.rdatatype.IXFR in kinds and kinds[-1] == dns.rdatatype.AXFR
    async with primary(foreign()) as there:  # who answers IXFR with all of it
        assert await fetch(there, ORIGIN, 9, ours) == fabricated.zone()
