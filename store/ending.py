"""Where the log ended when a database was closed: closing takes the log away, and a standby knows only its end.

Law: it holds for the very file that was left, and once: it is taken away, durably, before anything is written again.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from store.durable_files import flush_folder, replace_durably
from store.wal import START, Position

BODY = struct.Struct(">8sI8sQQQ")  # the position; the file's inode, size, time
CHECKED = struct.Struct(">I")


def note_end(database: Path, position: Position) -> None:
    """After the last connection was closed, and the log with it."""
    if _log(database).exists() or position == START:
        return  # somebody still reads, and it stays; or nothing was written: each log begins there
    body = BODY.pack(*position, *_stamp(database))
    replace_durably(_path(database), body + CHECKED.pack(zlib.crc32(body)))


def take_end(database: Path) -> Position | None:
    """Before the first connection is opened."""
    try:
        octets = _path(database).read_bytes()
    except FileNotFoundError:
        return None
    _path(database).unlink()
    flush_folder(database.parent)
    body, told = octets[: BODY.size], octets[BODY.size :]
    if len(octets) != BODY.size + CHECKED.size or told != CHECKED.pack(zlib.crc32(body)) or _log(database).exists():
        return None
    *place, inode, size, changed = BODY.unpack(body)
    return Position(*place) if database.exists() and (inode, size, changed) == _stamp(database) else None


def _path(database: Path) -> Path:
    return database.with_name(f"{database.name}-ended")


def _log(database: Path) -> Path:
    return database.with_name(f"{database.name}-wal")


def _stamp(database: Path) -> tuple[int, int, int]:
    found = database.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
