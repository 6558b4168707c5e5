"""A mailbox elsewhere, tried once before it is kept: whoever types its password hears at once what is wrong.

Law: the same way in as the host's, with the same limits; nothing is kept.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from heliograph.configuration.settings import Config
from ingest.fetched import Failed
from ingest.guard import system_lookup
from ingest.mailboxes.client import Client
from ingest.mailboxes.connecting import Ways, connect, trusted
from ingest.mailboxes.place import Place
from ingest.mailboxes.said import No
from ingest.mailboxes.visit import let_in
from ingest.mailboxes.wire import Broken


def why_not(config: Config, place: Place, password: bytes) -> str:
    """Return why a folder cannot be read, or ""."""
    return asyncio.run(_tried(config, place, password))


async def _tried(config: Config, place: Place, password: bytes) -> str:
    with ThreadPoolExecutor(1) as threads:
        ways = Ways(system_lookup, threads, config.feeds.allow_networks, trusted(config.feeds.mailbox_authorities))
        wire = await connect(ways, place.host, place.port)
    if isinstance(wire, Failed):
        return wire.reason
    client = Client(wire)
    try:
        failed = await let_in(client, place.user, password)
        if failed is None and not (await client.examine(place.folder)).validity:
            return "the server gives its messages no lasting numbers"
        await client.close()
        return failed.reason if failed else ""
    except (No, Broken) as error:
        return f"the folder cannot be opened: {error}"
    finally:
        client.drop()
