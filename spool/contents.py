"""Messages ready for the wire, made once for all their destinations.

Law: bounded memory. Small messages are kept for a while; large ones are read in a thread, a few at a time, and let go.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mail.headers import drop_headers
from mail.signature import TRUSTED_PREFIX, carries_fabric_fields
from spool.letter import Content, prepare
from spool.queue import Message, message
from spool.runner_settings import Settings
from store import Bodies, Reader, Store


class Contents:
    """Reads and prepares queued messages."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._kept: OrderedDict[tuple[int, bool], Content] = OrderedDict()
        self._octets = 0
        self._large = asyncio.Semaphore(settings.large_at_once)

    @asynccontextmanager
    async def of(self, about: Message, abroad: bool) -> AsyncIterator[Content | None]:
        """Lend a message, without our own fields if it goes `abroad`; None where it was dropped meanwhile."""
        content = self._kept.get((about.id, abroad)) or self._read(about, abroad)
        if content is not None:
            yield content
            return
        async with self._large:
            yield await self._store.read(lambda reader: _read_large(reader, about, abroad))

    def _read(self, about: Message, abroad: bool) -> Content | None:
        """Read a small message right here: quicker than a thread would hear of it."""
        found = Bodies.read_small(self._store.reader, about.body, self._settings.large_octets)
        if found is None:
            return None
        content = _prepared(found, abroad)
        self._keep((about.id, abroad), content)
        return content

    def _keep(self, key: tuple[int, bool], content: Content) -> None:
        self._kept[key] = content
        self._octets += len(content.wire)
        while self._octets > self._settings.cache_octets_max:
            _, gone = self._kept.popitem(last=False)
            self._octets -= len(gone.wire)


def _read_large(reader: Reader, about: Message, abroad: bool) -> Content | None:
    try:
        return _prepared(Bodies.read(reader, about.body), abroad)
    except KeyError:
        if message(reader, about.id) is None:
            return None
        raise


def _prepared(content: bytes, abroad: bool) -> Content:
    if abroad and carries_fabric_fields(content):
        # The signature goes with the fields that it vouches for: whoever has it could add them again and be believed.
        content = drop_headers(content, ("dkim-signature",), prefix=TRUSTED_PREFIX)
    return prepare(content)
