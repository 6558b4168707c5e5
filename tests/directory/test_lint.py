"""One bad zone for each rule. Each is the good zone with one edit, as an operator would make it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from directory.fabric import to_directory
from directory.lint import lint
from directory.problem import Problem, errors
from directory.zone_text import read_zone
from tests.directory import fabricated
from tests.directory.fabricated import BUCKETS, DOMAIN

GOOD = fabricated.text()
KEY = 'host-2._domainkey.fabric TXT "v=DKIM1; k=ed25519; p='


def swap(old: str, new: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return edit


def drop(*starts: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        lines = text.splitlines()
        kept = [line for line in lines if not line.startswith(starts)]
        assert len(kept) < len(lines)
        return "\n".join(kept) + "\n"

    return edit


def add(line: str) -> Callable[[str], str]:
    return lambda text: f"{text}$ORIGIN {DOMAIN}.\n{line}\n"


def judge(text: str, previous: int | None = None) -> tuple[Problem, ...]:
    reading = read_zone(text.encode(), DOMAIN)
    assert reading.zone is not None, reading.problems
    return lint(reading.zone, buckets=BUCKETS, previous_serial=previous)


def test_the_good_zone_is_good() -> None:
    assert judge(GOOD) == ()
    assert judge(GOOD, previous=10) == judge(GOOD, previous=9) == ()


ERRORS = {
    "no timeline bucket": (drop("b3.timeline"), "b3.timeline has no MX", ""),
    "no reflectors bucket": (drop("b7.reflectors"), "b7.reflectors has no MX", ""),
    "a bucket too many": (
        add("b8.timeline MX 10 host-1"),
        "b8.timeline is no bucket: they are b0 to b7",
        "b8.timeline",
    ),
    "a mistyped bucket": (add("b07.reflectors MX 10 host-1"), "b07.reflectors is no bucket", "b07.reflectors"),
    "null MX": (swap("b3.timeline MX 10 host-2", "b3.timeline MX 0 ."), "null MX", "b3.timeline"),
    "MX to an alias": (
        lambda text: add("old CNAME host-1")(swap("b3.timeline MX 10 host-2", "b3.timeline MX 10 old")(text)),
        "is an alias",
        "b3.timeline",
    ),
    "MX to an unknown host": (
        swap("b3.timeline MX 10 host-2", "b3.timeline MX 10 host-9"),
        "unknown host",
        "b3.timeline",
    ),
    "MX outside": (swap("b3.timeline MX 10 host-2", "b3.timeline MX 10 mx.example.org."), "no host of", "b3.timeline"),
    "MX with the dot forgotten": (
        swap("b3.timeline MX 10 host-2", "b3.timeline MX 10 host-2.fabric.test"),
        "is host-2.fabric.test, which is no host",
        "b3.timeline",
    ),
    "MX to a map": (swap("b3.timeline MX 10 host-2", "b3.timeline MX 10 reflectors"), "no host of", "b3.timeline"),
    "standby unknown": (add("b3.timeline MX 20 host-9"), "unknown host", "b3.timeline MX 20"),
    "MX of the domain unknown": (swap("@           MX 10 host-2", "@ MX 10 host-9"), "unknown host", "@ MX 10 host-9"),
    "standby of itself": (
        add("b3.timeline MX 20 HOST-2"),
        "b3.timeline has host-2 for its owner and for its standby",
        "b3.timeline MX 20",
    ),
    "two owners": (add("b3.timeline MX 10 host-3"), "b3.timeline has two owners", "b3.timeline"),
    "TTL too short": (swap("b3.timeline MX", "b3.timeline 29 MX"), "TTL of 29", "b3.timeline"),
    "TTL too long": (swap("b3.reflectors MX", "b3.reflectors 3601 MX"), "TTL of 3601", "b3.reflectors"),
    "no _heliograph": (drop("_heliograph"), "no _heliograph", ""),
    "_heliograph with another count": (swap("buckets=8", "buckets=16"), "disagrees", "_heliograph"),
    "_heliograph with another hash": (swap("hash=mmh3-32", "hash=crc32"), "disagrees", "_heliograph"),
    "_heliograph with another seed": (swap("seed=0", "seed=1"), "disagrees", "_heliograph"),
    "_heliograph twice": (add('_heliograph TXT "v=1 buckets=16 hash=mmh3-32 seed=0"'), "disagrees", "_heliograph"),
    "no MX for D": (drop("@           MX"), "fabric.test has no MX", ""),
    "no MX for timeline": (drop("timeline    MX"), "timeline has no MX", ""),
    "no MX for reflectors": (drop("reflectors  MX"), "reflectors has no MX", ""),
    "host without address": (
        swap("host-2 A 192.0.2.2", "host-2 TXT none"),
        "host host-2 has no address",
        "host-2 TXT",
    ),
    "key without address": (
        add('host-7._domainkey.fabric TXT "v=DKIM1; k=ed25519; p=x"'),
        "host-7 has no address",
        "host-7",
    ),
    "key that is no base64": (swap(KEY, KEY + "!"), "key of host host-2 cannot be read", KEY),
    "key too short": (swap(KEY + "AgIC", KEY), "key of host host-2 cannot be read", KEY),
    "key of another kind": (swap(KEY, KEY.replace("ed25519", "rsa")), "cannot be read", "host-2._domainkey"),
    "two keys": (
        add('host-2._domainkey.fabric TXT "v=DKIM1; k=ed25519; p=AAAA"'),
        "cannot be read",
        "host-2._domainkey",
    ),
    "SRV to nothing": (add("_imap._tcp SRV 0 1 143 host-9"), "names host-9, which has no address", "_imap._tcp"),
    "SRV with the dot forgotten": (
        swap("_imaps._tcp SRV 0 1 993 mail", "_imaps._tcp SRV 0 1 993 mail.fabric.test"),
        "which has no address",
        "_imaps._tcp",
    ),
    "SRV to an alias": (add("_pop3s._tcp SRV 0 1 995 autoconfig"), "is an alias (CNAME)", "_pop3s._tcp"),
    "SRV with port 0": (add("_pop3s._tcp SRV 0 1 0 host-1"), "has port 0", "_pop3s._tcp"),
    "the name of the SRV gone": (drop("mail A"), "names mail, which has no address", "_imaps._tcp"),
    "an MX to itself under another name": (
        lambda text: add("host-4 A 192.0.2.2")(swap("b3.timeline MX 10 host-2", "b3.timeline MX 10 host-4")(text)),
        "host-4 has the address of host-2, 192.0.2.2: a host under two names",
        "host-4 A",
    ),
    "two hosts at one address": (swap("host-3 A 192.0.2.3", "host-3 A 192.0.2.1"), "address of host-1", "host-3 A"),
    "NS without address": (add("@ NS ns9"), "the NS ns9 has no address", "@ NS ns9"),
    "NS with the dot forgotten": (
        swap("@   NS host-2", "@   NS host-2.fabric.test"),
        "has no address",
        "@   NS host-2.",
    ),
    "no NS": (drop("@   NS"), "no NS", ""),
    "a delegation": (add("sub NS ns.example.org."), "sub is delegated", "sub NS"),
    "a wildcard": (add("*.timeline MX 10 host-1"), "wildcard", "*.timeline"),
    "a DNAME": (add("x DNAME example.org."), "DNAME", "x DNAME"),
}


@pytest.mark.parametrize(("edit", "words", "start"), ERRORS.values(), ids=ERRORS)
def test_is_refused(edit: Callable[[str], str], words: str, start: str) -> None:
    text = edit(GOOD)
    found = [problem for problem in errors(judge(text)) if words in problem.text]
    assert found, judge(text)
    assert all(problem.remedy.endswith(".") for problem in found)
    if start:  # the line is the one at fault
        assert any(text.splitlines()[problem.line - 1].startswith(start) for problem in found), found
    else:
        assert found[0].line == 0


WARNINGS = {
    "no key": (drop("host-2._domainkey"), "host host-2 has no key"),
    "a revoked key": (swap(KEY + "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=", KEY), "host host-2 has no key"),
    "an expire before the next try": (swap("14d        ; expire", "300        ; expire"), "expire after 300 seconds"),
    "a day of no": (swap("60 )       ; how", "1d )       ; how"), "remember for 86400 seconds"),
    "no standby for one bucket": (
        add("b0.timeline MX 20 host-2\nb1.timeline MX 20 host-2"),
        "b2.timeline (and 3 more buckets) names no standby, and the others of host-1 name host-2",
    ),
    "another standby": (
        add("b0.timeline MX 20 host-2\nb1.timeline MX 20 host-2\nb2.timeline MX 20 host-3"),
        "b2.timeline has the standby host-3, but host-1 has one for all, host-2",
    ),
    "two standbys": (add("b3.timeline MX 20 host-1\nb3.timeline MX 30 host-3"), "only host-1 is one"),
    "TTLs in one set": (add("b3.timeline 60 MX 20 host-1"), "different TTLs; 60 is served"),
}


@pytest.mark.parametrize(("edit", "words"), WARNINGS.values(), ids=WARNINGS)
def test_is_warned_of(edit: Callable[[str], str], words: str) -> None:
    problems = judge(edit(GOOD))
    assert errors(problems) == ()
    assert any(words in problem.text and problem.warning for problem in problems), problems


def test_a_service_may_be_elsewhere_or_not_be_offered() -> None:
    assert judge(add("_pop3s._tcp SRV 0 0 0 .\n_sip._tcp SRV 0 1 5060 sip.example.org.")(GOOD)) == ()


@pytest.mark.parametrize(
    ("previous", "back"),
    [(11, True), (10, False), (9, False), (2**31 + 9, True), (2**31 + 11, False), (2**32 - 1, False)],
)
def test_a_serial_goes_back_on_the_circle_of_rfc_1982(previous: int, back: bool) -> None:
    problems = judge(GOOD, previous)
    assert any("goes back" in problem.text for problem in problems) is back
    if back:
        assert "SOA" in GOOD.splitlines()[problems[0].line - 1]


def test_a_zone_full_of_mistakes_is_told_in_fifty_lines() -> None:
    problems = judge(drop("b")(GOOD) + "$GENERATE 0-5000 b$.timeline MX 10 host-9\n")
    assert len(problems) == 51 and "more like these" in problems[-1].text


def test_the_directory_of_a_zone() -> None:
    text = drop("host-3._domainkey")(GOOD)
    text = add("b3.timeline MX 5 host-3\nhost-3 AAAA 2001:db8::3\nwww A 192.0.2.80")(text)
    directory = to_directory(fabricated.zone(text))
    assert (directory.names.domain, directory.names.buckets, directory.serial) == (DOMAIN, BUCKETS, 10)
    assert directory.timeline == ("host-1", "host-1", "host-1", "host-3", "host-2", "host-2", "host-3", "host-3")
    assert directory.reflectors[3] == "host-2"  # the two maps move separately; the lowest preference owns
    assert sorted(directory.hosts) == ["host-1", "host-2", "host-3"]
    assert directory.hosts["host-2"].address == "192.0.2.2"
    assert [directory.key_of(host) for host in ("host-2", "host-3")] == [b"\2" * 32, None]


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "zones").glob("*.zone")), ids=lambda path: path.name
)
def test_the_example_zones_load_and_lint(path: Path) -> None:
    reading = read_zone(path.read_bytes(), "example.org")
    assert reading.zone is not None, reading.problems
    assert lint(reading.zone, buckets=4096) == ()
    directory = to_directory(reading.zone)
    if "three" in path.name:
        moved = {bucket: directory.timeline[bucket] for bucket in (999, 1000, 1001, 2047, 2048, 2049)}
        assert moved == {999: "host-1", 1000: "host-3", 1001: "host-1", 2047: "host-2", 2048: "host-1", 2049: "host-2"}
        assert directory.reflectors[3583:3585] == ("host-3", "host-1")
