"""The keys that a host signs mail to the outside with: named, kept in its folder, and used only while published.

Law: each host has keys of its own, so that taking one host's records away stops that host alone. A key that the zone
does not publish signs nothing: mail would be judged by a record that is not there.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from heliograph.toml_table import ConfigError
from mail.seal import SealKey
from mail.sealing import Private, make_rsa, private_pem, published_text, read_private, seal_key

log = logging.getLogger("heliograph.outside.joint")

KINDS = ("rsa", "ed25519")  # RFC 8463 3: who knows only one reads the one it knows

_FILE = re.compile(r"dkim-([1-9][0-9]{0,5})\.(rsa|ed25519)\.key\Z")


@dataclass(frozen=True, slots=True)
class Seal:
    """One key. `generation` rises with each rotation. `text`: the TXT that publishes it at `selector`."""

    host: str
    generation: int
    kind: str
    key: Private

    @property
    def selector(self) -> str:
        return f"{self.host}-{self.kind[0]}{self.generation}"

    @property
    def file(self) -> str:
        return f"dkim-{self.generation}.{self.kind}.key"

    @property
    def text(self) -> str:
        return published_text(self.key)

    def pem(self) -> bytes:
        return private_pem(self.key)


def make_seals(host: str, generation: int = 1) -> tuple[Seal, ...]:
    return (
        Seal(host, generation, "rsa", make_rsa()),
        Seal(host, generation, "ed25519", Ed25519PrivateKey.generate()),
    )


def read_seals(folder: Path, host: str) -> tuple[Seal, ...]:
    """Read a host's keys, the newest first; none where none was made yet."""
    return tuple(sorted(_read(folder, host), key=lambda seal: (-seal.generation, KINDS.index(seal.kind))))


def _read(folder: Path, host: str) -> Iterator[Seal]:
    for path in folder.glob("dkim-*.key"):
        match = _FILE.match(path.name)
        if match is None:
            continue
        try:
            yield Seal(host, int(match[1]), match[2], read_private(path.read_bytes()))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: {error}: bring it back from a backup, or remove it and `key rotate`") from None


class Signer:
    """Chooses among a host's keys: of each kind the newest that the zone publishes. `read`: the keys in its folder;
    `published`: the TXT at a selector of the zone, now; `serial`: of the zone. New keys come with a new zone, so both
    are looked at once for each serial."""

    def __init__(
        self,
        read: Callable[[], Sequence[Seal]],
        published: Callable[[str], Sequence[str]],
        serial: Callable[[], int],
    ) -> None:
        self._read = read
        self._published = published
        self._serial = serial
        self._chosen: tuple[int, tuple[SealKey, ...]] = (-1, ())

    def usable(self) -> tuple[SealKey, ...]:
        """The keys to sign with now."""
        serial = self._serial()
        if self._chosen[0] != serial:
            self._chosen = serial, tuple(self._choose()) or self._faulted()
        return self._chosen[1]

    def _choose(self) -> Iterator[SealKey]:
        seals = self._read()
        for kind in KINDS:
            usable = (s for s in seals if s.kind == kind and _same(self._published(s.selector), s.text))
            yield from (seal_key(seal.selector, seal.key) for seal in islice(usable, 1))

    def _faulted(self) -> tuple[SealKey, ...]:
        log.warning("mail to the outside leaves unsigned: no key here is one that the zone publishes; see `key list`")
        return ()


def is_published(dkim: Mapping[str, Sequence[str]], seal: Seal) -> bool:
    """Tell whether a zone has a key's record. `dkim`: selector -> the TXT there."""
    return _same(dkim.get(seal.selector, ()), seal.text)


def _same(values: Sequence[str], text: str) -> bool:
    """RFC 6376 3.6.2.2: one record, or none counts. Someone may have written its tags with other spaces."""
    return len(values) == 1 and "".join(values[0].split()) == "".join(text.split())
