"""The reader of master files: what it takes, what it says about the rest, and that it agrees with dnspython."""

from __future__ import annotations

import io

import dns.name
import dns.rdatatype
import dns.zone
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from directory import tokens as tokens_module
from directory import wire
from directory import zone_text as zone_text_module
from directory.render import zone_text
from directory.zone import Zone
from directory.zone_text import Reading, read_zone

HEAD = "$ORIGIN fabric.test.\n$TTL 300\n@ SOA host-1 postmaster 1 2 3 4 5\n"


def read(text: str, head: str = HEAD) -> Reading:
    return read_zone((head + text).encode(), "fabric.test")


def good(text: str, head: str = HEAD) -> Zone:
    reading = read(text, head)
    assert reading.zone is not None, reading.problems
    return reading.zone


def said(zone: Zone) -> set[str]:
    """The records but the SOA, one line each, names absolute, in dnspython's words."""
    return {line for line in zone_text(zone, "").splitlines()[3:] if line}


def test_names_are_relative_absolute_the_origin_or_the_one_before() -> None:
    zone = good(
        "@ NS host-1\nb1.timeline MX 10 host-1\n        MX 20 host-2.example.org.\n"
        "$ORIGIN reflectors\nb2 MX 5 @\nb3.reflectors.fabric.test. MX 1 .\n"
    )
    assert said(zone) == {
        "fabric.test. 300 IN NS host-1.fabric.test.",
        "b1.timeline.fabric.test. 300 IN MX 10 host-1.fabric.test.",
        "b1.timeline.fabric.test. 300 IN MX 20 host-2.example.org.",
        "b2.reflectors.fabric.test. 300 IN MX 5 reflectors.fabric.test.",
        "b3.reflectors.fabric.test. 300 IN MX 1 .",
    }


def test_owners_are_lower_case_and_the_data_keeps_its_own() -> None:
    assert said(good("B1.TimeLine mx 10 Host-1\n")) == {"b1.timeline.fabric.test. 300 IN MX 10 Host-1.fabric.test."}


def test_ttl_and_class_come_in_any_order_or_not_at_all() -> None:
    zone = good(
        "a 60 IN A 192.0.2.1\nb IN 60 A 192.0.2.1\nc IN A 192.0.2.1\nd 1h30m A 192.0.2.1\n$TTL 2w\ne a 192.0.2.1\n"
    )
    assert sorted(line.split()[1] for line in said(zone)) == sorted(["60", "60", "300", "5400", "1209600"])


def test_without_a_default_the_last_ttl_counts_and_for_the_first_the_soa_s_minimum() -> None:
    zone = good("a 77 A 192.0.2.1\nb A 192.0.2.1\n", "@ SOA a b 1 2 3 4 55\n")
    assert zone.soa.ttl == 55
    assert {line.split()[1] for line in said(zone)} == {"77"}


def test_parentheses_comments_and_quotes() -> None:
    zone = good(
        '$ORIGIN fabric.test.\n$TTL 60\n@ IN SOA host-1 postmaster ( ; a comment ) " (\n'
        "   2026010101 ; serial\n   5m ; refresh\n 60 14d\n 60 )\n"
        'x TXT "semi;colon (and) \\"quotes\\" \\092" bare ( "more" )\n'
        "y TXT a\\;b \\255\n",
        "",
    )
    assert zone.serial == 2026010101
    assert said(zone) == {
        'x.fabric.test. 60 IN TXT "semi;colon (and) \\"quotes\\" \\\\" "bare" "more"',
        'y.fabric.test. 60 IN TXT "a;b" "\\255"',
    }


def test_text_in_quotes_may_be_utf_8_and_comments_anything() -> None:
    reading = read_zone(
        HEAD.encode() + 'x TXT "zoë" ; \xff\xfe'.encode("latin-1").replace(b"\xeb", "ë".encode()), "fabric.test"
    )
    assert reading.zone is not None
    assert reading.zone.rdatas(b"\1x\6fabric\4test\0", wire.TXT) == (b"\4zo\xc3\xab",)


def test_all_types_of_a_fabric_and_any_other_through_dnspython() -> None:
    zone = good(
        "a A 192.0.2.1\na AAAA 2001:db8::1\nc CNAME a\n_imaps._tcp SRV 0 1 993 a\n"
        'k CAA 0 issue "ca.example"\nt TYPE65280 \\# 3 010203\nm MX \\# 4 000a 0161 00\n'.replace(
            "0161 00", "0000"
        ).replace("\\# 4 000a 0000", "\\# 5 000a 01 61 00")
    )
    assert said(zone) == {
        "a.fabric.test. 300 IN A 192.0.2.1",
        "a.fabric.test. 300 IN AAAA 2001:db8::1",
        "c.fabric.test. 300 IN CNAME a.fabric.test.",
        "_imaps._tcp.fabric.test. 300 IN SRV 0 1 993 a.fabric.test.",
        'k.fabric.test. 300 IN CAA 0 issue "ca.example"',
        "t.fabric.test. 300 IN TYPE65280 \\# 3 010203",
        "m.fabric.test. 300 IN MX 10 a.",
    }


def test_generate_writes_a_range_as_bind_does() -> None:
    zone = good(
        '$GENERATE 0-2 b$.timeline MX "10 host-${1}"\n$GENERATE 3-4 b$.timeline 60 IN MX 10 host-1\n'
        "$GENERATE 8-12/2 x${-8,3,d} A 192.0.2.$\n$GENERATE 10-11 h${0,4,x} A 192.0.2.1\n"
        '$GENERATE 1-1 \\$y$ TXT "cost $$ $"\n'
    )
    assert said(zone) == {
        "b0.timeline.fabric.test. 300 IN MX 10 host-1.fabric.test.",
        "b1.timeline.fabric.test. 300 IN MX 10 host-2.fabric.test.",
        "b2.timeline.fabric.test. 300 IN MX 10 host-3.fabric.test.",
        "b3.timeline.fabric.test. 60 IN MX 10 host-1.fabric.test.",
        "b4.timeline.fabric.test. 60 IN MX 10 host-1.fabric.test.",
        "x000.fabric.test. 300 IN A 192.0.2.8",
        "x002.fabric.test. 300 IN A 192.0.2.10",
        "x004.fabric.test. 300 IN A 192.0.2.12",
        "h000a.fabric.test. 300 IN A 192.0.2.1",
        "h000b.fabric.test. 300 IN A 192.0.2.1",
        '\\036y1.fabric.test. 300 IN TXT "cost $ 1"',
    }


FAULTS = [
    ("a MX 10\n", 4, "fields of data"),
    ("a MX ten host-1\n", 4, "no preference"),
    ("a MX 65536 host-1\n", 4, "no preference"),
    ("a A 192.0.2\n", 4, "no IPv4 address"),
    ("a A 192.0.2.1\nb AAAA 192.0.2.1\n", 5, "no IPv6 address"),
    ("\n; comment\na NOSUCH 1\n", 6, "no record type"),
    ("a ANY 1\n", 4, "for questions only"),
    ("a AXFR 1\n", 4, "for questions only"),
    ("a 300\n", 4, "without a type"),
    ("a 1x A 192.0.2.1\n", 4, "no time"),
    ("a 9999999999 A 192.0.2.1\n", 4, "2^31"),
    ("a CH A 192.0.2.1\n", 4, "class CH"),
    ("a A\n", 4, "no data after A"),
    ('a TXT "open\n', 4, "not closed"),
    ('a TXT ( "x"\n\n\n', 4, "not closed"),
    ("a TXT x )\n", 4, "never opened"),
    ("a TXT " + "x" * 256 + "\n", 4, "over 255"),
    ("a" * 64 + " A 192.0.2.1\n", 4, "no domain name"),
    ("a..b A 192.0.2.1\n", 4, "no domain name"),
    ("a.. A 192.0.2.1\n", 4, "no domain name"),
    (".a A 192.0.2.1\n", 4, "no domain name"),
    (".".join(["a" * 60] * 4) + ".a A 192.0.2.1\n", 4, "255"),
    ("a.example.org. A 192.0.2.1\n", 4, "not in the zone"),
    ("xfabric.test. A 192.0.2.1\n", 4, "not in the zone"),
    ("a TXT \\999\n", 4, "no octet"),
    ("zoë A 192.0.2.1\n", 4, "not ASCII"),
    ("a\u00a0A 192.0.2.1\n", 4, "not ASCII"),
    ('"a" A 192.0.2.1\n', 4, "quoted string"),
    ("a CAA x\n", 4, "CAA data"),
    ("$INCLUDE other.zone\n", 4, "$INCLUDE"),
    ("$FOO 1\n", 4, "no directive"),
    ("$TTL\n", 4, "no directive"),
    ("$GENERATE 0-1 b$ MX\n", 4, "$GENERATE wants"),
    ("$GENERATE 1-0 b$ MX 10 a\n", 4, "empty"),
    ("$GENERATE 0-9999999 b$ MX 10 a\n", 4, "1,000,000"),
    ("$GENERATE x b$ MX 10 a\n", 4, "no range"),
    ("$GENERATE 0-1 b${-5} MX 10 a\n", 4, "negative"),
    ("$GENERATE 0-1 b$ MX 10 zoë\n", 4, "ASCII"),
    ("@ SOA a b 1 2 3 4 5\n", 4, "second SOA"),
    ("a CNAME b\na A 192.0.2.1\n", 5, "CNAME and other"),
    ("a A 192.0.2.1\na CNAME b\n", 4, "CNAME and other"),
    ("a CNAME b\na CNAME c\n", 4, "CNAME and other"),
]


@pytest.mark.parametrize(("text", "line", "words"), FAULTS, ids=[words for _, _, words in FAULTS])
def test_a_fault_is_told_with_its_line_and_what_to_do(text: str, line: int, words: str) -> None:
    reading = read(text)
    assert reading.zone is None
    told = [problem for problem in reading.problems if problem.line == line and words in problem.text + problem.remedy]
    assert told and told[0].remedy, reading.problems
    assert told[0].shown("x.zone").startswith(f"x.zone:{line}: ")


def test_a_zone_needs_its_own_soa_and_a_ttl() -> None:
    assert "no SOA" in read("a A 192.0.2.1\n", "$TTL 5\n").problems[0].text
    assert "SOA is of x.fabric.test" in read("x SOA a b 1 2 3 4 5\n", "$TTL 5\n").problems[0].text
    assert "no TTL" in read("a A 192.0.2.1\n", "").problems[0].text
    assert "without a name" in read("  A 192.0.2.1\n", "$TTL 5\n").problems[0].text


def test_every_fault_is_told_and_a_thousand_are_too_many() -> None:
    assert [problem.line for problem in read("a A x\nb A 192.0.2.1\nc A y\n").problems] == [4, 6]
    many = read("a A x\n" * 1000).problems
    assert len(many) == 51 and "950 more" in many[-1].text


def test_what_grows_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zone_text_module, "RECORDS_MAX", 5)
    assert "over 5 records" in read("$GENERATE 1-9 a$ A 192.0.2.1\n").problems[0].text
    assert good("$GENERATE 1-4 a$ A 192.0.2.1\n")
    monkeypatch.setattr(zone_text_module, "PROBLEMS_READ_MAX", 5)
    assert len(read("a A x\n" * 20).problems) == 6
    monkeypatch.setattr(tokens_module, "ENTRY_LINES_MAX", 5)
    reading = read("a TXT (\n" + "x\n" * 6 + ")\nb A 192.0.2.1\nc A y\n")
    assert (reading.problems[0].line, reading.problems[0].text) == (4, "a parenthesis opens here and is not closed")
    assert good("a TXT (\n" + "x\n" * 4 + ")\n")


def test_a_file_of_another_kind_is_refused_shortly() -> None:
    assert len(read_zone(b"\0\xff" * 100_000, "fabric.test").problems) <= 51
    assert "too many" in read_zone(b" " * (64 * 2**20 + 1), "fabric.test").problems[0].text


LABEL = st.from_regex(r"[a-zA-Z0-9_*-]{1,12}", fullmatch=True).filter(lambda label: not label.startswith("*"))
NAME = (
    st.lists(LABEL, min_size=1, max_size=3)
    .map(".".join)
    .flatmap(lambda name: st.sampled_from([name, f"{name}.fabric.test.", "@"]))
)
QUOTED = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
)
BARE = st.from_regex(r"([a-z0-9=]|\\;|\\065){1,10}", fullmatch=True)
TEXTS = st.lists(st.one_of(QUOTED, BARE), min_size=1, max_size=3)
NUMBER = st.integers(0, 65_535)
DATA = st.one_of(
    st.tuples(NUMBER, NAME).map(lambda mx: f"MX {mx[0]} {mx[1]}"),
    st.ip_addresses(v=4).map(lambda ip: f"A {ip}"),
    st.ip_addresses(v=6).map(lambda ip: f"AAAA {ip}"),
    NAME.map(lambda name: f"NS {name}"),
    TEXTS.map(lambda texts: "TXT " + " ".join(texts)),
    TEXTS.map(lambda texts: "TXT (\n" + "\n".join(texts) + " ; x\n)"),
    st.tuples(NUMBER, NUMBER, NUMBER, NAME).map(lambda fields: "SRV {} {} {} {}".format(*fields)),
)
BEFORE = st.sampled_from(["", "60 ", "IN ", "60 IN ", "IN 60 "])
LINE = st.tuples(st.one_of(NAME, st.just(" ")), BEFORE, DATA, st.sampled_from(["", " ; c", "\r"]))


@settings(max_examples=150, deadline=None)
@given(st.lists(LINE.map(lambda parts: f"{parts[0]} {parts[1]}{parts[2]}{parts[3]}"), max_size=12))
def test_it_reads_what_dnspython_reads(lines: list[str]) -> None:
    text = HEAD + "x A 192.0.2.1\n" + "\n".join(lines) + "\n"
    theirs = dns.zone.from_text(text, "fabric.test.", relativize=False, check_origin=False)
    ours = read_zone(text.encode(), "fabric.test").zone
    assert ours is not None
    expected = {
        (name.canonicalize().to_wire(), int(rdataset.rdtype)): sorted(rdata.to_wire() or b"" for rdata in rdataset)
        for name, rdataset in theirs.iterate_rdatasets()
    }
    got = {(owner, rtype): sorted(rrset.rdatas) for owner, node in ours.nodes.items() for rtype, rrset in node.items()}
    assert got == expected


ODD = [*'ab1 \t\n"();\\$@.*-\x00\x0c\xa0é', "MX", "TXT", "SOA", "$GENERATE 0-3 ", "\\#", "${", "300"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(ODD), max_size=60).map("".join))
@example("a\\")
@example("$GENERATE 0-1 $ \\")
@example('$GENERATE 0-1 $ MX "')
def test_no_text_is_too_odd(text: str) -> None:
    reading = read(text)
    assert (reading.zone is None) == bool(reading.problems)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_nor_any_octets(content: bytes) -> None:
    read_zone(content, "fabric.test")
    read_zone(HEAD.encode() + b"a TYPE1234 " + content + b"\nb CAA " + content, "fabric.test")


def test_what_is_written_reads_back() -> None:
    zone = good('a A 192.0.2.1\na TXT "x;y" "\\"" \\200\n\\.odd\\ name MX 10 \\@.x\nt TYPE65280 \\# 3 010203\n')
    again = read_zone(zone_text(zone, "a copy").encode(), "fabric.test")
    assert again.zone == zone
    assert io.StringIO(zone_text(zone, "a copy")).readline() == "; a copy\n"
    assert dns.name.from_wire(zone.origin, 0)[0].to_text() == "fabric.test."
    assert dns.rdatatype.MX == wire.MX
