"""Answers, octet by octet and through dnspython's eyes."""

from __future__ import annotations

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from directory import wire
from directory.answers import UDP_OCTETS_MAX, Answers, refusal, truncated
from directory.rate import PREFIXES_MAX, RateLimit, prefix_of
from tests.directory import fabricated

MORE = (
    "alias CNAME b1.timeline\nfar CNAME www.example.org.\nloop CNAME pool\npool CNAME loop\n"
    "many 60 TXT " + " ".join(f'"{n:0200}"' for n in range(8)) + "\n" + "two CNAME alias\n"
)
ZONE = fabricated.zone(fabricated.text() + MORE)
ANSWERS = Answers(ZONE)


def ask(
    name: str, rtype: str = "MX", *, udp: bool = True, edns: int | None = None, **more: object
) -> dns.message.Message:
    query = dns.message.make_query(name, rtype, use_edns=edns is not None, payload=edns or 0, **more)  # type: ignore[arg-type]
    reply = ANSWERS.reply(query.to_wire(), udp=udp)
    assert reply is not None
    answer = dns.message.from_wire(reply)
    assert query.is_response(answer)
    return answer


def records(answer: dns.message.Message) -> list[str]:
    return [line for rrset in answer.answer for line in rrset.to_text().splitlines()]


def test_a_bucket() -> None:
    answer = ask("b1.timeline.fabric.test")
    assert records(answer) == ["b1.timeline.fabric.test. 300 IN MX 10 host-1.fabric.test."]
    assert answer.flags & dns.flags.AA and answer.flags & dns.flags.RD and not answer.flags & dns.flags.RA
    assert len(ask("fabric.test").answer[0]) == 3


def test_every_record_of_the_zone_is_answered() -> None:
    for owner, rrset in ZONE.rrsets():
        name = dns.name.from_wire(owner, 0)[0]
        answer = ask(name.to_text(), dns.rdatatype.to_text(rrset.rtype), udp=False)
        got = sorted(rdata.to_wire() or b"" for rdata in answer.answer[0])
        assert got == sorted(rrset.rdatas) and answer.answer[0].ttl == rrset.ttl and answer.answer[0].name == name


def test_the_question_comes_back_as_it_was_written() -> None:
    query = dns.message.make_query("B1.tImElInE.Fabric.TEST", "MX").to_wire()
    reply = ANSWERS.reply(query, udp=True)
    assert reply is not None and reply[12 : len(query)] == query[12:] and reply[:2] == query[:2]
    assert b"B1\x08tImElInE" in reply
    assert reply[3] & 15 == wire.NOERROR and reply[6:8] == b"\0\1"


def test_no_such_name_and_no_such_type() -> None:
    for name, rtype, rcode in [
        ("b8.timeline.fabric.test", "MX", dns.rcode.NXDOMAIN),
        ("x.b1.timeline.fabric.test", "MX", dns.rcode.NXDOMAIN),
        ("b1.timeline.fabric.test", "A", dns.rcode.NOERROR),
        ("_domainkey.fabric.fabric.test", "TXT", dns.rcode.NOERROR),  # an empty name between, RFC 8020
        ("fabric.fabric.test", "ANY", dns.rcode.NOERROR),
    ]:
        answer = ask(name, rtype)
        assert (answer.rcode(), answer.answer) == (rcode, []), name
        assert (
            answer.authority[0]
            .to_text()
            .startswith("fabric.test. 60 IN SOA host-1.fabric.test. postmaster.fabric.test. 10 ")
        )


@pytest.mark.parametrize("name", ["example.org", "test", ".", "xfabric.test", "fabric.test.example.org"])
def test_outside_the_zone_is_refused(name: str) -> None:
    answer = ask(name)
    assert answer.rcode() == dns.rcode.REFUSED and not answer.flags & dns.flags.AA and not answer.authority
    chaos = ANSWERS.reply(dns.message.make_query("version.bind", "TXT", "CH").to_wire(), udp=True)
    assert chaos is not None and dns.message.from_wire(chaos).rcode() == dns.rcode.REFUSED


def test_aliases_are_followed_inside_the_zone_and_never_forever() -> None:
    assert records(ask("two.fabric.test")) == [
        "two.fabric.test. 300 IN CNAME alias.fabric.test.",
        "alias.fabric.test. 300 IN CNAME b1.timeline.fabric.test.",
        "b1.timeline.fabric.test. 300 IN MX 10 host-1.fabric.test.",
    ]
    assert records(ask("far.fabric.test")) == ["far.fabric.test. 300 IN CNAME www.example.org."]
    assert records(ask("alias.fabric.test", "CNAME")) == ["alias.fabric.test. 300 IN CNAME b1.timeline.fabric.test."]
    reply = ANSWERS.reply(dns.message.make_query("loop.fabric.test", "MX").to_wire(), udp=False)
    assert reply is not None and int.from_bytes(reply[6:8], "big") <= 9


def test_any_is_answered_with_little() -> None:
    assert records(ask("fabric.test", "ANY")) == ['fabric.test. 3600 IN HINFO "RFC8482" ""']


def test_what_is_too_long_for_udp_goes_to_tcp() -> None:
    for edns in (None, 512, 4096):
        answer = ask("many.fabric.test", "TXT", edns=edns)
        assert answer.flags & dns.flags.TC and not answer.answer and (answer.edns == 0) is (edns is not None)
    assert len(ask("many.fabric.test", "TXT", udp=False).answer[0][0].strings) == 8
    names = "\n".join(f"wide 60 A 10.0.0.{n}" for n in range(60))
    wide = Answers(fabricated.zone(fabricated.text() + names + "\n"))
    for payload, cut in [(512, True), (1_232, False), (65_535, False), (0, True)]:
        query = dns.message.make_query("wide.fabric.test", "A", use_edns=0, payload=payload).to_wire()
        reply = wire_of(wide.reply(query, udp=True))
        assert len(reply) <= UDP_OCTETS_MAX
        assert bool(dns.message.from_wire(reply).flags & dns.flags.TC) is cut, payload


def wire_of(reply: bytes | None) -> bytes:
    assert reply is not None
    return reply


def test_edns_is_answered_in_kind() -> None:
    answer = ask("b1.timeline.fabric.test", edns=4096, want_dnssec=True)
    assert (answer.edns, answer.payload, bool(answer.ednsflags & dns.flags.DO)) == (0, 1_232, True)
    assert ask("b1.timeline.fabric.test").edns == -1
    cookie = dns.edns.GenericOption(10, b"12345678")
    assert ask("b1.timeline.fabric.test", edns=1232, options=[cookie]).rcode() == dns.rcode.NOERROR
    query = dns.message.make_query("fabric.test", "SOA", use_edns=1)
    reply = dns.message.from_wire(wire_of(ANSWERS.reply(query.to_wire(), udp=True)))
    assert reply.rcode() == dns.rcode.BADVERS and reply.edns == 0


def test_a_reflected_answer_is_hardly_larger_than_the_question() -> None:
    questions = [("b1.timeline.fabric.test", "MX"), ("b9.timeline.fabric.test", "MX"), ("fabric.test", "ANY")]
    for name, rtype in [*questions, ("fabric.test", "MX"), ("host-1._domainkey.fabric.fabric.test", "TXT")]:
        query = dns.message.make_query(name, rtype, use_edns=0).to_wire()
        reply = wire_of(ANSWERS.reply(query, udp=True))
        assert len(reply) + 28 <= 3 * (len(query) + 28), name  # with the headers of IP and UDP


@pytest.mark.parametrize(
    ("name", "change", "rcode"),
    [
        ("two questions", lambda q: q[:4] + b"\0\2" + q[6:], wire.FORMERR),
        ("no question", lambda q: q[:4] + b"\0\0" + q[6:], wire.FORMERR),
        ("an answer in it", lambda q: q[:6] + b"\0\1" + q[8:], wire.FORMERR),
        ("cut in the name", lambda q: q[:20], wire.FORMERR),
        ("cut in the type", lambda q: q[:-3], wire.FORMERR),
        ("octets behind", lambda q: q + b"x", wire.FORMERR),
        ("an OPT that is not there", lambda q: q[:11] + b"\1" + q[12:], wire.FORMERR),
        ("more OPTs than one", lambda q: q[:11] + b"\2" + q[12:] + (b"\0\0\x29" + bytes(8)) * 2, wire.FORMERR),
        ("many additional", lambda q: q[:10] + b"\xff\xff" + q[12:], wire.FORMERR),
        ("a pointer to itself", lambda q: q[:12] + b"\xc0\x0c" + q[-4:], wire.FORMERR),
        ("a pointer", lambda q: q[:12] + b"\1a\xc0\x0c" + q[-4:], wire.FORMERR),
        ("a label type of 1990", lambda q: q[:12] + b"\x41a\0" + q[-4:], wire.FORMERR),
        ("a name over 255", lambda q: q[:12] + (b"\x3f" + b"a" * 63) * 4 + b"\0" + q[-4:], wire.FORMERR),
        ("an update", lambda q: q[:2] + b"\x28\0" + q[4:], wire.NOTIMP),
        ("an AXFR", lambda q: q[:-4] + b"\0\xfc\0\1", wire.REFUSED),
    ],
)
def test_a_malformed_question_gets_a_short_no(name: str, change: object, rcode: int) -> None:
    query = dns.message.make_query("b1.timeline.fabric.test", "MX").to_wire()
    bad = change(query)  # type: ignore[operator]
    reply = wire_of(ANSWERS.reply(bad, udp=True))
    assert reply[:2] == query[:2] and reply[3] & 15 == rcode and len(reply) <= len(bad)


def test_answers_and_scraps_are_not_answered() -> None:
    query = dns.message.make_query("fabric.test", "MX").to_wire()
    assert ANSWERS.reply(query[:2] + b"\x80" + query[3:], udp=True) is None
    for length in range(12):
        assert ANSWERS.reply(query[:length], udp=True) is None


GOOD = dns.message.make_query("b1.timeline.fabric.test", "MX", use_edns=0).to_wire()


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.binary(max_size=80), st.binary(max_size=40).map(lambda tail: GOOD[:12] + tail)), st.booleans())
@example(GOOD[:12] + b"\1\0\6fabric\4test\0\0\1\0\1", True)
def test_no_packet_is_too_odd(packet: bytes, udp: bool) -> None:
    reply = ANSWERS.reply(packet, udp=udp)
    assert reply is None or (reply[:2] == packet[:2] and reply[2] & 0x80)
    assert truncated(packet) is None or len(packet) >= 17


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(st.integers(2, len(GOOD) - 1), st.integers(0, 255)), max_size=4))
def test_nor_any_that_was_good_once(changes: list[tuple[int, int]]) -> None:
    packet = bytearray(GOOD)
    for at, octet in changes:
        packet[at] = octet
    reply = ANSWERS.reply(bytes(packet), udp=True)
    assert reply is None or len(reply) <= UDP_OCTETS_MAX


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=120), st.integers(0, 120))
def test_names_and_records_are_read_or_refused(message: bytes, at: int) -> None:
    for read in (wire.read_name, wire.read_record):
        try:
            _, end = read(message, at)  # type: ignore[operator]
            assert end <= len(message)
        except wire.Malformed:
            pass


def test_a_name_is_no_longer_than_255_octets_also_through_pointers() -> None:
    label = b"\x3f" + b"a" * 63
    assert len(wire.read_name(label * 3 + b"\x3d" + b"a" * 61 + b"\0", 0)[0]) == 255
    for message, at in [(label * 4 + b"\0", 0), (label * 3 + b"\0" + label + b"\xc0\x00", 193)]:
        with pytest.raises(wire.Malformed, match="255"):
            wire.read_name(message, at)


def test_short_replies() -> None:
    query = dns.message.make_query("fabric.test", "MX").to_wire()
    assert len(refusal(query, wire.SERVFAIL)) == 12
    cut = truncated(query)
    assert cut is not None and len(cut) == len(query)
    assert dns.message.from_wire(cut).flags & dns.flags.TC


def test_who_asks_too_much_is_sent_to_tcp_and_others_are_not() -> None:
    limit = RateLimit(per_second=10, burst=20)
    verdicts = [limit.judge("192.0.2.7", 100.0) for _ in range(40)]
    assert verdicts[:20] == ["answer"] * 20
    assert verdicts[20:] == ["truncate", "drop"] * 10
    assert limit.judge("192.0.2.250", 100.0) == "truncate"  # the same /24
    assert limit.judge("192.0.3.7", 100.0) == "answer"
    assert [limit.judge("192.0.2.7", 101.0) for _ in range(12)] == ["answer"] * 10 + ["truncate", "drop"]
    assert RateLimit(0, 0).judge("192.0.2.7", 0.0) == "answer"
    assert prefix_of("2001:db8:1:2::7") == prefix_of("2001:db8:1:ff::1") != prefix_of("2001:db8:2::7")


def test_forged_sources_do_not_fill_the_memory() -> None:
    limit = RateLimit(per_second=10, burst=20)
    for number in range(PREFIXES_MAX + 1000):
        limit.judge(f"{number & 255}.{number >> 8}.0.1", 0.0)
    assert len(limit._sources) <= PREFIXES_MAX
