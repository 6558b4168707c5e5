"""What is written in the place of another file is on disk, its name too, before anybody goes on."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from store.durable_files import flush_folder, replace_durably


class Disk:
    """Tells what was flushed and what was renamed, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[str] = []
        self.fails = False
        self._fsync, self._rename = os.fsync, Path.rename
        monkeypatch.setattr(os, "fsync", self.fsync)
        monkeypatch.setattr(Path, "rename", lambda path, target: self.rename(path, target))

    def fsync(self, handle: int) -> None:
        self.steps.append(f"flush {Path(f'/proc/self/fd/{handle}').resolve().name}")
        if self.fails:
            raise OSError(28, "No space left on device")
        self._fsync(handle)

    def rename(self, path: Path, target: Path) -> Path:
        self.steps.append(f"rename to {target.name}")
        return self._rename(path, target)


def test_the_content_is_flushed_before_the_name_and_the_folder_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, path = Disk(monkeypatch), tmp_path / "hosts" / "key"
    path.parent.mkdir()
    replace_durably(path, b"secret")
    assert disk.steps == ["flush key.new", "rename to key", "flush hosts"]
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"secret", 0o600)
    assert [found.name for found in path.parent.iterdir()] == ["key"]
    flush_folder(tmp_path)
    assert disk.steps[-1] == f"flush {tmp_path.name}"


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "zone"
    replace_durably(path, b"before")
    disk = Disk(monkeypatch)
    disk.fails = True
    with pytest.raises(OSError, match="No space"):
        replace_durably(path, b"after")
    assert path.read_bytes() == b"before"
    disk.fails = False
    replace_durably(path, b"after")  # what was left aside is in nobody's way
    assert path.read_bytes() == b"after"


def test_a_file_keeps_its_mode_and_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"before")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "link").symlink_to("real")
    replace_durably(tmp_path / "link", b"after")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_bytes() == b"after"
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o640
