"""A new host: its keys and certificates, its place in the configuration and in the zone, and the bundle that takes them
to its machine.

Law: everything is decided and judged before anything is written. The bundle holds the new host's own secrets and nobody
else's; the fabric's CA key stays where it is. A host whose record is not published yet is a stranger to the others.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from directory.hosts import with_host
from directory.snapshot import HostRecord
from heliograph import exits
from heliograph.backup.archive import Manifest, unpack, write_archive
from heliograph.configuration.config import judge
from heliograph.configuration.settings import FILE_NAME, Config, HostConfig
from heliograph.configuration.text import HOST
from heliograph.exits import CommandError
from heliograph.founding.certificates import host_files
from heliograph.founding.certifying import read_ca
from heliograph.founding.new_folder import File, make_folder
from heliograph.keys import HOST_KEY, KEY_OCTETS, TOKEN_KEY, key_text, public_key
from heliograph.outside.seals import make_seals
from heliograph.zone.file import Draft, draft
from store.durable_files import replace_durably

_BLOCK = re.compile(r"^\[\[host\]\]\n(?:(?!\[)[^\n]*\n)*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A host to be: its files by their names in a fabric's folder, the configuration with it, the zone with it."""

    host: HostConfig
    files: Mapping[str, bytes]
    configuration: bytes
    zone: Draft


def newcomer(config: Config, host: HostConfig, now: float, random: Callable[[int], bytes]) -> Newcomer:
    """Decide what a new host consists of."""
    _check_is_new(config, host)
    text = with_host_text((config.root / FILE_NAME).read_text(), host)
    judge(config.root, text)
    seed, seals = random(KEY_OCTETS), make_seals(host.name)
    record = HostRecord(host.name, host.address, public_key(seed))
    dkim = {seal.selector: seal.text for seal in seals}
    zone = draft(config, lambda zone: with_host(zone, record, dkim))
    folder = f"hosts/{host.name}"
    files = {
        f"{folder}/{HOST_KEY}": key_text(seed),
        f"{folder}/{TOKEN_KEY}": key_text(random(KEY_OCTETS)),
        **{f"{folder}/{seal.file}": seal.pem() for seal in seals},
        **host_files(read_ca(config), host=host.name, domain=config.domain, address=host.address, seed=seed, now=now),
        "tls/ca.pem": config.tls.ca.read_bytes(),
        f"{folder}/{config.domain}.zone": zone.content,  # to begin with; the host transfers newer ones
    }
    return Newcomer(host, files, text.encode(), zone)


def write_bundle(config: Config, new: Newcomer, path: Path, now: float) -> None:
    """Write everything that the new machine needs into one file, for its owner alone."""
    with tempfile.TemporaryDirectory() as folder:  # 0700
        sources = {}
        for number, (name, content) in enumerate({**new.files, FILE_NAME: new.configuration}.items()):
            sources[name] = Path(folder) / str(number)
            sources[name].write_bytes(content)
        write_archive(path, Manifest(config.domain, new.host.name, now, version("heliograph"), {}), sources)


def publish(config: Config, new: Newcomer) -> int:
    """Let the fabric know the host: in the configuration here, and in the zone. Return the serial."""
    replace_durably(config.root / FILE_NAME, new.configuration)
    return new.zone.write()


def join(bundle: Path, root: Path) -> Manifest:
    """Make a fabric's folder from a bundle, on the new host's machine."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = unpack(bundle, Path(folder))
        if FILE_NAME not in manifest.files or f"hosts/{manifest.host}/{HOST_KEY}" not in manifest.files:
            raise CommandError(exits.DATA, f"{bundle}: is no bundle of `host add`")
        files = [File(name, (Path(folder) / name).read_bytes()) for name in manifest.files if name != FILE_NAME]
        make_folder(root, files, (Path(folder) / FILE_NAME).read_bytes())
    return manifest


def with_host_text(text: str, host: HostConfig) -> str:
    """The configuration with a [[host]] more, after the others."""
    blocks = list(_BLOCK.finditer(text))
    end = blocks[-1].end() if blocks else len(text)
    return f"{text[:end].rstrip()}\n{HOST.format(host=host)}\n{text[end:].lstrip()}"


def without_host_text(text: str, name: str) -> str:
    """The configuration with a [[host]] less."""
    named = re.compile(rf"""^\s*name\s*=\s*["']{re.escape(name)}["']""", re.MULTILINE)
    return _BLOCK.sub(lambda block: "" if named.search(block[0]) else block[0], text)


def _check_is_new(config: Config, host: HostConfig) -> None:
    for known in config.hosts:
        if known.name == host.name:
            raise CommandError(exits.CANTCREAT, f"{host.name}: is a host already, at {known.address}")
        if known.address == host.address:
            raise CommandError(
                exits.CANTCREAT, f"{host.address}: is the address of {known.name}: each host has its own"
            )


def leave(config: Config, name: str) -> None:
    """Take a host out of the configuration here."""
    text = without_host_text((config.root / FILE_NAME).read_text(), name)
    left = {host.name for host in judge(config.root, text).hosts}
    if left != {host.name for host in config.hosts} - {name}:
        raise CommandError(exits.CONFIG, f"{config.root / FILE_NAME}: take the [[host]] {name} out by hand")
    replace_durably(config.root / FILE_NAME, text.encode())
