"""Dynamic updates over the wire: what is taken, written and told; what is refused, and why."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable

import dns.asyncquery
import dns.message
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory import editor, wire
from directory.service import DirectoryService
from directory.tsig import FUDGE_SECONDS, Signer
from directory.update import Refused, read_update, updated
from tests.directory import fabricated
from tests.directory.fabricated import until
from tests.directory.test_service import Fabric, fabric, moved, owner
from tests.directory.test_tsig import KEY, KEYS, RING

__all__ = ["fabric"]

Edit = Callable[[dns.update.UpdateMessage], object]


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def primary(fabric: Fabric) -> AsyncIterator[DirectoryService]:
    service = fabric.host(1, keys=KEYS, update_keys=frozenset({KEY.name}), poll_seconds=3600.0)
    await service.start()
    yield service


async def send(fabric: Fabric, edit: Edit, *, sign: bool = True, tcp: bool = False, zone: str = "fabric.test") -> str:
    update = dns.update.UpdateMessage(zone, **({"keyring": RING} if sign else {}))
    edit(update)
    over = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
    reply = await over(update, f"{fabric.net}.1", port=fabric.dns_port, timeout=10)
    return dns.rcode.to_text(reply.rcode())


def move(bucket: str = "b3.timeline", host: str = "host-3") -> Edit:
    return lambda update: update.replace(bucket, 300, "MX", f"10 {host}.fabric.test.")


@pytest.mark.parametrize("tcp", [False, True])
async def test_an_update_moves_a_bucket_in_the_file_and_on_every_host(
    fabric: Fabric, primary: DirectoryService, tcp: bool
) -> None:
    (second,) = await fabric.start(2)
    fabric.live.chmod(0o640)
    before = fabric.live.read_text()
    assert await send(fabric, move(), tcp=tcp) == "NOERROR"
    assert (owner(primary), primary.current.serial) == ("host-3", 11)
    text = fabric.live.read_text()
    assert text == before.replace("b3.timeline MX 10 host-2", "b3.timeline MX 10 host-3").replace(
        "        10         ;", "        11         ;"
    )
    assert fabric.live.stat().st_mode & 0o777 == 0o640
    await until(moved(second, "host-3"))
    assert primary.problems == primary.warnings == ()
    assert await send(fabric, move()) == "NOERROR" and primary.current.serial == 11  # nothing changes, nor the serial


async def test_what_the_operator_wrote_meanwhile_stays(fabric: Fabric, primary: DirectoryService) -> None:
    fabric.edit("b4.timeline MX 10 host-2", "b4.timeline MX 10 host-1 ; by hand")
    assert await send(fabric, move()) == "NOERROR"
    assert (owner(primary), owner(primary, 4)) == ("host-3", "host-1")
    assert "b4.timeline MX 10 host-1 ; by hand" in fabric.live.read_text()
    fabric.edit("b4.timeline MX 10 host-1", "b4.timeline MX 10 nobody")
    assert await send(fabric, move(host="host-1")) == "SERVFAIL"
    assert owner(primary) == "host-3" and "unknown host" in primary.problems[0].text


async def test_a_serial_that_was_forgotten_is_made_good(fabric: Fabric, primary: DirectoryService) -> None:
    fabric.edit("b4.timeline MX 10 host-2", "b4.timeline MX 10 host-1")
    await primary.reload()
    assert primary.current.serial == 11 and primary.warnings  # the file still says 10
    assert await send(fabric, move()) == "NOERROR"
    assert primary.current.serial == 12 and primary.warnings == ()
    assert "        12         ; serial" in fabric.live.read_text()


REFUSED: dict[str, tuple[Edit, str, str]] = {
    "to nobody": (move(host="host-9"), "REFUSED", "host-9, an unknown host"),
    "no owner": (lambda u: u.delete("b3.timeline", "MX"), "REFUSED", "b3.timeline has no MX"),
    "two owners": (lambda u: u.add("b3.timeline", 300, "MX", "10 host-3"), "REFUSED", "two owners"),
    "a short TTL": (lambda u: u.replace("b3.timeline", 5, "MX", "10 host-3"), "REFUSED", "TTL of 5"),
    "elsewhere": (lambda u: u.add("x.example.", 300, "A", "192.0.2.1"), "NOTZONE", "x.example is not in the zone"),
    "is there": (lambda u: u.absent("host-1"), "YXDOMAIN", "host-1.fabric.test exists"),
    "is not there": (lambda u: u.present("host-9"), "NXDOMAIN", "no host-9"),
    "has such": (lambda u: u.absent("host-1", "A"), "YXRRSET", "has records"),
    "has none such": (lambda u: u.present("host-1", "AAAA"), "NXRRSET", "has no records"),
    "has others": (lambda u: u.present("b3.timeline", "MX", "10 host-1"), "NXRRSET", "does not hold"),
}


@pytest.mark.parametrize(("edit", "rcode", "words"), REFUSED.values(), ids=REFUSED)
async def test_is_refused_and_says_why(
    fabric: Fabric, primary: DirectoryService, edit: Edit, rcode: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = fabric.live.read_text()
    assert await send(fabric, edit) == rcode
    assert fabric.live.read_text() == before and primary.current.serial == 10
    said = [record.getMessage() for record in caplog.records if "is refused" in record.getMessage()]
    assert len(said) == 1 and words in said[0] and "ops.fabric.test" in said[0]


async def test_what_is_taken_for_granted_and_holds(fabric: Fabric, primary: DirectoryService) -> None:
    def careful(update: dns.update.UpdateMessage) -> None:
        update.present("b3.timeline", "MX", "10 host-2")
        update.absent("host-9")
        update.absent("host-1", "AAAA")
        update.present("host-1")
        move()(update)

    assert await send(fabric, careful) == "NOERROR" and owner(primary) == "host-3"


async def test_the_apex_keeps_its_soa_and_an_ns(fabric: Fabric, primary: DirectoryService) -> None:
    def greedy(update: dns.update.UpdateMessage) -> None:
        update.delete("@", "NS", "host-1")
        update.delete("@", "NS", "host-2")
        update.delete("@", "NS", "host-3")
        update.delete("@", "SOA")
        update.delete("@", "NS")

    assert await send(fabric, greedy) == "NOERROR"
    assert [line for line in fabric.live.read_text().splitlines() if " NS " in line] == ["@   NS host-3"]


async def test_an_alias_stands_alone(fabric: Fabric, primary: DirectoryService) -> None:
    assert await send(fabric, lambda u: u.add("host-1", 300, "CNAME", "host-2")) == "NOERROR"
    assert await send(fabric, lambda u: u.add("autoconfig", 300, "A", "192.0.2.1")) == "NOERROR"
    assert primary.current.serial == 10  # RFC 2136 3.4.2.2: silently ignored


async def test_only_a_named_key_may(fabric: Fabric, primary: DirectoryService) -> None:
    assert await send(fabric, move(), sign=False) == "REFUSED"
    assert await send(fabric, move(), zone="example.org") == "NOTAUTH"
    other = fabric.host(2, keys=KEYS, update_keys=frozenset({KEY.name}))
    await other.start()
    update = dns.update.UpdateMessage("fabric.test", keyring=RING)
    move()(update)
    reply = await dns.asyncquery.udp(update, f"{fabric.net}.2", port=fabric.dns_port, timeout=10)
    assert reply.rcode() == dns.rcode.REFUSED and owner(primary) == "host-2"


async def test_a_key_for_transfers_changes_nothing(fabric: Fabric) -> None:
    service = fabric.host(1, keys=KEYS)
    await service.start()
    assert await send(fabric, move()) == "REFUSED" and owner(service) == "host-2"


async def test_a_replayed_update_is_done_once(fabric: Fabric) -> None:
    clock = Clock()
    settings = fabricated.settings(
        fabric.net, fabric.dns_port, 1, fabric.folder, keys=KEYS, update_keys=frozenset({KEY.name})
    )
    primary = DirectoryService(settings, clock)
    fabric.running.append(primary)
    await primary.start()

    there, back = (_signed(move(host=host), clock.now) for host in ("host-3", "host-2"))
    assert await _raw(fabric, there) == 0 and owner(primary) == "host-3"
    assert await _raw(fabric, back) == 0 and owner(primary) == "host-2"
    assert await _raw(fabric, there) == 0 and owner(primary) == "host-2"  # the old answer, and nothing done
    clock.now += FUDGE_SECONDS + 1
    assert await _raw(fabric, there) == dns.rcode.NOTAUTH and owner(primary) == "host-2"
    await primary.stop()
    again = DirectoryService(settings, clock)  # it remembers nothing
    fabric.running.append(again)
    await again.start()
    clock.now += 5
    late = _signed(move(host="host-1"), clock.now - 10)
    assert await _raw(fabric, late) == dns.rcode.REFUSED and owner(again) == "host-2"
    assert await _raw(fabric, _signed(move(host="host-1"), clock.now)) == 0 and owner(again) == "host-1"


def _signed(edit: Edit, when: float) -> bytes:
    update = dns.update.UpdateMessage("fabric.test")
    edit(update)
    return Signer(KEY).sign(update.to_wire(), when)


async def _raw(fabric: Fabric, message: bytes) -> int:
    """Send octets over TCP as they are; return the code of the answer."""
    reader, writer = await asyncio.open_connection(f"{fabric.net}.1", fabric.dns_port)
    writer.write(len(message).to_bytes(2, "big") + message)
    length = int.from_bytes(await reader.readexactly(2), "big")
    answer = await reader.readexactly(length)
    writer.close()
    return answer[3] & 15


async def test_a_full_disk_refuses_an_update_and_changes_nothing(
    fabric: Fabric, primary: DirectoryService, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fabric.live.read_text()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert await send(fabric, move()) == "SERVFAIL"
    assert fabric.live.read_text() == before and owner(primary) == "host-2"
    assert await send(fabric, move()) == "NOERROR" and owner(primary) == "host-3"


async def test_a_file_that_changes_meanwhile_is_read_again(
    fabric: Fabric, primary: DirectoryService, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, edits = editor.amend, iter(["b4.timeline MX 10 host-1"])

    def meddled(*arguments: object) -> object:
        for text in edits:
            fabric.edit("b4.timeline MX 10 host-2", text)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(editor, "amend", meddled)
    assert await send(fabric, move()) == "NOERROR"
    assert (owner(primary), owner(primary, 4)) == ("host-3", "host-1")


UPDATE = dns.update.UpdateMessage("fabric.test")
UPDATE.present("b3.timeline", "MX", "10 host-2")
UPDATE.replace("b3.timeline", 300, "MX", "10 host-3")
UPDATE.add("@", 300, "SOA", "host-1 postmaster 99 300 60 1209600 60")
UPDATE.delete("host-1", "A", "192.0.2.1")
ZONE = fabricated.zone()


@given(st.lists(st.tuples(st.integers(12, 400), st.integers(0, 255)), max_size=4), st.integers(12, 400))
def test_no_update_is_a_surprise(changes: list[tuple[int, int]], end: int) -> None:
    message = bytearray(UPDATE.to_wire())
    for at, octet in changes:
        message[at % len(message)] = octet
    for octets in (bytes(message), bytes(message[:end])):
        update = read_update(octets, ZONE.origin)
        if not isinstance(update, Refused) and not isinstance(nodes := updated(ZONE, update), Refused):
            assert wire.SOA in nodes[ZONE.origin] and wire.NS in nodes[ZONE.origin]
