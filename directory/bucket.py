"""From an entity's ID to its virtual bucket.

Law: the hash is a wire format (``alice`` -> 1280413405); it never changes, nor does a fabric's count of buckets.
"""

from __future__ import annotations

import mmh3


def hash_of(entity: str) -> int:
    """Return MurmurHash3 x86 32 of the ID as UTF-8, seed 0, unsigned."""
    return mmh3.mmh3_32_uintdigest(entity.encode())


def bucket_of(entity: str, buckets: int) -> int:
    """Return the bucket, 0 <= bucket < buckets. A foreign address hashes as ``local@lowercased-domain``."""
    return hash_of(entity) % buckets
