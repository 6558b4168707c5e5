"""What SPF's macros mean: names made of a sender, its client and words."""

from __future__ import annotations

import pytest

from heliograph.judging.spf.macros import read_words
from tests.judging.test_spf import HOSTS, SIX, US, Zone, follow, of


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
