"""SPF, evaluated: what a domain says of an address, whatever it says."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence

import pytest

from heliograph.judging.spf.evaluation import QUESTIONS_MAX, Question, check
from heliograph.judging.spf.record import read_record

Zone = Mapping[tuple[str, str], Sequence[str] | None]  # None: nobody answers
Told = Callable[[Question], Sequence[str] | None]

US, OTHER, SIX = "192.0.2.3", "198.51.100.9", "2001:db8::cb01"


def follow(told: Told, client: str, sender: str, helo: str = "mx.example.com") -> tuple[str, list[Question]]:
    asked: list[Question] = []
    steps = check(ipaddress.ip_address(client), sender, helo)
    try:
        question = next(steps)
        while True:
            asked.append(question)
            assert len(asked) <= QUESTIONS_MAX
            question = steps.send(told(question))
    except StopIteration as end:
        return end.value, asked


def of(zone: Zone) -> Told:
    return lambda question: zone.get((question.name.lower(), question.kind), ())


def says(record: str, client: str = US, more: Zone | None = None, sender: str = "bob@example.com") -> str:
    return follow(of({("example.com", "TXT"): (record,), **(more or {})}), client, sender)[0]


HOSTS: Zone = {
    ("example.com", "A"): (US,),
    ("example.com", "AAAA"): (SIX,),
    ("example.com", "MX"): ("mx.example.com", "mx2.example.com"),
    ("mx2.example.com", "A"): (OTHER,),
    ("mx.example.com", "A"): ("203.0.113.1",),
    ("mx2.example.com", "AAAA"): ("2001:db8:1::1",),
    ("ok.example.org", "TXT"): ("v=spf1 ip4:192.0.2.0/28 -all",),
    ("soft.example.org", "TXT"): ("v=spf1 ~all",),
    ("nothing.example.org", "TXT"): ("hello",),
    ("wrong.example.org", "TXT"): ("v=spf1 aal",),
    ("silent.example.org", "TXT"): None,
    ("silent.example.org", "A"): None,
    ("3.2.0.192.in-addr.arpa", "PTR"): ("liar.example.net", "Mail.Example.com"),
    ("mail.example.com", "A"): (US,),
}


@pytest.mark.parametrize(
    ("record", "client", "result"),
    [
        ("v=spf1", US, "neutral"),
        ("v=spf1 -all", US, "fail"),
        ("V=SPF1  ?ALL ", US, "neutral"),
        ("v=spf10 +all", US, "none"),
        ("v=spf1 ip4:192.0.2.3 -all", US, "pass"),
        ("v=spf1 ip4:192.0.2.0/30 -all", f"::ffff:{US}", "pass"),
        ("v=spf1 ip4:192.0.2.4/30 -all", US, "fail"),
        ("v=spf1 ip6:2001:db8::/32 -all", SIX, "pass"),
        ("v=spf1 ip6:::ffff:192.0.2.3 -all", US, "fail"),
        ("v=spf1 a ~all", US, "pass"),
        ("v=spf1 a ~all", SIX, "pass"),
        ("v=spf1 a:example.com/24//64 -all", "192.0.2.200", "pass"),
        ("v=spf1 a//64 -all", "192.0.2.200", "fail"),
        ("v=spf1 mx -all", OTHER, "pass"),
        ("v=spf1 mx//48 -all", "2001:db8:1::9", "pass"),
        ("v=spf1 mx:mx.example.com a -all", US, "pass"),  # no MX is no A either
        ("v=spf1 ptr -all", US, "pass"),
        ("v=spf1 ptr:mail.example.com -all", US, "pass"),
        ("v=spf1 ptr:example.net -all", US, "fail"),  # the name does not lead back
        ("v=spf1 ptr:ample.com -all", US, "fail"),
        ("v=spf1 exists:mail.example.com -all", SIX, "pass"),  # an A, whoever the client is
        ("v=spf1 include:ok.example.org -all", US, "pass"),
        ("v=spf1 include:ok.example.org ~all", OTHER, "softfail"),
        ("v=spf1 include:soft.example.org -all", US, "fail"),
        ("v=spf1 include:nothing.example.org +all", US, "permerror"),
        ("v=spf1 include:wrong.example.org +all", US, "permerror"),
        ("v=spf1 include:silent.example.org +all", US, "temperror"),
        ("v=spf1 a:silent.example.org +all", US, "temperror"),
        ("v=spf1 +all a:silent.example.org", US, "pass"),
        ("v=spf1 redirect=soft.example.org", US, "softfail"),
        ("v=spf1 redirect=nothing.example.org", US, "permerror"),
        ("v=spf1 redirect=nothing.example.org -all", US, "fail"),
        ("v=spf1 -all exp=why.example.com", US, "fail"),
        ("v=spf1 a:no_such.example.com a:none.example.com -all", US, "fail"),
        ("v=spf1 a:no1.example.com a:no2.example.com a:no3.example.com -all", US, "permerror"),
    ],
)
def test_what_a_record_says(record: str, client: str, result: str) -> None:
    assert says(record, client, HOSTS) == result


@pytest.mark.parametrize(
    "terms",
    [
        "all:x",
        "al",
        "allow",
        "+",
        "include",
        "include:",
        "include:org",
        "exists",
        "exists:a.b/24",
        "a:",
        "a:com",
        "a:x.123",
        "a:x.-com",
        "a/33",
        "a/024",
        "a//129",
        "a/24/64",
        "a/9999999999999999",
        "mx:x.com:25",
        "ptr/24",
        "ip4:192.0.2.3/255.255.255.0",
        "ip4:192.0.2.300",
        "ip4:192.0.2.3/",
        "ip4:example.com",
        "ip4",
        "ip6:fe80::1%eth0",
        "ip6:192.0.2.3",
        "a:%{x}.example.com",
        "a:%{d0}.example.com",
        "a:%(d).example.com",
        "a:%",
        "a:%{d}.ex\u00e4mple.com",
        "a\tmx",
        "redirect=",
        "redirect=%{d} redirect=%{d}",
        "exp=x.com exp=y.com",
        "exp=com",
        "k=%{",
    ],
)
def test_one_wrong_word_is_no_record(terms: str) -> None:
    assert read_record(f"v=spf1 +all {terms}") is None
    assert says(f"v=spf1 +all {terms}") == "permerror"


def test_other_words_are_passed_over() -> None:
    assert says("v=spf1 op=auth op=a:b/c x.y-z_1=%{d} -all") == "fail"


def test_two_records_are_none_that_can_be_read() -> None:
    assert (
        follow(of({("example.com", "TXT"): ("v=spf1 +all", "x", "v=spf1 +all")}), US, "a@example.com")[0] == "permerror"
    )


@pytest.mark.parametrize(
    ("sender", "helo", "result"),
    [
        ("@example.com", "x", "pass"),
        ("Bob@EXAMPLE.com", "x", "pass"),
        ('"a@b"@example.com', "x", "pass"),
        ("bob@b\u00fccher.example", "x", "softfail"),
        ("bob@\u0000\u00fc.example", "x", "none"),
        ("b\u00f6b@lp.example.com", "x", "fail"),  # RFC 8616 4: %{l} never matches
        ("b\u00f6b@li.example.com", "x", "fail"),
        ("bob@lp.example.com", "x", "pass"),
        ("bob@li.example.com", "x", "permerror"),
        ("@lp.example.com", "x", "fail"),
        ("@pm.example.com", "x", "pass"),
        ("bob@[192.0.2.3]", "x", "none"),
        ("bob@localhost", "x", "none"),
        ("bob@" + "a" * 64 + ".com", "x", "none"),
        ("bob@a..com", "x", "none"),
        ("bob@h.example.com", "[192.0.2.3]", "fail"),
        ("bob@h.example.com", "\u00fc", "fail"),
        ("bob@h.example.com", "example.com", "pass"),
    ],
)
def test_whose_name_it_is(sender: str, helo: str, result: str) -> None:
    zone: Zone = {
        **HOSTS,
        ("example.com", "TXT"): ("v=spf1 a -all",),
        ("xn--bcher-kva.example", "TXT"): ("v=spf1 ~all",),
        ("lp.example.com", "TXT"): ("v=spf1 exists:%{l}.lp.example.org -all",),
        ("bob.lp.example.org", "A"): (US,),
        ("li.example.com", "TXT"): ("v=spf1 include:%{l}.lp.example.org -all",),
        ("pm.example.com", "TXT"): ("v=spf1 exists:%{l}.lp.example.net -all",),
        ("postmaster.lp.example.net", "A"): (US,),
        ("h.example.com", "TXT"): ("v=spf1 a:%{h} -all",),
    }
    assert follow(of(zone), US, sender, helo)[0] == result
