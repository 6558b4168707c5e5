"""A host's disk is lost, and it comes back from a backup: what came after is gone, nothing comes twice."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sqlite3
import stat
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from directory.hosts import with_owners
from heliograph.backup.archive import look, verify
from heliograph.backup.making import make_backup
from heliograph.backup.restoring import restore
from heliograph.command import main
from heliograph.configuration.settings import FILE_NAME
from heliograph.demo.stage import free_net
from heliograph.exits import CommandError
from heliograph.zone.file import draft
from mailbox_host.follows import OPEN
from mailbox_host.skipping import UIDS_SKIPPED
from reflector.skipping import POSTS_SKIPPED
from store import Migration, Store
from store.copying import Damaged, copy_database
from tests.fabric.audit import faults
from tests.fabric.town import Person, Town, make_fabric, until

BOB = "bob@reflectors.fabric.test"  # on host-3, as alice; heidi is on host-2

OPEN_FOLLOWS = f"SELECT source FROM follow WHERE from_post IS NOT NULL AND until_post = {OPEN}"


def quiet(done: int, whole: int) -> None:
    pass


def inbox(person: Person) -> dict[int, str]:
    """UID and subject (blocking)."""
    with person.session() as client:
        client.select("INBOX", readonly=True)
        _, found = client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        parts = [part for part in found if isinstance(part, tuple)]
    return {
        int(re.search(rb"UID (\d+)", head)[1]): body.decode().strip().removeprefix("Subject: ") for head, body in parts
    }  # type: ignore[index]


def remembered(person: Person) -> tuple[int, int]:
    """What a client keeps between sessions: UIDVALIDITY and HIGHESTMODSEQ (blocking)."""
    with person.session() as client:
        _, (said,) = client.status("INBOX", "(UIDVALIDITY HIGHESTMODSEQ)")
    found = re.search(rb"UIDVALIDITY (\d+).*HIGHESTMODSEQ (\d+)", said)
    assert found
    return int(found[1]), int(found[2])


def resync(person: Person, uidvalidity: int, modseq: int) -> list[bytes]:
    """Come back with QRESYNC; the untagged answers (blocking)."""
    with person.session() as client:
        client.enable("QRESYNC")
        tag = client._command("SELECT", "INBOX", f"(QRESYNC ({uidvalidity} {modseq}))")
        lines = []
        while not (line := client.readline()).startswith(tag):
            lines.append(line)
        client.state = "SELECTED"
    return lines


async def test_a_lost_disk(town: Town) -> None:
    bob, alice, heidi = (town.person(name, number) for name, number in (("bob", 3), ("alice", 3), ("heidi", 2)))
    for follower in (alice, heidi):
        await follower.send("bob+subscribe@reflectors.fabric.test", "")
    await town.still()
    await bob.send(BOB, "post 1")
    await heidi.send(alice.mail, "letter 1")
    await town.still()
    before = await asyncio.to_thread(inbox, alice)
    config, file = town.config, town.config.root.parent / "host-3.tar"
    await asyncio.to_thread(make_backup, config, "host-3", file, time.time(), quiet)

    await bob.send(BOB, "post 2")  # after the backup
    await heidi.send(alice.mail, "letter 2")
    await town.still()
    for word in ("unsubscribe", "subscribe", "unsubscribe"):  # generations that are lost
        await heidi.send(f"bob+{word}@reflectors.fabric.test", "")
        await town.still()
    lost = {uid: said for uid, said in (await asyncio.to_thread(inbox, alice)).items() if uid not in before}
    known = await asyncio.to_thread(remembered, alice)
    assert sorted(lost.values()) == ["letter 2", "post 2"]
    assert [said for _, said in await heidi.posts()] == ["post 1", "post 2"]

    await town.stop("host-3")
    shutil.rmtree(config.host_folder("host-3"))
    done = await asyncio.to_thread(restore, file, config.root, config.domain, time.time())
    assert (done.manifest.host, done.sources) == ("host-3", 2) and FILE_NAME not in done.left_alone
    await town.start("host-3")

    assert await asyncio.to_thread(inbox, alice) == before  # what is lost is lost
    again = await asyncio.to_thread(resync, alice, *known)  # who saw more is told so
    vanished = next((line for line in again if b"VANISHED (EARLIER)" in line), b"")
    assert covers(vanished, lost) and not covers(vanished, before)
    assert sum(b"FETCH (UID" in line for line in again) == len(before)  # with their flags

    await bob.send(BOB, "post 3")
    await heidi.send(alice.mail, "letter 3")
    await town.still()
    now = await asyncio.to_thread(inbox, alice)
    fresh = {uid: said for uid, said in now.items() if uid not in before}
    assert sorted(fresh.values()) == ["letter 3", "post 3"] and not fresh.keys() & lost.keys()
    assert min(fresh) > max(before) + UIDS_SKIPPED
    assert (await asyncio.to_thread(remembered, alice))[0] == known[0]
    # the list has forgotten that she left; she gets each post once, and her word counts again
    assert await heidi.posts() == [(1, "post 1"), (2, "post 2"), (2 + POSTS_SKIPPED, "post 3")]
    for word in ("unsubscribe", "subscribe"):
        await heidi.send(f"bob+{word}@reflectors.fabric.test", "")
        await town.still()
    assert town.hosts["host-2"].store.reader.all(OPEN_FOLLOWS) == [("bob",)]
    await town.stop("host-3")
    assert faults(config.host_folder("host-3") / "heliograph.db") == []


def covers(vanished: bytes, uids: dict[int, str]) -> bool:
    ranges = [part.split(b":") for part in vanished.strip().rpartition(b" ")[2].split(b",") if part]
    return all(any(int(r[0]) <= uid <= int(r[-1]) for r in ranges) for uid in uids)


# --- the file


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Path]:
    """A fabric's folder with one host that never ran."""
    from heliograph.tables import MIGRATIONS

    config = make_fabric(tmp_path / "f", "127.0.0.0/24", hosts=1)
    Store(config.host_folder("host-1") / "heliograph.db", MIGRATIONS).close()
    yield config.root


def backed_up(root: Path) -> Path:
    from heliograph.configuration.config import load

    file = root.parent / "b.tar"
    make_backup(load(root), "host-1", file, 1_000.0, quiet)
    return file


def test_it_holds_the_host_whole_and_only_its_owner_reads_it(house: Path) -> None:
    file = backed_up(house)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    names = look(file).files.keys()
    assert {FILE_NAME, "zones/fabric.test.zone", "tls/host-1.stream.key", "hosts/host-1/host.key"} <= names
    assert {path.name for path in house.parent.iterdir()} == {"f", "b.tar"}  # nothing is left beside it
    with pytest.raises(CommandError, match="already"):
        backed_up(house)


def test_a_new_machine_gets_all_of_it(house: Path) -> None:
    file, root = backed_up(house), house.parent / "new"
    done = restore(file, root, None, 2_000.0)
    assert done.left_alone == () and stat.S_IMODE(root.stat().st_mode) == 0o700
    for path in house.rglob("*"):
        if path.is_file() and path.name != "heliograph.db":
            assert (root / path.relative_to(house)).read_bytes() == path.read_bytes()
    with closing(sqlite3.connect(root / "hosts/host-1/heliograph.db")) as database:
        assert database.execute("SELECT at, backup_at FROM restored").fetchall() == [(2_000.0, 1_000.0)]


def test_every_name_is_on_disk_before_the_folder_is_a_fabrics(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, root = backed_up(house), house.parent / "new"
    steps: list[str] = []
    rename = Path.rename
    monkeypatch.setattr(os, "fsync", lambda handle: steps.append(str(Path(f"/proc/self/fd/{handle}").readlink())))
    monkeypatch.setattr(Path, "rename", lambda path, target: steps.append(target.name) or rename(path, target))
    restore(file, root, None, 2_000.0)
    aside = f"{root}/.restoring-host-1/hosts/host-1"
    assert steps[steps.index(aside) :] == [
        aside,
        "host-1",
        f"{root}/hosts",
        FILE_NAME,
        *[str(root)] * 2,
        f"{root.parent}",
    ]


def test_the_commands(house: Path) -> None:
    file, root = house.parent / "by hand.tar", house.parent / "new"
    made = CliRunner().invoke(main, ["-C", str(house), "backup", str(file), "--json"])
    assert made.exit_code == 0 and json.loads(made.stdout)["octets"] == file.stat().st_size
    done = CliRunner().invoke(main, ["-C", str(root), "restore", str(file)])
    assert done.exit_code == 0 and "host-1 as it was at" in done.stdout and f"-C {root} up" in done.stdout
    again = CliRunner().invoke(main, ["-C", str(root), "restore", str(file)])
    assert isinstance(again.exception, CommandError | SystemExit) and again.exit_code != 0


def test_nothing_is_written_over(house: Path) -> None:
    file = backed_up(house)
    with pytest.raises(CommandError, match="there is a host already"):
        restore(file, house, "fabric.test", 0.0)
    other = house.parent / "other"
    (other / "precious").mkdir(parents=True)
    with pytest.raises(CommandError, match="not empty"):
        restore(file, other, None, 0.0)
    with pytest.raises(CommandError, match=r"elsewhere\.example"):
        restore(file, house, "elsewhere.example", 0.0)
    shutil.rmtree(house / "hosts/host-1")
    (house / FILE_NAME).write_text((house / FILE_NAME).read_text() + "# edited\n")
    assert "zones/fabric.test.zone" in restore(file, house, "fabric.test", 0.0).left_alone
    assert (house / FILE_NAME).read_text().endswith("# edited\n")


def test_what_an_attempt_left_that_was_cut_short_is_named(house: Path) -> None:
    left = house.parent / "b.tar.part"
    left.touch()
    with pytest.raises(CommandError, match=r"b\.tar\.part: is being written, or was left .* remove it"):
        backed_up(house)
    left.unlink()
    backed_up(house)


def test_one_octet_changed_anywhere_is_seen(house: Path) -> None:
    file = backed_up(house)
    with tarfile.open(file) as tar:
        places = [member.offset_data + member.size // 2 for member in tar if member.size]
    whole = file.read_bytes()
    for place in [*places, 0]:
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(CommandError):
            restore(file, house.parent / "new", None, 0.0)
        assert not (house.parent / "new" / "hosts").exists()
    for length in (0, 100, len(whole) // 2):
        file.write_bytes(whole[:length])
        with pytest.raises(CommandError), file.open("rb") as cut:
            verify(cut, file)


def test_what_climbs_out_is_not_unpacked(house: Path) -> None:
    file, bad = backed_up(house), house.parent / "bad.tar"
    for name in ("../out", "/etc/out", "hosts/../../out", "hosts//out", ".out"):
        content = file.read_bytes().replace(b'"tls/ca.pem"', b'"' + name.encode() + b'"')
        bad.write_bytes(content)
        with pytest.raises(CommandError):
            restore(bad, house.parent / "new", None, 0.0)


def test_an_unknown_schema_is_refused(house: Path) -> None:
    with closing(sqlite3.connect(house / "hosts/host-1/heliograph.db")) as database:
        database.execute("INSERT INTO migration VALUES ('mailbox_host', 999)")
        database.commit()
    with pytest.raises(CommandError, match="mailbox_host 999"):
        restore(backed_up(house), house.parent / "new", None, 0.0)


def test_a_copy_is_of_one_moment_while_others_write(tmp_path: Path) -> None:
    tables = Migration("t", 1, "CREATE TABLE a (n INTEGER, x BLOB) STRICT; CREATE TABLE b (n INTEGER, x BLOB) STRICT")
    store = Store(tmp_path / "s.db", [tables])
    filling, stop = bytes(20_000), threading.Event()
    both = [f"INSERT INTO {table} VALUES (?, ?)" for table in "ab"]

    def work(n: int) -> None:
        store.write_now(lambda tx: [tx.execute(sql, (n, filling)) for sql in both])

    def go_on() -> None:
        n = 400
        while not stop.is_set():
            work(n := n + 1)

    for n in range(400):
        work(n)
    writer = threading.Thread(target=go_on)
    writer.start()
    steps: list[int] = []
    try:
        copy_database(tmp_path / "s.db", tmp_path / "copy.db", lambda done, _: steps.append(done))
    finally:
        stop.set()
        writer.join()
    store.close()
    assert len(steps) > 1
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        (a,), (b,) = (copy.execute(f"SELECT count(*) FROM {table}").fetchone() for table in "ab")
        assert a == b >= 400 and copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert {path.name for path in tmp_path.iterdir()} == {"s.db", "copy.db"}


def test_a_damaged_database_is_no_backup(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "s.db")) as database:
        database.execute("CREATE TABLE a (n INTEGER PRIMARY KEY, x TEXT UNIQUE)")
        database.executemany("INSERT INTO a VALUES (?, ?)", [(n, f"{n:0100}") for n in range(2_000)])
        database.commit()
    content = bytearray((tmp_path / "s.db").read_bytes())
    content[3 * 4096 : 3 * 4096 + 200] = bytes(200)
    (tmp_path / "s.db").write_bytes(content)
    with pytest.raises((Damaged, sqlite3.DatabaseError)):
        copy_database(tmp_path / "s.db", tmp_path / "copy.db")


async def test_what_was_moved_after_the_backup_is_not_taken_back(tmp_path: Path) -> None:
    """heidi's bucket was handed over after the backup, another was to be: each has one owner in the end."""
    with free_net() as net:
        town = Town(make_fabric(tmp_path / "f", net, buckets=64), net)
        async with town.at_work():
            await moved_meanwhile(town, tmp_path / "b.tar")


async def moved_meanwhile(town: Town, file: Path) -> None:
    names, home = town.config.names, town.home("heidi")
    assert home != town.config.primary
    other = next(name for name in town.hosts if name not in (home, town.config.primary))
    heidis = names.bucket("heidi")
    spare = next(bucket for bucket in range(64) if bucket != heidis and lives(town, bucket, home))
    await town.person("bob").send("heidi@fabric.test", "one")
    await town.still()
    await asyncio.to_thread(make_backup, town.config, home, file, time.time(), quiet)
    draft(town.config, lambda zone: with_owners(zone, "timeline", {heidis: other})).write()
    await until(lambda: town.hosts[other].ownership.state("timeline", heidis) == "owner")
    await town.person("bob").send("heidi@fabric.test", "two")
    await town.still()
    await town.stop(home)
    draft(town.config, lambda zone: with_owners(zone, "timeline", {spare: other})).write()
    shutil.rmtree(town.config.host_folder(home))
    await until(lambda: lives(town, spare, other))
    await asyncio.to_thread(restore, file, town.config.root, town.config.domain, time.time())
    await town.start(home)
    assert not {"owner"} & {town.hosts[home].ownership.state("timeline", bucket) for bucket in (heidis, spare)}
    await until(lambda: town.hosts[other].ownership.state("timeline", spare) == "owner")
    for number in (1, 2, 3):
        assert await town.person("heidi", number).subjects() == ["one", "two"]


def lives(town: Town, bucket: int, host: str) -> bool:
    return all(here.directory.current.timeline[bucket] == host for here in town.hosts.values())
