"""Makes a backup of a host while mail flows: its database as of one moment, its keys, its zone, its configuration.

Law: it only reads, so it needs neither the host's leave nor its lock; it is the one command that opens a running host's
database, as the host's own readers do. What stands outside the fabric's folder (an operator's certificates) is his.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from heliograph import exits
from heliograph.backup.archive import Manifest, write_archive
from heliograph.configuration.settings import FILE_NAME, Config
from heliograph.database import FILE_NAME as DATABASE
from heliograph.database import MARK
from heliograph.exits import CommandError
from store.copying import Damaged, copy_database

NOT_KEPT = (
    "lock",
    "control.sock",
    MARK,
    DATABASE,
    f"{DATABASE}-wal",
    f"{DATABASE}-shm",
)  # the database goes as its copy

Progress = Callable[[int, int], object]


def make_backup(config: Config, host: str, path: Path, now: float, progress: Progress) -> Manifest:
    """Write a backup of a host to a file that is not there yet."""
    folder = config.host_folder(config.host(host).name)
    if not (folder / DATABASE).is_file():
        raise CommandError(exits.UNAVAILABLE, f"{host} is not on this machine: there is no {folder / DATABASE}")
    if path.exists():
        raise CommandError(exits.CANTCREAT, f"{path}: is there already: name another file")
    if not path.parent.is_dir():
        raise CommandError(exits.NOINPUT, f"{path.parent}: there is no such folder: make it, then repeat")
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))  # 0700, on the disk that has the room
    try:
        copy_database(folder / DATABASE, aside / DATABASE, progress)
        sources = {f"hosts/{host}/{DATABASE}": aside / DATABASE, **dict(_files(config, host))}
        return write_archive(path, Manifest(config.domain, host, now, version("heliograph"), {}), sources)
    except Damaged as error:
        raise CommandError(exits.SOFTWARE, f"{error}: the database is damaged: run `doctor`") from None
    except OSError as error:
        text = f"{path}: {error.strerror}: twice the database's size is needed there while it is made"
        raise CommandError(exits.TEMPFAIL, text) from None
    finally:
        shutil.rmtree(aside)


def _files(config: Config, host: str) -> Iterator[tuple[str, Path]]:
    """Everything else, by its name in the fabric's folder."""
    root = config.root
    tls = config.tls.of(host)
    paths = [root / FILE_NAME, config.zone_file, tls.ca.with_suffix(".key")]
    paths += [tls.certificate, tls.key, tls.ca, tls.stream_certificate, tls.stream_key]
    paths += [path for path in sorted(config.host_folder(host).iterdir()) if path.name not in NOT_KEPT]
    for path in dict.fromkeys(paths):
        if path.is_file() and path.is_relative_to(root):
            yield str(path.relative_to(root)), path
