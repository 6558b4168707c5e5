"""From an entity to its bucket, hosts and addresses.

Law: the zone alone answers; whether the entity exists, only its host knows.
"""

from __future__ import annotations

from typing import Any

from directory.snapshot import Directory
from mail.address import is_entity, mirrored

NAMES_RULE = (
    "1 to 30 of a-z, 0-9, dot, underscore and hyphen, a letter or digit first, no '-request' at the end, "
    "and none of the operator's names (postmaster, abuse, follow ...)"
)


def locate(directory: Directory, entity: str) -> dict[str, Any]:
    """Tell the bucket of an entity (or foreign address), the hosts that own it, and its addresses."""
    names = directory.names
    bucket = names.bucket(entity)
    answer: dict[str, Any] = {
        "entity": entity,
        "bucket": bucket,
        "timeline_host": directory.owner("timeline", bucket),
        "reflectors_host": directory.owner("reflectors", bucket),
        "serial": directory.serial,
    }
    if is_entity(entity):
        answer |= {"person": names.person(entity), "timeline": names.timeline(entity)}
    if is_entity(entity) or mirrored(entity):
        answer |= {"reflector": names.reflector(entity), "reflector_inside": names.reflector_inside(entity)}
    return answer
