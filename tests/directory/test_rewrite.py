"""What an update makes of an operator's file: only the lines that say it differ."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

import dns.message
import dns.update
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from directory import wire
from directory.rewrite import Rewritten, rewrite
from directory.update import Refused, Update, read_update, updated
from directory.zone import Node, Zone
from directory.zone_text import read_zone
from tests.directory import fabricated

EXAMPLES = Path(__file__).parents[2] / "zones"


def read(content: bytes, domain: str = "example.org") -> Zone:
    reading = read_zone(content, domain)
    assert reading.zone is not None, reading.problems
    return reading.zone


def after(content: bytes, update: dns.update.UpdateMessage, domain: str = "example.org") -> tuple[list[str], bool]:
    """The lines that go (-) and come (+), the serial's aside; and whether the file was edited in place."""
    result = rewritten(content, update, domain)
    diff = difflib.unified_diff(content.decode().splitlines(), result.content.decode().splitlines(), n=0, lineterm="")
    lines = [f"{line[0]} {line[1:]}" for line in list(diff)[2:] if line[0] in "+-"]
    return [line for line in lines if "serial" not in line and "SOA" not in line], result.in_place


def rewritten(content: bytes, update: dns.update.UpdateMessage, domain: str = "example.org") -> Rewritten:
    """What the file becomes, which reads as the zone that was asked for."""
    zone = read(content, domain)
    asked = read_update(update.to_wire(), zone.origin)
    assert isinstance(asked, Update), asked
    nodes = updated(zone, asked)
    assert not isinstance(nodes, Refused)
    result = rewrite(content, zone, nodes, zone.serial + 1)
    again = read(result.content, domain)
    assert filled(again.nodes) == filled(Zone(zone.origin, nodes).with_serial(zone.serial + 1).nodes)
    return result


def filled(nodes: Mapping[bytes, Node]) -> dict[bytes, Node]:
    return {owner: node for owner, node in nodes.items() if node}


def moved(name: str, host: str, zone: str = "example.org") -> dns.update.UpdateMessage:
    update = dns.update.UpdateMessage(zone)
    update.replace(name, 300, "MX", f"10 {host}.{zone}.")
    return update


def test_a_bucket_s_move_changes_its_line() -> None:
    content = fabricated.text().encode()
    lines, in_place = after(content, moved("b3.timeline", "host-3", "fabric.test"), "fabric.test")
    assert in_place and lines == ["- b3.timeline MX 10 host-2", "+ b3.timeline MX 10 host-3"]


def test_the_serial_keeps_its_column_and_its_comment() -> None:
    content = fabricated.text(serial=99).encode()
    zone = read(content, "fabric.test")
    text = rewrite(content, zone, zone.nodes, 100).content.decode()
    assert "        100        ; serial: raise it\n" in text
    assert text.replace("        100        ;", "        99         ;") == content.decode()


def test_a_bucket_is_cut_out_of_its_range() -> None:
    content = (EXAMPLES / "one-host.example.zone").read_bytes()
    update = dns.update.UpdateMessage("example.org")
    update.add("host-2", 300, "A", "192.0.2.2")
    update.add("host-2", 300, "MX", "10 host-2.example.org.")
    update.replace("b56.timeline", 300, "MX", "10 host-2.example.org.")
    update.replace("b0.reflectors", 300, "MX", "10 host-2.example.org.")
    update.replace("b4095.reflectors", 60, "MX", "10 host-2.example.org.")
    lines, in_place = after(content, update)
    assert in_place
    assert [line for line in lines if line[2:4] in ("$G", "b5", "b0", "b4")] == [
        '- $GENERATE 0-4095  b$.timeline    MX  "10 host-1"',
        '- $GENERATE 0-4095  b$.reflectors  MX  "10 host-1"',
        '+ $GENERATE 0-55  b$.timeline    MX  "10 host-1"',
        "+ b56.timeline MX 10 host-2",
        '+ $GENERATE 57-4095  b$.timeline    MX  "10 host-1"',
        "+ b0.reflectors MX 10 host-2",
        '+ $GENERATE 1-4094  b$.reflectors  MX  "10 host-1"',
        "+ b4095.reflectors 60 MX 10 host-2",
    ]
    assert any("host-2" in line and " A 192.0.2.2" in line for line in lines)


def test_a_bucket_s_own_lines_keep_their_comments_and_their_form() -> None:
    content = (EXAMPLES / "three-hosts.example.zone").read_bytes()
    update = dns.update.UpdateMessage("example.org")
    update.delete("b1000.timeline", "MX", "10 host-3.example.org.")
    update.add("b1000.timeline", 300, "MX", "10 host-2.example.org.")
    lines, in_place = after(content, update)
    assert in_place and lines == [
        "- b1000                    MX   10 host-3.example.org.       ; one bucket moved from host-1 to host-3,",
        "+ b1000                    MX   10 host-2.example.org.       ; one bucket moved from host-1 to host-3,",
    ]


def test_who_loses_the_first_line_keeps_the_name() -> None:
    content = (EXAMPLES / "three-hosts.example.zone").read_bytes()
    update = dns.update.UpdateMessage("example.org")
    update.delete("b1000.timeline", "MX", "10 host-3.example.org.")
    lines, in_place = after(content, update)
    assert in_place and lines == [
        "- b1000                    MX   10 host-3.example.org.       ; one bucket moved from host-1 to host-3,",
        "-                          MX   20 host-1.example.org.       ; with the standby that host-3 has",
        "+ b1000                    MX   20 host-1.example.org.       ; with the standby that host-3 has",
    ]


def test_a_new_ttl_and_a_new_host_and_one_that_goes() -> None:
    content = fabricated.text().encode()
    update = dns.update.UpdateMessage("fabric.test")
    update.replace("host-2", 60, "A", "192.0.2.22")
    update.delete("host-3._domainkey.fabric")
    update.add("host-4", 300, "A", "192.0.2.4")
    lines, in_place = after(content, update, "fabric.test")
    assert in_place
    assert lines[0:2] == ["- host-2 A 192.0.2.2", "+ host-2 60 A 192.0.2.22"]
    assert [line.partition(" TXT")[0] for line in lines[2:]] == [
        "- host-3._domainkey.fabric",
        "+ host-4       A 192.0.2.4",
    ]


def test_what_cannot_be_edited_in_place_is_written_out_anew() -> None:
    text = fabricated.text().replace("b3.timeline MX 10 host-2\n", "b3.timeline MX 10 host-2 ; old\n\tMX 20 host-1\n")
    odd = text.replace("$TTL 300\n", "").replace("@   SOA", "@ 300 SOA")  # TTLs follow what was written last
    zone = read(odd.encode(), "fabric.test")
    update = read_update(moved("b2.timeline", "host-3", "fabric.test").to_wire(), zone.origin)
    assert isinstance(update, Update)
    nodes = updated(zone, update)
    assert not isinstance(nodes, Refused)
    b2 = nodes[wire.name_of("b2.timeline.fabric.test")]
    assert rewrite(odd.encode(), zone, nodes, 11).in_place and b2[wire.MX].ttl == 300
    changed = dns.update.UpdateMessage("fabric.test")
    changed.replace("b1.timeline", 60, "MX", "10 host-3.fabric.test.")  # a TTL that would leak into what follows
    lines, in_place = after(odd.encode(), changed, "fabric.test")
    assert not in_place and lines


NAMES = st.sampled_from(
    [
        "@",
        "host-1",
        "b0.timeline",
        "b55.timeline",
        "b1000.timeline",
        "b2048.timeline",
        "b4095.reflectors",
        "new",
        "x.new",
    ]
)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["add", "replace", "delete", "delete set", "delete name"]),
        NAMES,
        st.sampled_from([60, 300]),
        st.sampled_from(
            [("MX", "10 host-2.example.org."), ("MX", "20 host-3"), ("A", "192.0.2.9"), ("TXT", '"a b" "c"')]
        ),
    ),
    max_size=6,
)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.zone")), ids=lambda path: path.name)
@settings(max_examples=8, deadline=None)
@given(CHANGES)
def test_whatever_is_updated_is_what_is_written(
    path: Path, changes: list[tuple[str, str, int, tuple[str, str]]]
) -> None:
    update = dns.update.UpdateMessage("example.org")
    for what, name, ttl, data in changes:
        if what in ("add", "replace"):
            getattr(update, what)(name, ttl, *data)
        else:
            update.delete(name, *{"delete": data, "delete set": data[:1], "delete name": ()}[what])
    rewritten(path.read_bytes(), update)
