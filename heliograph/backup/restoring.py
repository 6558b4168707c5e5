"""Brings a host back from a backup, as one that knows that it is older than what it told.

Law: nothing that is there is written over. What was given out after the backup (UIDs, post numbers, generations of
subscriptions) is not given out again: all of them skip ahead, in the same transaction that notes the new epoch. The
host's folder gets its name when all of it is on disk, the configuration after it; what an interrupted attempt left
beside them is not used.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from heliograph import exits
from heliograph.backup.archive import Manifest, look, unpack
from heliograph.configuration.config import load
from heliograph.configuration.settings import FILE_NAME
from heliograph.database import FILE_NAME as DATABASE
from heliograph.database import MARK
from heliograph.exits import CommandError
from heliograph.tables import MIGRATIONS
from mailbox_host import gaps
from reflector import extras
from store import Store, Transaction, events
from store.copying import skip_sequences
from store.durable_files import flush_folder, move_durably
from store.identity import renew

IDS_SKIPPED = 65_536  # numbers of bodies, events, queued messages: who read along remembers the last


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back. `left_alone`: files that were there already."""

    manifest: Manifest
    folders: int
    sources: int
    left_alone: tuple[str, ...]


def restore(path: Path, root: Path, domain: str | None, now: float) -> Restored:
    """Bring a host back into a fabric's folder. `domain`: of the fabric that is there, None where there is none."""
    manifest = look(path)
    folder = root / "hosts" / manifest.host
    _refuse(manifest, root, folder, domain)
    aside = root / f".restoring-{manifest.host}"
    if aside.exists():
        shutil.rmtree(aside)  # an attempt that was cut short
    aside.mkdir(mode=0o700, parents=True)
    try:
        unpack(path, aside)
        here = aside / "hosts" / manifest.host
        folders, sources = _renew(here / DATABASE, manifest, now)
        (here / MARK).touch(mode=0o600)
        (here / MARK).write_bytes(b"")  # it is another database from now on: the first start takes its id
        if load(root if domain else aside).primary != manifest.host:  # an old zone tells of old owners: it gets today's
            (here / f"{manifest.domain}.zone").unlink(missing_ok=True)
        left = tuple(_shared(manifest, aside, root))
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        if folder.exists():
            folder.rmdir()
        flush_folder(here)
        move_durably(here, folder)
        _configure(aside, root)
    finally:
        shutil.rmtree(aside)
    for place in (root, root.parent):
        flush_folder(place)
    return Restored(manifest, folders, sources, left)


def _refuse(manifest: Manifest, root: Path, folder: Path, domain: str | None) -> None:
    if domain not in (None, manifest.domain):
        text = f"{root}: is of the fabric {domain}, and the backup of {manifest.domain}: name another folder with -C"
        raise CommandError(exits.CONFIG, text)
    if folder.exists() and any(folder.iterdir()):
        text = f"{folder}: there is a host already: move it away first, if its database is really lost"
        raise CommandError(exits.CANTCREAT, text)
    if domain is None and root.exists() and any(path.name[0] != "." for path in root.iterdir()):
        raise CommandError(exits.CANTCREAT, f"{root}: is not empty, and no fabric's folder: name another with -C")
    if not {f"hosts/{manifest.host}/{DATABASE}", FILE_NAME} <= manifest.files.keys():
        raise CommandError(exits.DATA, "this backup holds no host: take another")


def _renew(database: Path, manifest: Manifest, now: float) -> tuple[int, int]:
    """Make the database one of this moment; return how many folders and sources it has."""
    _check_version(database)
    store = Store(database, MIGRATIONS)
    try:
        return store.write_now(lambda tx: _skip(tx, manifest, now))
    finally:
        store.close()


def _skip(tx: Transaction, manifest: Manifest, now: float) -> tuple[int, int]:
    renew(tx)
    skip_sequences(tx.connection, IDS_SKIPPED)
    # Should another host own a bucket by now, it is given what came here after the restore, and nothing older.
    folders, sources = gaps.skip_after(tx, manifest.host), extras.skip_after(tx, manifest.host)
    tx.execute("INSERT INTO restored (at, backup_at) VALUES (?, ?)", (now, manifest.made_at))
    events.append(tx, now, "restored", backup_at=manifest.made_at, folders=folders, sources=sources)
    return folders, sources


def _check_version(database: Path) -> None:
    known = {(step.package, step.version) for step in MIGRATIONS}
    with closing(sqlite3.connect(database)) as connection:
        there = connection.execute("SELECT package, version FROM migration").fetchall()
    if newer := [f"{package} {number}" for package, number in there if (package, number) not in known]:
        text = f"the backup has tables that this version does not know ({', '.join(newer)}): use the one that made it"
        raise CommandError(exits.CONFIG, text)


def _shared(manifest: Manifest, aside: Path, root: Path) -> Iterator[str]:
    """Put what hosts share where it is missing; tell what was there."""
    for name in sorted(manifest.files.keys() - {FILE_NAME}):
        if name.startswith("hosts/"):
            continue
        place = root / name
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if place.exists():
            yield name
        else:
            move_durably(aside / name, place)


def _configure(aside: Path, root: Path) -> None:
    """The configuration comes last: without it the folder is no fabric's."""
    if not (root / FILE_NAME).exists():
        move_durably(aside / FILE_NAME, root / FILE_NAME)
    root.chmod(0o700)
