"""``heliograph where``: from an entity to its bucket, hosts and addresses.

Law: it answers by the zone alone; whether the entity exists, only its host knows.
"""

from __future__ import annotations

import click

from heliograph import exits
from heliograph.commands.frame import config_of, json_option, say
from heliograph.exits import CommandError


@click.command()
@click.argument("entity")
@json_option
@click.pass_context
def where(context: click.Context, entity: str) -> None:
    """Tell where ENTITY lives: an account, a source (of another fabric: bob=other.example), or a foreign address."""
    from heliograph.location import locate
    from heliograph.published import published_directory

    config = config_of(context)
    answer = locate(published_directory(config), _id(config.names.local_entity(entity), entity))
    lines = [
        f"{answer['entity']} is in bucket {answer['bucket']} (zone {answer['serial']})",
        f"  timeline    {answer['timeline_host']:<12} {answer.get('timeline', '')}".rstrip(),
        f"  reflector   {answer['reflectors_host']:<12} {answer.get('reflector_inside', '')}".rstrip(),
    ]
    say(answer, "\n".join(lines))


def _id(local: str, text: str) -> str:
    """What is hashed: an entity's ID, a mirror's name, or a foreign address with its domain in lower case."""
    from mail.address import BadAddress, is_entity, mirrored, parse_address

    if local or is_entity(text) or mirrored(text):
        return local or text
    try:
        return str(parse_address(text))
    except BadAddress as bad:
        raise CommandError(exits.DATA, f"{text!r}: is neither an entity's name nor an address: {bad}") from None
