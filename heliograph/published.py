"""The zone as the command sees it: the file that the operator edits, or a host's copy of the last good one.

Law: the command judges a zone as the hosts do; what they would not serve, it does not go by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from directory.fabric import to_directory
from directory.lint import lint
from directory.problem import Problem, errors
from directory.snapshot import Directory
from directory.zone import Zone
from directory.zone_text import read_zone
from heliograph import exits
from heliograph.configuration.settings import Config
from heliograph.exits import CommandError


@dataclass(frozen=True, slots=True)
class Published:
    """One zone file, judged. `directory` is None where it holds errors."""

    path: Path
    directory: Directory | None
    problems: tuple[Problem, ...] = ()
    zone: Zone | None = None


def judge(config: Config, path: Path, previous_serial: int | None = None) -> Published:
    """Read and lint one zone file. `previous_serial`: the file's own when it was served last."""
    reading = read_zone(path.read_bytes(), config.domain)
    problems = reading.problems
    if reading.zone is not None:
        problems = (*problems, *lint(reading.zone, buckets=config.buckets, previous_serial=previous_serial))
    good = reading.zone is not None and not errors(problems)
    directory = to_directory(reading.zone) if reading.zone is not None and good else None
    return Published(path, directory, problems, reading.zone)


def published_directory(config: Config) -> Directory:
    """Return who owns what, by the first good zone on this machine."""
    complaint = f"{config.zone_file}: there is no zone on this machine: bring it back from a backup"
    for path in _zone_files(config):
        found = judge(config, path)
        if found.directory is not None:
            return found.directory
        if path == config.zone_file:
            complaint = errors(found.problems)[0].shown(str(path))
    raise CommandError(exits.CONFIG, complaint)


def _zone_files(config: Config) -> Iterator[Path]:
    """The live zone first, unless a foreign primary holds that, then the hosts' copies."""
    candidates = [] if config.dns.primary else [config.zone_file]
    candidates += [config.host_folder(host.name) / f"{config.domain}.zone" for host in config.hosts]
    return (path for path in candidates if path.is_file())
