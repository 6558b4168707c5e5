"""Who takes a domain's mail, as the DNS says it."""

from __future__ import annotations

import pytest

from mail.outcome import Deferred, Refused
from spool.mx import LOOP, NULL_MX, Exchanges
from spool.smtp_client import Peer
from tests.spool.dns_server import Names

RECORDS = {
    ("b.test", "MX"): ["20 second.b.test.", "10 first.b.test.", "30 gone.b.test."],
    ("first.b.test", "A"): ["192.0.2.1"],
    ("first.b.test", "AAAA"): ["2001:db8::1"],
    ("second.b.test", "A"): ["192.0.2.3"],
    ("bare.test", "A"): ["192.0.2.4"],
    ("null.test", "MX"): ["0 ."],
    ("loop.test", "MX"): ["10 us.test.", "20 second.b.test."],
    ("backup.test", "MX"): ["10 first.b.test.", "20 us.test.", "20 second.b.test.", "30 second.b.test."],
    ("us.test", "A"): ["192.0.2.99"],
    ("dead.test", "MX"): ["10 gone.b.test."],
    ("half.test", "MX"): ["10 broken.test.", "20 second.b.test."],
    ("unsure.test", "MX"): ["10 broken.test.", "20 us.test."],
    ("number.test", "MX"): ["10 192.0.2.7."],
    ("nothing.test", "TXT"): ["x"],
    ("sly.test", "MX"): ["10 sly.test.", "20 mapped.test.", "30 second.b.test."],
    ("sly.test", "A"): ["127.0.0.1", "0.0.0.0", "169.254.169.254"],
    ("sly.test", "AAAA"): ["::1", "fe80::1"],
    ("mapped.test", "MX"): ["10 mapped.test."],
    ("mapped.test", "AAAA"): ["::ffff:127.0.0.1"],
}


async def find(domain: str, names: Names) -> object:
    exchanges = Exchanges(
        port=25, own_addresses=frozenset({"192.0.2.99"}), resolver=names.address, shuffle=lambda x: None
    )
    found = await exchanges.of_domain(domain)
    return [peer.address for peer in found] if isinstance(found, list) else found


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("b.test", ["2001:db8::1", "192.0.2.1", "192.0.2.3"]),
        ("bare.test", ["192.0.2.4"]),  # RFC 5321 5.1: no MX, so the domain itself
        ("null.test", NULL_MX),
        ("loop.test", LOOP),
        ("backup.test", ["2001:db8::1", "192.0.2.1"]),  # nobody who is no better than we
        ("half.test", ["192.0.2.3"]),
        ("[192.0.2.5]", ["192.0.2.5"]),
        ("[IPv6:2001:db8::5]", ["2001:db8::5"]),
        ("[192.0.2.99]", LOOP),
        ("sly.test", ["192.0.2.3"]),  # what listens on this machine is no server of theirs
        ("[127.0.0.1]", LOOP),
    ],
)
async def test_peers_come_in_the_order_of_preference(domain: str, expected: object) -> None:
    async with Names(RECORDS, failing={"broken.test"}) as names:
        assert await find(domain, names) == expected


@pytest.mark.parametrize(
    "domain", ["none.test", "dead.test", "number.test", "nothing.test", "mapped.test", "x" * 64 + ".test"]
)
async def test_a_no_of_the_dns_refuses(domain: str) -> None:
    async with Names(RECORDS) as names:
        assert isinstance(await find(domain, names), Refused)


@pytest.mark.parametrize("domain", ["broken.test", "unsure.test"])
async def test_a_failing_dns_only_defers(domain: str) -> None:
    async with Names(RECORDS, failing={"broken.test"}) as names:
        assert isinstance(await find(domain, names), Deferred)


async def test_on_one_machine_all_are_there() -> None:
    async with Names(RECORDS) as names:
        exchanges = Exchanges(port=25, own_addresses=frozenset({"127.0.1.1"}), resolver=names.address)
        found = await exchanges.of_domain("mapped.test")
        assert isinstance(found, list) and [peer.address for peer in found] == ["::ffff:127.0.0.1"]


async def test_an_answer_is_asked_for_once() -> None:
    async with Names(RECORDS) as names:
        exchanges = Exchanges(port=2525, own_addresses=frozenset(), resolver=names.address)
        for _ in range(3):
            found = await exchanges.of_domain("b.test")
            assert isinstance(found, list) and found[0].port == 2525 and found[0].name == "first.b.test"
        assert names.asked.count(("b.test", "MX")) == 1


async def test_the_operator_s_relay_is_asked_for_no_mx() -> None:
    async with Names(RECORDS) as names:
        exchanges = Exchanges(port=25, own_addresses=frozenset(), resolver=names.address)
        assert await exchanges.of_relay("second.b.test:587") == [Peer("192.0.2.3", 587, "second.b.test")]
        assert await exchanges.of_relay("[::1]:26") == [Peer("::1", 26, "::1")]
        assert isinstance(await exchanges.of_relay("none.test:25"), Deferred)  # the operator will mend it
        assert ("second.b.test", "MX") not in names.asked
