"""An SPF check ends, whatever it is told, and costs no more than it may."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from heliograph.judging.spf.evaluation import QUESTIONS_MAX, Question
from heliograph.judging.spf.macros import read_words
from heliograph.judging.spf.record import read_record
from tests.judging.test_spf import HOSTS, OTHER, SIX, US, Zone, follow, says


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
