"""A host's key as its record has it.

Law: what cannot be read is no key, and an empty one revokes.
"""

from __future__ import annotations

import base64
import binascii

KEY_OCTETS = 32  # an Ed25519 public key


def _tags(value: str) -> dict[str, str]:
    return {tag.strip(): text.strip() for tag, _, text in (part.partition("=") for part in value.split(";"))}


def is_key(value: str) -> bool:
    """Tell whether a record at a key's place is meant as a key: an empty ``p=`` revokes (RFC 6376 3.6.1)."""
    return _tags(value).get("p") != ""


def read_key(value: str) -> bytes | None:
    """``v=DKIM1; k=ed25519; p=BASE64`` -> 32 octets (RFC 8463 4), or None."""
    tags = _tags(value)
    try:
        key = base64.b64decode("".join(tags.get("p", "").split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    wanted = tags.get("v", "DKIM1") == "DKIM1" and tags.get("k") == "ed25519" and len(key) == KEY_OCTETS
    return key if wanted else None
