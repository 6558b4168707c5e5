"""SPF, evaluated: what a domain says of an address, whatever it says."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph.judging.spf.evaluation import QUESTIONS_MAX, Question, check
from heliograph.judging.spf.macros import read_words
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
    ("words", "name"),
    [  # RFC 7208 7.4
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ("%{S}", "strong-bad%40email.example.com"),
        ("%{h}.%%%_%-x.com", "mx.example.com.% %20x.com"),
        ("%{d00000000000000000000000000000000000002}", "example.com"),
        ("%{d99999999999999999999}", "email.example.com"),
        ("%{p}.x.com", "unknown.x.com"),
    ],
)
def test_what_macros_mean(words: str, name: str) -> None:
    _, asked = follow(
        of({("email.example.com", "TXT"): (f"v=spf1 exists:{words}",)}), US, "strong-bad@email.example.com"
    )
    assert asked[-1].name == name or ("." not in name and len(asked) == 1)


def test_the_clients_own_name() -> None:
    zone: Zone = {
        **HOSTS,
        ("example.com", "TXT"): ("v=spf1 exists:%{p}.ok.example.org",),
        ("3.2.0.192.in-addr.arpa", "PTR"): ("other.example.net", "mail.example.com", "example.com"),
        ("other.example.net", "A"): (US,),
        ("example.com.ok.example.org", "A"): (US,),
    }
    assert follow(of(zone), US, "a@example.com")[0] == "pass"


def test_an_address_of_ipv6_in_a_name() -> None:
    _, asked = follow(of({("example.com", "TXT"): ("v=spf1 exists:%{ir}.%{v}.arpa",)}), SIX, "a@example.com")
    assert asked[-1].name == "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"


def test_too_long_a_name_is_cut_from_the_left() -> None:
    words = read_words("long-label-that-goes." * 20 + "%{d}")
    assert words is not None
    name = words.expand({"d": "example.com"})
    assert 230 < len(name) <= 253 and name.startswith("long-label-that-goes.") and name.endswith(".example.com")


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


# limits


def test_ten_terms_that_ask() -> None:
    zone: Zone = {("example.com", "A"): (OTHER,)}
    assert says("v=spf1" + " a" * 10 + " +all", more=zone) == "pass"
    assert says("v=spf1" + " a" * 11 + " +all", more=zone) == "permerror"
    assert says("v=spf1" + " a" * 10 + " redirect=ok.example.org", more={**zone, **HOSTS, **zone}) == "permerror"
    assert says("v=spf1 include:example.com") == "permerror" == says("v=spf1 redirect=%{d}")


def test_ten_exchanges_and_ten_names() -> None:
    names = [f"m{number}.example.com" for number in range(11)]
    zone: Zone = {("example.com", "MX"): names, ("3.2.0.192.in-addr.arpa", "PTR"): names}
    hosts: Zone = {(name, "A"): (US if name == names[-1] else OTHER,) for name in names}
    assert says("v=spf1 mx -all", more={**zone, **hosts}) == "permerror"
    assert says("v=spf1 ptr -all", more={**zone, **hosts}) == "fail"
    assert says("v=spf1 ptr -all", more={**zone, ("m9.example.com", "A"): (US,)}) == "pass"  # nine in vain are no error


def test_whoever_brings_a_record_of_a_megabyte_waits_for_nobody() -> None:
    assert says("v=spf1 " + "a" * 1_000_000) == "permerror" == says("v=spf1 " + "%{d}" * 300_000)
    assert says("v=spf1 " + "ip4:192.0.2.1 " * 580) == "neutral"
    assert says("v=spf1 " + "ip4:192.0.2.1 " * 590) == "permerror"


# any input

MACROS = st.sampled_from(["%{d}", "%{p}", "%{l1r-}", "%{ir}", "%{S}", "%%", "%{h}", "%{o2}", "%", "%{d0}", "%{z}"])
NAMES = st.sampled_from(["example.com", "a.example", "b.example", "c..example", "com", "x." * 120 + "com", ""])
SPECS = st.builds(lambda *parts: "".join(parts), MACROS | NAMES, NAMES | MACROS)
MECHANISMS = st.sampled_from([sign + kind for sign in ("", "-", "~") for kind in "a mx ptr include exists".split()])
TERMS = st.one_of(
    st.builds("{}:{}{}".format, MECHANISMS, SPECS, st.sampled_from(["", "/24", "//64", "/0//0", "/33"])),
    st.builds("{}={}".format, st.sampled_from(["redirect", "exp", "x"]), SPECS),
    st.sampled_from(["a", "mx", "ptr", "ip4:192.0.2.0/24", "ip6:2001:db8::/32", "-all", "?all", "moo"]),
    st.text(max_size=10),
)
RECORDS = st.lists(TERMS, max_size=14).map(lambda terms: " ".join(["v=spf1", *terms]))
FOUND: dict[str, st.SearchStrategy[list[str]]] = {
    "TXT": st.lists(RECORDS | st.text(max_size=20), max_size=2),
    "A": st.lists(st.ip_addresses(v=4).map(str) | st.just(US), max_size=3),
    "AAAA": st.lists(st.ip_addresses(v=6).map(str) | st.just(SIX), max_size=3),
    "MX": st.lists(NAMES | st.text(max_size=9), max_size=12),
    "PTR": st.lists(NAMES | st.text(max_size=9), max_size=12),
}
RESULTS = {"pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"}


@given(st.data(), st.sampled_from([US, SIX, f"::ffff:{US}"]), st.text(max_size=20), st.text(max_size=20) | NAMES)
def test_whatever_is_said_a_check_ends(data: st.DataObject, client: str, local: str, domain: str) -> None:
    def told(question: Question) -> Sequence[str] | None:
        assert question.name.isascii() and len(question.name) <= 254 and ".." not in question.name
        return data.draw(st.none() if data.draw(st.integers(0, 9)) == 9 else FOUND[question.kind])

    result, asked = follow(told, client, f"{local}@{domain}", domain)
    assert result in RESULTS and len(asked) <= QUESTIONS_MAX


@given(st.text(max_size=300))
def test_any_text_is_a_record_or_none(text: str) -> None:
    read_record(f"v=spf1 {text}")
    read_words(text)


def test_the_most_that_one_message_costs() -> None:
    """Ten terms with ten exchanges each, and who the client is by ten names."""

    def told(question: Question, addresses: int = 1) -> Sequence[str]:
        names = [f"{question.kind}{number}.example.com" for number in range(10)]
        found = {"TXT": ["v=spf1 mx:%{p}.example.com" + " mx" * 9 + " -all"], "MX": names, "PTR": names}
        return found.get(question.kind, [OTHER] * addresses)

    result, asked = follow(told, US, "a@example.com")
    assert result == "permerror" and len(asked) == QUESTIONS_MAX
    result, asked = follow(lambda question: told(question, 100), US, "a@example.com")
    assert result == "permerror" and len(asked) < 10
