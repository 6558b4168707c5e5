"""A new fabric's zone: it lints, spreads the buckets evenly, and can be edited a line a bucket."""

from __future__ import annotations

from collections import Counter

import dns.zone
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from directory.fabric import to_directory
from directory.lint import lint
from directory.render import ServicePorts, Spread, render_zone, zone_text
from directory.snapshot import HostRecord
from directory.zone_text import read_zone
from tests.directory.fabricated import hosts


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 5), st.sampled_from(["ranges", "round-robin"]), st.integers(0, 2**32 - 1))
def test_it_lints_and_is_even(buckets: int, count: int, spread: Spread, serial: int) -> None:
    text = render_zone("fabric.test", buckets, hosts(count=count), serial=serial, spread=spread)
    zone = read_zone(text.encode(), "fabric.test").zone
    assert zone is not None
    assert lint(zone, buckets=buckets) == ()
    directory = to_directory(zone)
    assert directory.hosts == {host.name: host for host in hosts(count=count)}
    assert zone.serial == directory.serial == serial
    for owners in (directory.timeline, directory.reflectors):
        shares = Counter(owners).values()
        assert len(owners) == buckets and max(shares) - min(shares) <= 1
        assert spread == "round-robin" or list(owners) == sorted(owners)
    assert read_zone(zone_text(zone, "").encode(), "fabric.test").zone == zone


def test_one_edited_line_moves_one_bucket() -> None:
    text = render_zone("fabric.test", 16, hosts())
    assert text.count("b7.timeline MX 10 host-2\n") == 1
    moved = read_zone(text.replace("b7.timeline MX 10 host-2\n", "b7.timeline MX 10 host-3\n").encode(), "fabric.test")
    before = read_zone(text.encode(), "fabric.test")
    assert moved.zone and before.zone
    old, new = to_directory(before.zone), to_directory(moved.zone)
    assert [bucket for bucket in range(16) if old.timeline[bucket] != new.timeline[bucket]] == [7]
    assert old.reflectors == new.reflectors


def test_clients_find_the_services_and_others_the_keys() -> None:
    ports = ServicePorts(submission=2587, submissions=2465, imap=0, imaps=2993)
    text = render_zone("fabric.test", 1, hosts(count=2), ports=ports, dkim={"mail": "v=DKIM1; k=rsa; p=" + "A" * 392})
    zone = dns.zone.from_text(text, "fabric.test.", relativize=False)
    assert str(zone.get_rdataset("_submission._tcp.fabric.test.", "SRV")[0]) == "0 1 2587 mail.fabric.test."
    assert len(zone.get_rdataset("mail.fabric.test.", "A")) == 2  # any host will do
    assert str(zone.get_rdataset("autoconfig.fabric.test.", "CNAME")[0]) == "mail.fabric.test."
    assert str(zone.get_rdataset("_imaps._tcp.fabric.test.", "SRV")[0]) == "0 1 2993 mail.fabric.test."
    assert zone.get_rdataset("_imap._tcp.fabric.test.", "SRV") is None
    key = zone.get_rdataset("mail._domainkey.fabric.test.", "TXT")[0]
    assert b"".join(key.strings) == b"v=DKIM1; k=rsa; p=" + b"A" * 392


@pytest.mark.parametrize(("key", "address"), [(None, "2001:db8::1"), (b"k" * 32, "127.0.0.1")])
def test_hosts_of_either_family_with_or_without_key(key: bytes | None, address: str) -> None:
    host = HostRecord("host-1", address, key)
    zone = read_zone(render_zone("fabric.test", 1, [host]).encode(), "fabric.test").zone
    assert zone is not None and to_directory(zone).hosts == {"host-1": host}
