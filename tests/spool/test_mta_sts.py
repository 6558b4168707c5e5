"""MTA-STS (RFC 8461): what a domain demanded once is held to, and nothing else changes."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph.founding import certificates
from mail.outcome import Deferred
from spool.mta_sts import NONE, Policies, Policy, read_policy, read_record
from spool.route import Abroad
from spool.smtp_client import Client, Session
from spool.smtp_client import Peer as There
from tests.spool.dns_server import Names
from tests.spool.queue_house import SETTINGS, House
from tests.spool.scripted_peer import Peer

FILE = b"version: STSv1\r\nmode: enforce\r\nmx: mx.b.test\r\nmx: *.mail.b.test\r\nmax_age: 86400\r\n"
TLS = ("PIPELINING", "STARTTLS")


def test_a_policy_is_read_and_names_hosts() -> None:
    policy = read_policy(FILE)
    assert policy == Policy("enforce", ("mx.b.test", "*.mail.b.test"), 86_400.0)
    assert policy.allows("MX.b.test.") and policy.allows("a.mail.b.test")
    assert not any(map(policy.allows, ("mail.b.test", "a.b.mail.b.test", "b.test", "xmx.b.test", "")))


@pytest.mark.parametrize("wrong", [b"STSv1", b"enforce", b"86400", b"mx.b.test"])
def test_a_file_without_what_it_needs_is_none(wrong: bytes) -> None:
    assert read_policy(FILE.replace(wrong, b"%%").replace(b"*.mail.b.test", b"%%")) is None


@given(st.binary(max_size=200))
def test_no_file_makes_it_raise(content: bytes) -> None:
    read_policy(content)
    read_policy(FILE + content)


def test_the_record() -> None:
    assert read_record(["v=spf1 -all", "v=STSv1; id=20260101T00;"]) == "20260101T00"
    for texts in ([], ["v=STSv1"], ["v=STSv1; id=a", "v=STSv1; id=b"], ["v=STSv1; id=a b"]):
        assert read_record(texts) == ""


class World:
    """A domain's record and file, both of which may be out of reach."""

    def __init__(self) -> None:
        self.id, self.file, self.now = "1", FILE, 0.0
        self.fetched = 0
        self.policies = Policies(self._texts, self._fetch, lambda: self.now)

    async def _texts(self, name: str) -> list[str]:
        return [f"v=STSv1; id={self.id}"] if self.id and name == "_mta-sts.b.test" else []

    async def _fetch(self, domain: str) -> bytes | None:
        self.fetched += 1
        await asyncio.sleep(0)
        return self.file or None


async def test_what_was_seen_holds_for_its_time_whoever_cuts_us_off() -> None:
    world = World()
    policies = world.policies
    assert [p.mode for p in await asyncio.gather(*(policies.of("b.test") for _ in range(9)))] == ["enforce"] * 9
    assert world.fetched == 1 and await policies.of("other.test") == NONE
    world.id = ""
    assert (await policies.of("b.test")).mode == "enforce"
    world.id, world.file = "2", b""
    for _ in range(5):
        assert (await policies.of("b.test")).mode == "enforce"
    assert world.fetched == 2  # and it is not asked again at once
    world.now += 301
    world.file = FILE.replace(b"enforce", b"testing")
    assert (await policies.of("b.test")).mode == "testing"
    world.id, world.now = "", world.now + 86_401
    assert await policies.of("b.test") == NONE


async def test_a_domain_that_cannot_be_asked_gets_its_mail_and_is_not_asked_all_the_time() -> None:
    world = World()
    world.file = b""
    for _ in range(5):
        assert await world.policies.of("b.test") == NONE
    assert world.fetched == 1


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context for mx.b.test, and one that trusts it."""
    place: Path = tmp_path_factory.mktemp("tls")
    ca = certificates.make_ca("b.test", time.time())
    pair = certificates.make_server(ca, host="mx", domain="b.test", address="127.0.0.9", now=time.time())
    (place / "both.pem").write_bytes(pair.key_pem() + pair.certificate_pem())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(place / "both.pem")
    return server, ssl.create_default_context(cadata=ca.certificate_pem().decode())


@pytest.mark.parametrize(
    ("name", "trusts", "features", "good"),
    [
        ("mx.b.test", True, TLS, True),
        ("mx2.b.test", True, TLS, False),
        ("mx.b.test", False, TLS, False),
        ("mx.b.test", True, ("PIPELINING",), False),
    ],
)
async def test_a_strict_peer_is_reached_under_good_tls_or_not_at_all(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], name: str, trusts: bool, features: tuple[str, ...], good: bool
) -> None:
    async with Peer(features=features, tls=tls[0]) as peer:
        client = Client("us.test", SETTINGS.timeouts, trust=tls[1] if trusts else None)
        reached = await client.connect(There("127.0.0.1", peer.port, name, strict=True))
        assert isinstance(reached, Session if good else Deferred) and peer.connections == 1
        assert "MAIL" not in " ".join(peer.heard)
        if isinstance(reached, Session):
            await reached.quit()


async def test_mail_waits_rather_than_go_where_the_policy_does_not_lead(tmp_path: Path) -> None:
    records = {
        ("b.test", "MX"): ["10 mx.b.test."],
        ("c.test", "MX"): ["10 evil.test."],
        ("d.test", "MX"): ["10 mx.b.test."],
        ("mx.b.test", "A"): ["127.0.0.1"],
        ("evil.test", "A"): ["127.0.0.1"],
        ("_mta-sts.b.test", "TXT"): ['"v=STSv1; " "id=1"'],
        ("_mta-sts.c.test", "TXT"): ['"v=STSv1; id=1"'],
    }

    async def fetch(domain: str) -> bytes:
        return FILE

    async with Peer(features=("PIPELINING",)) as peer, Names(records) as names:
        settings = replace(SETTINGS, resolver=names.address, foreign_port=peer.port)
        async with House(tmp_path, settings, start=False) as house:
            house.runner._fetch_policy = fetch
            await house.runner.start()
            house.fabric.routes = {f"a@{domain}": Abroad(domain) for domain in ("b.test", "c.test", "d.test")}
            await house.put("a@b.test", "a@c.test", "a@d.test")
            await house.until(lambda: [row.reply[:9] for row in house.waiting()] == ["451 4.7.5"] * 2)
            assert peer.recipients == ["a@d.test"]  # which demands nothing
