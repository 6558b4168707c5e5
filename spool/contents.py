"""Messages ready for the wire, made once for all their destinations.

Law: bounded memory. Small messages are kept for a while; large ones are read in a thread, a few at a time, and let go.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mail.ascii_header import ascii_header
from mail.headers import drop_headers, header_block
from mail.sevenbit import has_long_lines, to_seven_bits
from mail.signature import TRUSTED_PREFIX, carries_fabric_fields
from spool.letter import Content, normal, prepare
from spool.queue import Message, message
from spool.runner_settings import Settings
from spool.stamp import Departing, Stamp
from store import Bodies, Reader, Store

INSIDE, ABROAD, ABROAD_IN_ASCII = range(3)
Form = tuple[int, str]  # and for which sort of mailbox the stamp is asked


class Unstamped:
    """What leaves without a stamp leaves at least without our own fields. The signature goes with the fields that it
    vouches for: whoever has it could add them again and be believed."""

    def __call__(self, content: bytes, about: Message, sort: str) -> Departing:
        if carries_fabric_fields(content):
            content = drop_headers(content, ("dkim-signature",), prefix=TRUSTED_PREFIX)
        return Departing(content)

    def sort(self, mailbox: str) -> str:
        return ""


class Contents:
    """Reads and prepares queued messages."""

    def __init__(self, store: Store, settings: Settings, stamp: Stamp) -> None:
        self._store = store
        self._stamp = stamp
        self._settings = settings
        self._kept: OrderedDict[tuple[int, Form], Content] = OrderedDict()
        self._octets = 0
        # Strangers that take their time with large mail wait for each other; the hosts of the fabric wait for none.
        self._large_inside = asyncio.Semaphore(settings.large_at_once)
        self._large_abroad = asyncio.Semaphore(settings.large_at_once)

    def form_for(self, abroad: bool, eightbit: bool, mailbox: str) -> Form:
        """In which form a message goes to a mailbox by a host that does, or does not, take eight-bit mail. Ours all
        do."""
        if not abroad:
            return INSIDE, ""
        return ABROAD if eightbit else ABROAD_IN_ASCII, self._stamp.sort(mailbox)

    @asynccontextmanager
    async def of(self, about: Message, form: Form) -> AsyncIterator[Content | None]:
        """Lend a message; None where it was dropped meanwhile."""
        content = self._kept.get((about.id, form)) or self._read(about, form)
        if content is not None:
            yield content
            return
        async with self._large_inside if form[0] == INSIDE else self._large_abroad:
            yield await self._store.read(lambda reader: self._read_large(reader, about, form))

    def _read(self, about: Message, form: Form) -> Content | None:
        """Read a small message right here: quicker than a thread would hear of it."""
        found = Bodies.read_small(self._store.reader, about.body, self._settings.large_octets)
        if found is None:
            return None
        content = self._prepared(found, about, form)
        self._keep((about.id, form), content)
        return content

    def _keep(self, key: tuple[int, Form], content: Content) -> None:
        self._kept[key] = content
        self._octets += len(content.wire)
        while self._octets > self._settings.cache_octets_max:
            _, gone = self._kept.popitem(last=False)
            self._octets -= len(gone.wire)

    def _read_large(self, reader: Reader, about: Message, form: Form) -> Content | None:
        try:
            return self._prepared(Bodies.read(reader, about.body), about, form)
        except KeyError:
            if message(reader, about.id) is None:
                return None
            raise

    def _prepared(self, content: bytes, about: Message, form: Form) -> Content:
        way, sort = form
        if way == INSIDE:
            return prepare(content)
        content = normal(content)
        if not about.smtputf8 and not (block := header_block(content)).isascii():
            content = ascii_header(block) + content[len(block) :]  # nobody declared it, so no host need take it
        if (way == ABROAD_IN_ASCII and not content.isascii()) or has_long_lines(content):
            content = to_seven_bits(content) or content  # what cannot be made so is refused with the reason
        departing = self._stamp(content, about, sort)
        return prepare(departing.content, departing.front, departing.back)
