"""The keys that a host signs mail to the outside with: named, kept in its folder, and used only while published.

Law: each host has keys of its own, so that taking one host's records away stops that host alone. A key that the zone
does not publish signs nothing: mail would be judged by a record that is not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from heliograph.toml_table import ConfigError
from mail.seal import SealKey
from mail.sealing import Private, make_rsa, private_pem, published_text, read_private, seal_key

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
    return tuple(sorted(_read(folder, host), key=lambda seal: -seal.generation))


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
    """Chooses among a host's keys: of each kind the newest that the zone publishes. `published`: the TXT at a selector
    of the zone, now; `serial`: of the zone, so that it is asked once for each."""

    def __init__(
        self, seals: Sequence[Seal], published: Callable[[str], Sequence[str]], serial: Callable[[], int]
    ) -> None:
        self._seals = [(seal, seal.text, seal_key(seal.selector, seal.key)) for seal in seals]
        self._published = published
        self._serial = serial
        self._chosen: tuple[int, tuple[SealKey, ...]] = (-1, ())

    def keys(self) -> tuple[SealKey, ...]:
        """The keys to sign with now."""
        serial = self._serial()
        if self._chosen[0] != serial:
            self._chosen = serial, tuple(self._choose())
        return self._chosen[1]

    def _choose(self) -> Iterator[SealKey]:
        for kind in KINDS:
            mine = (row for row in self._seals if row[0].kind == kind)
            usable = (key for seal, text, key in mine if _same(self._published(seal.selector), text))
            yield from list(usable)[:1]


def _same(values: Sequence[str], text: str) -> bool:
    """RFC 6376 3.6.2.2: one record, or none counts. Someone may have written its tags with other spaces."""
    return len(values) == 1 and "".join(values[0].split()) == "".join(text.split())
