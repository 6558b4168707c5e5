"""Whose account is meant, and where it lives.

Law: names are judged here, before any host is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heliograph import exits
from heliograph.exits import CommandError

if TYPE_CHECKING:
    from directory.snapshot import Map
    from heliograph.configuration.settings import Config


def entity_of(config: Config, name: str) -> str:
    """A login name is ``alice`` or ``alice@D``."""
    from heliograph.location import NAMES_RULE
    from mail.address import is_entity

    entity = name.removesuffix(f"@{config.domain}")
    if not is_entity(entity):
        raise CommandError(exits.DATA, f"{name!r}: is no name for an account: {NAMES_RULE}")
    return entity


def owner_of(config: Config, entity: str, map_: Map = "timeline") -> str:
    """Return the host that owns an entity's timeline, or its reflector; it must be on this machine."""
    from heliograph.published import published_directory

    directory = published_directory(config)
    owner = directory.owner(map_, directory.names.bucket(entity))
    if not config.host_folder(owner).is_dir():
        text = f"{entity} belongs to {owner}, which is not on this machine: run this where {owner} runs"
        raise CommandError(exits.UNAVAILABLE, text)
    return owner
