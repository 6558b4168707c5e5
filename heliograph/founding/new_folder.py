"""A fabric's folder, made whole or not at all.

Law: the configuration stands under the name ``heliograph.toml.incomplete`` until everything else is on disk; renaming
it is the one step that makes the folder a fabric. No host starts without it, so what a crash left behind was never
used and may be made again. A folder with anything else in it is not touched.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from heliograph.configuration.settings import FILE_NAME
from store.durable_files import flush_folder, move_durably

MARK = FILE_NAME + ".incomplete"


class CannotCreate(Exception):
    """The folder cannot be made; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of the folder; only its owner may read it (0600, folders 0700)."""

    path: str
    content: bytes


def make_folder(root: Path, files: Iterable[File], configuration: bytes) -> bool:
    """Write a fabric's folder; tell whether it took the place of an interrupted attempt. Never overwrites one."""
    try:
        return _make(root, list(files), configuration)
    except OSError as error:
        place = error.filename or root
        raise CannotCreate(f"{place}: {error.strerror}: check the disk and who owns the folder") from error


def add_files(root: Path, files: Iterable[File]) -> None:
    """Write more files into a fabric's folder, none of them over another."""
    for file in files:
        try:
            _write(root, file)
        except FileExistsError:
            raise CannotCreate(f"{root / file.path}: is there already: move it away first") from None
    _flush_folders(root)


def _make(root: Path, files: list[File], configuration: bytes) -> bool:
    _refuse_what_is_there(root)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    root.chmod(0o700)
    mark = os.open(root / MARK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        again = _claim(root, mark, {file.path.partition("/")[0] for file in files})
        for file in files:
            _write(root, file)
        os.write(mark, configuration)
        os.fsync(mark)
        _flush_folders(root)
        move_durably(root / MARK, root / FILE_NAME)
        flush_folder(root.parent)
        return again
    finally:
        os.close(mark)


def _refuse_what_is_there(root: Path) -> None:
    if root.exists() and not root.is_dir():
        raise CannotCreate(f"{root}: is a file: name a folder that is not there yet")
    present = {path.name for path in root.iterdir()} if root.exists() else set()
    if FILE_NAME in present:
        raise CannotCreate(f"{root}: holds a fabric already: name another folder, or move this one away")
    if present and MARK not in present:
        raise CannotCreate(f"{root}: is not empty: name a folder that is not there yet")


def _claim(root: Path, mark: int, ours: set[str]) -> bool:
    """Take the mark for us alone and clear what an interrupted attempt left; tell whether it left anything."""
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CannotCreate(f"{root}: another init is at work there: wait for it") from None
    if not (root / MARK).exists():  # the other init finished between our look and our lock
        raise CannotCreate(f"{root}: holds a fabric already: name another folder, or move this one away")
    left = [path for path in root.iterdir() if path.name in ours]
    for path in left:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    os.ftruncate(mark, 0)
    return bool(left)


def _write(root: Path, file: File) -> None:
    path = root / file.path
    for folder in reversed(path.relative_to(root).parents[:-1]):
        (root / folder).mkdir(mode=0o700, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(handle, "wb", closefd=False) as out:
            out.write(file.content)
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_folders(root: Path) -> None:
    """Without it a crash may lose the names of flushed files."""
    for folder, _, _ in os.walk(root):
        flush_folder(Path(folder))
