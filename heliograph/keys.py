"""A host's secrets on disk: the seed of its Ed25519 key, and the key of its tokens. Each 32 octets, in base64.

Law: they are made once, by init, and readable by the host's user only.
"""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from heliograph.configuration.settings import Config
from heliograph.toml_table import ConfigError

HOST_KEY = "host.key"
TOKEN_KEY = "token.key"
KEY_OCTETS = 32


def read_key(config: Config, host: str, name: str = HOST_KEY) -> bytes:
    """Read one of a host's secrets; ConfigError where it is missing or not one."""
    path = config.host_folder(host) / name
    try:
        key = base64.b64decode(path.read_bytes().strip(), validate=True)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}: bring the host's key back from a backup") from None
    except ValueError:
        key = b""
    if len(key) != KEY_OCTETS:
        raise ConfigError(f"{path}: is not 32 octets in base64: bring the host's key back from a backup")
    return key


def key_text(key: bytes) -> bytes:
    """Write a secret as its file holds it."""
    return base64.b64encode(key) + b"\n"


def public_key(seed: bytes) -> bytes:
    """Return the public key of a seed, as the zone publishes it."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
