"""What a feed is called as a source of the fabric.

Law: the name is an entity's ID, made of the title (or the host) for people and six characters of the canonical
address's hash, so that two feeds of one title are two sources.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata

from ingest.urls import Url
from mail.address import is_entity

SLUG_CHARACTERS_MAX = 23  # with a dash and six characters of hash: 30, an entity's most
HASH_CHARACTERS = 6
_NOT_PLAIN = re.compile(r"[^a-z0-9]+")
_TOO_SHORT = 3


def source_name(title: str, url: Url, attempt: int = 0) -> str:
    """Return the name. `attempt` makes another one, where the first is taken by another feed."""
    salt = f"{url.text}\0{attempt}" if attempt else url.text
    digest = base64.b32encode(hashlib.blake2b(salt.encode(), digest_size=5).digest()).decode().lower()
    name = f"{slug(title, url.host)}-{digest[:HASH_CHARACTERS]}"
    return name if is_entity(name) else f"feed-{digest[:HASH_CHARACTERS]}"


def slug(title: str, host: str) -> str:
    """Return a readable beginning: of the title in plain letters, or else of the host."""
    for text in (title, host.removeprefix("www.")):
        found = plain(text)
        if len(found) >= _TOO_SHORT:
            return found
    return "feed"


def plain(text: str) -> str:
    """Write a text as the beginning of a name: plain letters and digits, a dash for all else."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _NOT_PLAIN.sub("-", letters).strip("-")[:SLUG_CHARACTERS_MAX].rstrip("-")
