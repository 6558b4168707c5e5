"""Stories of a fabric's zone: edited, spoilt, transferred, kept through restarts and losses."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import dns.asyncquery
import dns.message
import pytest

from directory import copy, secondary
from directory import primary as primary_module
from directory.copy import Kept
from directory.notify import Notifier
from directory.primary import LiveFile
from directory.service import DirectoryService, NoZone
from directory.snapshot import Directory
from directory.zone import Zone
from tests.directory import fabricated
from tests.directory.fabricated import until


class Fabric:
    """Up to three hosts on a net of their own; host-1 is the DNS primary."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.net, self.dns_port = fabricated.free_net()
        self.live = folder / "live.zone"
        self.write(fabricated.text(self.net))
        self.running: list[DirectoryService] = []

    def write(self, text: str) -> None:
        self.live.write_text(text)

    def edit(self, old: str, new: str) -> None:
        text = self.live.read_text()
        assert old in text
        self.write(text.replace(old, new, 1))

    def host(self, number: int, **more: object) -> DirectoryService:
        service = DirectoryService(fabricated.settings(self.net, self.dns_port, number, self.folder, **more))
        self.running.append(service)
        return service

    async def start(self, *numbers: int) -> list[DirectoryService]:
        services = [self.host(number) for number in numbers]
        await asyncio.gather(*(service.start() for service in services))
        return services

    async def published(self, number: int, name: str = "b3.timeline.fabric.test") -> str:
        query = dns.message.make_query(name, "MX")
        answer = await dns.asyncquery.udp(query, f"{self.net}.{number}", port=self.dns_port, timeout=5)
        return str(answer.answer[0][0].exchange)


@pytest.fixture
async def fabric(tmp_path: Path) -> AsyncIterator[Fabric]:
    fabric = Fabric(tmp_path)
    yield fabric
    for service in fabric.running:
        await service.stop()


def owner(service: DirectoryService, bucket: int = 3) -> str:
    return service.current.owner("timeline", bucket)


def moved(service: DirectoryService, to: str, bucket: int = 3) -> Callable[[], bool]:
    return lambda: owner(service, bucket) == to


async def test_an_edit_with_a_raised_serial_is_seen_by_every_host(fabric: Fabric) -> None:
    services = await fabric.start(3, 2, 1)  # in any order
    assert [owner(service) for service in services] == ["host-2"] * 3
    seen: list[Directory] = []
    services[0].subscribe(seen.append)
    fabric.write(fabricated.text(fabric.net, serial=11).replace("b3.timeline MX 10 host-2", "b3.timeline MX 10 host-3"))
    for service in services:
        await until(moved(service, "host-3"))
    assert [service.current.serial for service in services] == [11] * 3
    assert [directory.serial for directory in seen] == [11]
    assert [await fabric.published(number) for number in (1, 2, 3)] == ["host-3.fabric.test."] * 3
    assert services[2].problems == services[2].warnings == ()


async def test_a_forgotten_serial_is_raised_with_a_notice(fabric: Fabric) -> None:
    primary, second = await fabric.start(1, 2)
    fabric.edit("b3.timeline MX 10 host-2", "b3.timeline MX 10 host-1")
    await until(moved(second, "host-1"))
    assert primary.current.serial == second.current.serial == 11
    assert "serial, 10, is not above 10: it is served as 11" in primary.warnings[0].text
    assert "Write 12" in primary.warnings[0].remedy
    # The operator raises it to 11, which was served already: the file went forward, and so does what is served.
    fabric.edit("10         ; serial", "11         ; serial")
    fabric.edit("b3.timeline MX 10 host-1", "b3.timeline MX 10 host-3")
    await until(moved(second, "host-3"))
    assert primary.current.serial == second.current.serial == 12
    fabric.edit("11         ; serial", "20         ; serial")
    await until(lambda: second.current.serial == 20)
    assert primary.warnings == ()


async def test_the_served_serial_never_goes_back_over_restarts(fabric: Fabric) -> None:
    (primary,) = await fabric.start(1)
    for host in ("host-1", "host-3"):
        fabric.edit("b3.timeline MX 10 host", "b3.timeline MX 10 x-host")
        fabric.write(fabric.live.read_text().replace("x-host-1", host).replace("x-host-2", host))
        await until(moved(primary, host))
    assert primary.current.serial == 12
    await primary.stop()
    (again,) = await fabric.start(1)
    assert (again.current.serial, owner(again)) == (12, "host-3")  # nothing changed: nothing raised
    await again.stop()
    fabric.edit("b4.timeline MX 10 host-2", "b4.timeline MX 10 host-1")  # edited while nobody watched
    (third,) = await fabric.start(1)
    assert (third.current.serial, owner(third, 4)) == (13, "host-1")
    await third.stop()
    fabric.edit("10         ; serial", "9          ; serial")
    (fourth,) = await fabric.start(1)
    assert fourth.current.serial == 13 and "goes back, from 10 to 9" in fourth.problems[0].text


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("b3.timeline MX 10 host-2", "b3.timeline MX ten host-2", "no preference"),
        ("b3.timeline MX 10 host-2", "b3.timeline MX 10 host-9", "unknown host"),
        ("b3.timeline MX 10 host-2\n", "", "b3.timeline has no MX"),
        ("10         ; serial", "9          ; serial", "goes back"),
    ],
)
async def test_a_bad_edit_changes_nothing_and_is_told(
    fabric: Fabric, old: str, new: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    (primary,) = await fabric.start(1)
    before = primary.current
    lines = fabric.live.read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if text.startswith("@   SOA" if "serial" in old else old.strip()))
    fabric.edit(old, new)
    await until(lambda: bool(primary.problems))
    assert primary.current is before
    assert words in primary.problems[0].text
    place = f"live.zone:{line}: " if new else "live.zone: "
    assert any(place in record.getMessage() for record in caplog.records)
    assert await fabric.published(1) == "host-2.fabric.test."
    # A restart with the bad file still there: the copy serves.
    await primary.stop()
    (again,) = await fabric.start(1)
    assert again.current == before and words in again.problems[0].text
    fabric.write(fabricated.text(fabric.net, serial=12))
    await until(lambda: again.current.serial == 12)
    assert again.problems == ()


async def test_an_editor_may_rename_delete_and_come_back(fabric: Fabric) -> None:
    (primary,) = await fabric.start(1)
    beside = fabric.folder / "beside"
    beside.write_text(fabric.live.read_text().replace("b3.timeline MX 10 host-2", "b3.timeline MX 10 host-1"))
    beside.replace(fabric.live)
    await until(moved(primary, "host-1"))
    fabric.live.unlink()
    await until(lambda: bool(primary.problems))
    assert "cannot be read" in primary.problems[0].text and owner(primary) == "host-1"
    fabric.write(fabricated.text(fabric.net, serial=40))
    await until(moved(primary, "host-2"))
    assert primary.problems == ()


async def test_reload_is_for_the_impatient(fabric: Fabric) -> None:
    primary = fabric.host(1, poll_seconds=3600.0)
    await primary.start()
    fabric.edit("b3.timeline MX 10 host-2", "b3.timeline MX 10 host-1")
    assert await primary.reload() == () and owner(primary) == "host-1"
    fabric.edit("b3.timeline MX 10 host-1", "b3.timeline MX 10 nobody")
    assert "unknown host" in (await primary.reload())[0].text


async def test_without_a_zone_there_is_no_start(fabric: Fabric) -> None:
    fabric.write("nonsense here\n")
    with pytest.raises(NoZone, match=r"live.zone:1: .*"):
        await fabric.host(1).start()
    with pytest.raises(NoZone, match=r"gave no zone, and there is no copy"):
        await fabric.host(2, first_zone_seconds=0.3).start()
    with pytest.raises(NoZone):
        _ = fabric.host(3).current


async def test_a_secondary_starts_from_its_copy_while_the_primary_is_away(fabric: Fabric) -> None:
    primary, second = await fabric.start(1, 2)
    await primary.stop()
    await second.stop()
    (second,) = await fabric.start(2)
    assert owner(second) == "host-2" and await fabric.published(2) == "host-2.fabric.test."
    # The primary comes back with something newer, and its NOTIFY is heard.
    fabric.write(fabricated.text(fabric.net, serial=50).replace("b3.timeline MX 10 host-2", "b3.timeline MX 10 host-1"))
    await fabric.start(1)
    await until(moved(second, "host-1"))


async def test_a_secondary_asks_by_itself_when_notify_is_lost(fabric: Fabric, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secondary, "REFRESH_SECONDS_MIN", 0.05)
    monkeypatch.setattr(secondary, "REFRESH_SECONDS_MAX", 0.05)

    async def lost(self: Notifier, *what: object) -> list[object]:
        return []

    monkeypatch.setattr(Notifier, "tell", lost)
    primary, second = await fabric.start(1, 2)
    fabric.edit("b3.timeline MX 10 host-2", "b3.timeline MX 10 host-1")
    await until(moved(second, "host-1"))
    await primary.stop()
    await asyncio.sleep(0.2)  # refreshes fail; the zone stays
    assert owner(second) == "host-1"


async def test_a_primary_whose_serial_goes_back_is_told_of(fabric: Fabric) -> None:
    first, second = await fabric.start(1, 2)
    await first.stop()
    (fabric.folder / "host-1.zone").unlink()  # a primary that forgot, or a foreign one that was set up anew
    fabric.write(fabricated.text(fabric.net, serial=5).replace("b3.timeline MX 10 host-2", "b3.timeline MX 10 host-1"))
    await fabric.start(1)
    await until(lambda: bool(second.problems))
    assert "the serial goes back, from 10 to 5" in second.problems[0].text and "Write 11" in second.problems[0].remedy
    assert owner(second) == "host-2"
    fabric.edit("5          ; serial", "11         ; serial")
    await until(moved(second, "host-1"))
    assert second.problems == ()


async def test_a_stale_secondary_says_so_and_goes_on(fabric: Fabric, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secondary, "REFRESH_SECONDS_MIN", 0.02)
    monkeypatch.setattr(secondary, "REFRESH_SECONDS_MAX", 0.02)
    now = [1_800_000_000.0]
    (primary,) = await fabric.start(1)
    second = DirectoryService(fabricated.settings(fabric.net, fabric.dns_port, 2, fabric.folder), lambda: now[0])
    fabric.running.append(second)
    await second.start()
    await primary.stop()
    now[0] += 14 * 86_400 - 5
    await asyncio.sleep(0.3)
    assert second.warnings == ()
    now[0] += 10
    await until(lambda: bool(second.warnings))
    assert "did not answer for 336.0 hours" in second.warnings[0].text and "zone primary" in second.warnings[0].remedy
    assert owner(second) == "host-2" and await fabric.published(2) == "host-2.fabric.test."
    await fabric.start(1)
    await until(lambda: second.warnings == ())  # it was heard, though it has nothing new


async def test_a_serial_survives_a_copy_that_no_longer_lints(fabric: Fabric) -> None:
    (primary,) = await fabric.start(1)
    fabric.edit("b3.timeline MX 10 host-2", "b3.timeline MX 10 host-1")
    await until(lambda: primary.current.serial == 11)
    await primary.stop()
    kept = fabric.folder / "host-1.zone"
    kept.write_text(kept.read_text().replace("b4.timeline.fabric.test.", "b99.timeline.fabric.test."))
    (again,) = await fabric.start(1)
    assert (again.current.serial, owner(again)) == (12, "host-1")


async def test_half_of_an_edit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[tuple[int, int, int]] = []  # what the file system shows, look by look
    monkeypatch.setattr(primary_module, "look", lambda path: looks.pop(0) if len(looks) > 1 else looks[0])
    path = tmp_path / "live.zone"
    path.write_text("whole")
    live, read = LiveFile(path), []

    async def changed(content: bytes | OSError) -> None:
        read.append((content, len(looks)))

    looks[:] = [(1, 1, 1)]
    live.content()
    looks[:] = [(1, number, number) for number in range(1, 9)] + [(1, 8, 8)] * 9
    watching = asyncio.create_task(live.watch(0.001, changed))
    await until(lambda: bool(read))
    await until(lambda: len(looks) == 1)
    watching.cancel()
    assert [content for content, _ in read] == [b"whole"] and read[0][1] < 9


async def test_many_notifies_are_one_question_and_none_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secondary, "GAP_SECONDS", 0.0)
    asked: list[int] = []

    async def refresh() -> bool:
        asked.append(len(asked))
        return True

    follower = secondary.Follower(refresh)
    follower.served(zone(1))
    running = asyncio.create_task(follower.run())
    await until(lambda: len(asked) == 1)
    for _ in range(9):
        follower.wake()
    await until(lambda: len(asked) == 2)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(asked) == 2
    running.cancel()


async def test_an_absent_primary_is_asked_ever_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secondary, "GAP_SECONDS", 0.0)
    monkeypatch.setattr(secondary, "FIRST_SECONDS", (0.0, 0.0, 0.0, 3600.0))
    asked: list[int] = []

    async def refresh() -> bool:
        asked.append(len(asked))
        raise RuntimeError("surprise")  # which must not end the following either

    running = asyncio.create_task(secondary.Follower(refresh).run())
    await until(lambda: len(asked) == 3)
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(asked) == 3
    running.cancel()


async def test_notify_is_repeated_until_it_is_heard() -> None:
    sent: list[bytes] = []
    notifier = Notifier(lambda packet, to: sent.append(packet), waits_seconds=(0.02, 0.02, 5.0))
    telling = asyncio.create_task(notifier.tell(b"\6fabric\4test\0", [("192.0.2.1", 53), ("192.0.2.2", 53)]))
    await until(lambda: len(sent) == 6)
    ids = {packet[:2] for packet in sent}
    assert len(ids) == 2
    for packet in sent[-2:]:
        notifier.answered(packet[:2] + b"\xa4\0" + packet[4:], "192.0.2.9")  # not from whom it was sent to
    assert not any(event.is_set() for event in notifier._waiting.values())
    for packet in sent[-2:]:
        notifier.answered(packet[:2] + b"\xa4\0" + packet[4:], "192.0.2.1")
        notifier.answered(packet[:2] + b"\xa4\0" + packet[4:], "192.0.2.2")
    assert await asyncio.wait_for(telling, 5) == []
    silent = Notifier(lambda packet, to: None, waits_seconds=(0.01,))
    assert await silent.tell(b"\0", [("192.0.2.1", 53)]) == [("192.0.2.1", 53)]


async def test_only_a_host_s_notify_counts_and_only_hosts_may_transfer(fabric: Fabric) -> None:
    _, second = await fabric.start(1, 2)
    notify = dns.message.make_query("fabric.test", "SOA")
    notify.set_opcode(4)
    for source, rcode in [(1, 0), (3, 0), (9, 5)]:
        where = {"port": fabric.dns_port, "source": f"{fabric.net}.{source}", "timeout": 5}
        assert (await dns.asyncquery.udp(notify, f"{fabric.net}.2", **where)).rcode() == rcode
    axfr = dns.message.make_query("fabric.test", "AXFR")
    for source, rcode in [(3, 0), (2, 0), (9, 5)]:
        where = {"port": fabric.dns_port, "source": f"{fabric.net}.{source}", "timeout": 5}
        assert (await dns.asyncquery.tcp(axfr, f"{fabric.net}.2", **where)).rcode() == rcode
    assert second.current.serial == 10


async def test_a_full_disk_keeps_the_old_zone_until_there_is_room(
    fabric: Fabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("directory.service.RETRY_SECONDS", 0.05)
    (primary,) = await fabric.start(1)
    real = copy.keep

    def full(path: Path, kept: Kept) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(copy, "keep", full)
    fabric.edit("b3.timeline MX 10 host-2", "b3.timeline MX 10 host-1")
    await until(lambda: bool(primary.problems))
    assert "No space left" in primary.problems[0].text and owner(primary) == "host-2"
    monkeypatch.setattr(copy, "keep", real)
    await until(moved(primary, "host-1"))
    assert primary.problems == () and primary.current.serial == 11


async def test_a_listener_s_fault_is_its_own(fabric: Fabric) -> None:
    (primary,) = await fabric.start(1)
    seen: list[int] = []

    def broken(directory: Directory) -> None:
        raise RuntimeError("listener")

    primary.subscribe(broken)
    leave = primary.subscribe(lambda directory: seen.append(directory.serial))
    fabric.write(fabricated.text(fabric.net, serial=11))
    await until(lambda: seen == [11])
    leave()
    leave()
    fabric.write(fabricated.text(fabric.net, serial=12))
    await until(lambda: primary.current.serial == 12)
    assert seen == [11]


def zone(serial: int) -> Zone:
    return fabricated.zone(fabricated.text(serial=serial)).without_lines()


def test_the_copy_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sub" / "copy.zone"
    assert copy.load(path, "fabric.test") is None
    copy.keep(path, Kept(zone(12), 10))
    assert copy.load(path, "fabric.test") == Kept(zone(12), 10)
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").resolve().name))
        real(descriptor)
        if len(synced) == 1:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="Input/output"):
        copy.keep(path, Kept(zone(13), 11))
    assert copy.load(path, "fabric.test") == Kept(zone(12), 10)
    copy.keep(path, Kept(zone(13), 11))
    assert synced[1:] == ["copy.zone.new", "sub"]  # the file before the rename, the folder after it
    assert copy.load(path, "fabric.test") == Kept(zone(13), 11)
    path.write_text("torn")
    assert copy.load(path, "fabric.test") is None


async def test_of_two_primaries_the_one_with_the_newer_zone_stays(fabric: Fabric) -> None:
    first, third = await fabric.start(1, 3)
    beside = fabric.folder / "beside.zone"
    beside.write_text(fabricated.text(fabric.net, serial=20).replace("@   SOA host-1", "@   SOA host-2"))
    second = fabric.host(2, live=beside, primary_address="")
    await second.start()
    for service in (first, third):
        await until(lambda service=service: service.current.serial == 20)  # type: ignore[misc]
    assert second.is_primary and not first.is_primary
    before = fabric.live.read_text()
    fabric.write(fabricated.text(fabric.net, serial=30))  # nobody reads that any more
    beside.write_text(beside.read_text().replace("b3.timeline MX 10 host-2", "b3.timeline MX 10 host-3"))
    for service in (first, third):
        await until(moved(service, "host-3"))
    # Put back in its place, with a newer zone, the first is believed again, and the second follows.
    fabric.write(before.replace("10         ; serial", "40         ; serial"))
    assert await first.lead(fabric.live) == ()
    for service in (second, third):
        await until(lambda service=service: service.current.serial == 40)  # type: ignore[misc]
    assert first.is_primary and not second.is_primary


async def test_a_primary_that_was_replaced_does_not_begin_as_one(fabric: Fabric) -> None:
    first, third = await fabric.start(1, 3)
    await first.stop()
    taken = fabric.folder / "taken.zone"
    taken.write_text(fabricated.text(fabric.net, serial=20).replace("@   SOA host-1", "@   SOA host-3"))
    assert await third.lead(taken) == ()
    (back,) = await fabric.start(1)
    assert not back.is_primary  # at once: nobody ever heard the old zone from it again
    await until(lambda: back.current.serial == 20)


async def test_a_host_that_only_says_so_is_not_the_primary(fabric: Fabric) -> None:
    first, third = await fabric.start(1, 3)
    rogue = fabric.folder / "rogue.zone"
    rogue.write_text(fabricated.text(fabric.net, serial=99))  # newer, but its SOA names host-1
    second = fabric.host(2, live=rogue, primary_address="")
    await second.start()
    await asyncio.sleep(0.3)
    assert first.is_primary and [service.current.serial for service in (first, third)] == [10, 10]
