"""The file that a backup is: a tar whose first member is a manifest with the SHA-256 of every other.

Law: only its owner may read it, for keys are in it. It gets its name when it was written, flushed, read again and found
to hold what the manifest says. Nothing is unpacked but regular files that the manifest names, below one folder.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from heliograph import exits
from heliograph.exits import CommandError
from store.durable_files import flush_folder

FORMAT = 1
MANIFEST = "manifest.json"
MANIFEST_OCTETS_MAX = 1 << 20  # some thousand files; a host has dozens
PIECE_OCTETS = 1 << 20

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*){0,5}\Z")  # no "..", no absolute path


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. `made_at`: the moment of which it tells; `files`: SHA-256 by name."""

    domain: str
    host: str
    made_at: float
    version: str
    files: Mapping[str, str]


def write_archive(path: Path, manifest: Manifest, sources: Mapping[str, Path]) -> Manifest:
    """Write a backup; return its manifest with the files' digests. CommandError where the path is taken, or where what
    was written is not what was to be."""
    if path.exists():
        raise CommandError(exits.CANTCREAT, f"{path}: is there already: name another file")
    beside = path.with_name(path.name + ".part")
    try:
        handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandError(
            exits.CANTCREAT, f"{beside}: is being written, or was left by an attempt that was cut short: then remove it"
        ) from None
    try:
        with os.fdopen(handle, "w+b") as out:
            whole = _write(out, manifest, sources)
            os.fsync(out.fileno())
            out.seek(0)
            verify(out, path)
        os.link(beside, path)  # a file of that name that came meanwhile stays
    except FileExistsError:
        raise CommandError(exits.CANTCREAT, f"{path}: is there already: name another file") from None
    finally:
        beside.unlink()
    flush_folder(path.parent)
    return whole


def verify(file: IO[bytes], path: Path) -> Manifest:
    """Read a backup through and compare every file; CommandError where it is not what its manifest says."""
    return _read(file, path, lambda name, content: _digest(content))


def unpack(path: Path, folder: Path) -> Manifest:
    """Write a backup's files into a folder that is empty, comparing them on the way."""

    def put(name: str, content: IO[bytes]) -> str:
        place = folder / name
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            digest = _digest(content, out)
            out.flush()
            os.fsync(out.fileno())
        return digest

    with path.open("rb") as file:
        return _read(file, path, put)


def look(path: Path) -> Manifest:
    """Read the manifest alone."""
    with path.open("rb") as file, _tar(file, path) as tar:
        return _manifest(tar, path)


def _write(out: IO[bytes], manifest: Manifest, sources: Mapping[str, Path]) -> Manifest:
    digests = {}
    for name, source in sources.items():
        with source.open("rb") as file:
            digests[name] = _digest(file)
    whole = Manifest(manifest.domain, manifest.host, manifest.made_at, manifest.version, digests)
    text = json.dumps({"format": FORMAT, **asdict(whole)}, indent=1).encode()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(_member(MANIFEST, len(text), manifest.made_at), io.BytesIO(text))
        for name, source in sources.items():
            with source.open("rb") as file:
                tar.addfile(_member(name, os.fstat(file.fileno()).st_size, manifest.made_at), file)
    return whole


def _read(file: IO[bytes], path: Path, take: Any) -> Manifest:
    with _tar(file, path) as tar:
        manifest = _manifest(tar, path)
        missing = dict(manifest.files)
        try:
            while member := tar.next():
                content = tar.extractfile(member) if member.isreg() and member.name in missing else None
                if content is None:
                    raise _damaged(path, f"{member.name!a} does not belong there")
                if take(member.name, content) != missing.pop(member.name):
                    raise _damaged(path, f"{member.name} is not as it was written")
        except (tarfile.TarError, EOFError) as error:
            raise _damaged(path, str(error)) from None
    if missing:
        raise _damaged(path, f"{min(missing)} is missing")
    return manifest


def _tar(file: IO[bytes], path: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=file, mode="r:")
    except tarfile.TarError:
        raise _damaged(path, "it is no backup of a host") from None


def _manifest(tar: tarfile.TarFile, path: Path) -> Manifest:
    try:
        member = tar.next()
        content = tar.extractfile(member) if member and member.name == MANIFEST and member.isreg() else None
        said = json.loads(content.read(MANIFEST_OCTETS_MAX)) if content else {}
        if said.get("format") != FORMAT:
            raise _damaged(path, f"its format is {said.get('format')!a}, and this version reads {FORMAT}")
        files = said["files"]
        manifest = Manifest(said["domain"], said["host"], float(said["made_at"]), said["version"], files)
        good = all(_NAME.match(name) and isinstance(digest, str) for name, digest in files.items())
    except (tarfile.TarError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"its manifest cannot be read: {error!r}") from None
    if not good:
        raise _damaged(path, "its manifest names what is no file of a host")
    return manifest


def _member(name: str, octets: int, at: float) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = octets, int(at), 0o600
    return member


def _digest(file: IO[bytes], out: IO[bytes] | None = None) -> str:
    digest = hashlib.sha256()
    while piece := file.read(PIECE_OCTETS):
        digest.update(piece)
        if out:
            out.write(piece)
    return digest.hexdigest()


def _damaged(path: Path, what: str) -> CommandError:
    return CommandError(exits.DATA, f"{path}: {what}: take another backup")
