"""The few commands of IMAP that reading a folder takes (RFC 3501, RFC 2177), over a wire.

Law: nothing over there is changed: the folder is opened by EXAMINE and messages are read by BODY.PEEK. Each command
has its time; what a server says is read for what was asked, and anything else in it is passed over.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
from collections.abc import Awaitable, Iterable
from typing import TypeVar

from ingest.mailboxes.place import quoted, written
from ingest.mailboxes.said import (
    Folder,
    No,
    arrival_of,
    body_of,
    capabilities_of,
    exists_of,
    folder_of,
    found_by,
    is_done,
    is_news,
    size_of,
    uid_of,
)
from ingest.mailboxes.wire import Broken, Response, TooLarge, Wire

T = TypeVar("T")

COMMAND_SECONDS_MAX = 30.0
OCTETS_PER_SECOND_MIN = 100_000  # of a large message, beyond that; a look has its own time, too
ANSWER_OCTETS_MAX = 1_000_000  # to what is no message
HEADER_OCTETS_MAX = 65_536
FAREWELL_SECONDS_MAX = 2.0


class Client:
    """One connection, from the greeting to its end. `seconds`: for each answer."""

    def __init__(self, wire: Wire, seconds: float = COMMAND_SECONDS_MAX) -> None:
        self._wire, self._seconds = wire, seconds
        self._number = 0
        self._capabilities: frozenset[bytes] = frozenset()
        self._opened_with = self._exists = 0  # messages of the folder, when it was opened and as was told last

    @property
    def can_idle(self) -> bool:
        return b"IDLE" in self._capabilities

    @property
    def has_news(self) -> bool:
        """Whether the server has told of more messages since the folder was opened, amid its answers: it says so once
        (RFC 3501 7), and not again in IDLE."""
        return self._exists > self._opened_with

    async def greet(self) -> None:
        """Hear the greeting, and what the server can do."""
        self._wire.allow(ANSWER_OCTETS_MAX)
        said = (await self._in_time(self._wire.response())).text
        if not said.upper().startswith((b"* OK", b"* PREAUTH")):
            raise No(said.removeprefix(b"* ").partition(b" ")[2])
        await self._learn([Response((said,))])

    async def log_in(self, user: str, password: bytes) -> None:
        """RFC 4616 carries any octets; LOGIN is for servers that know nothing else."""
        if b"AUTH=PLAIN" in self._capabilities:
            token = base64.b64encode(b"\0" + user.encode() + b"\0" + password)
            answer = await self._ask(b"AUTHENTICATE PLAIN", then=token)
        elif b"LOGINDISABLED" in self._capabilities:
            raise No(b"[AUTHENTICATIONFAILED] it takes no password over this connection")
        elif re.search(rb"[\x00\r\n\x80-\xff]", password) or not user.isascii():
            raise No(b"[AUTHENTICATIONFAILED] it takes nothing but ASCII as user name and password")
        else:
            answer = await self._ask(b"LOGIN " + quoted(user) + b" " + quoted(password.decode("ascii")))
        await self._learn(answer)  # RFC 3501 6.2.2: others than before

    async def examine(self, folder: str) -> Folder:
        """Open a folder to be read only."""
        answer = await self._ask(b"EXAMINE " + written(folder))
        found = folder_of(answer)
        self._opened_with = self._exists = found.exists
        return found

    async def uids(self, first: int, last: int) -> list[int]:
        """Return which of these numbers there are, in order."""
        found = await self._search(b"UID %d:%d" % (first, last))
        return [uid for uid in found if first <= uid <= last]

    async def uids_since(self, day: str) -> list[int]:
        """Return the numbers of what came on a day (``7-Nov-2026``) or later, in order."""
        return await self._search(b"SINCE " + day.encode())

    async def newest(self, exists: int, count: int) -> list[int]:
        """Return the numbers of the last messages of a folder."""
        answer = await self._ask(b"FETCH %d:%d (UID)" % (max(1, exists - count + 1), exists))
        return sorted(filter(None, map(uid_of, answer)))

    async def sizes(self, uids: Iterable[int]) -> dict[int, int]:
        """Return the sizes of those messages that are still there."""
        numbers = b",".join(b"%d" % uid for uid in uids)
        answer = await self._ask(b"UID FETCH " + numbers + b" (UID RFC822.SIZE)")
        return {uid: size_of(each) for each in answer if (uid := uid_of(each))}

    async def arrivals(self, uids: Iterable[int]) -> dict[int, float]:
        """Return when those messages came that are still there."""
        numbers = b",".join(b"%d" % uid for uid in uids)
        answer = await self._ask(b"UID FETCH " + numbers + b" (UID INTERNALDATE)")
        return {uid: arrival_of(each) for each in answer if (uid := uid_of(each))}

    async def message(self, uid: int, octets_max: int) -> bytes | None:
        """Return a message, None where it is gone. Raise TooLarge: the connection has ended, then."""
        seconds = self._seconds + octets_max / OCTETS_PER_SECOND_MIN
        return await self._body(uid, b"BODY.PEEK[]", octets_max, seconds)

    async def header(self, uid: int) -> bytes:
        """Return the fields of a message by which a person knows it."""
        wanted = b"BODY.PEEK[HEADER.FIELDS (FROM SUBJECT DATE)]"
        return await self._body(uid, wanted, HEADER_OCTETS_MAX, self._seconds) or b""

    async def wait(self, bell: asyncio.Event, seconds: float) -> None:
        """Wait in IDLE until the server has news, the bell rings, or time is up."""
        tag = self._tag()
        self._wire.allow(ANSWER_OCTETS_MAX)
        await self._wire.send(tag + b" IDLE")
        await self._in_time(self._until_continued(tag))
        heard = asyncio.ensure_future(self._until_news(tag))
        rung = asyncio.ensure_future(bell.wait())
        try:
            await asyncio.wait((heard, rung), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            await self._wire.send(b"DONE")
            if not await self._in_time(heard):
                await self._in_time(self._until_done(tag))
        finally:
            for each in (heard, rung):
                each.cancel()
            await asyncio.gather(heard, rung, return_exceptions=True)

    async def close(self) -> None:
        """Take leave; who does not hear it is left all the same."""
        with contextlib.suppress(Broken, No):
            await self._ask(b"LOGOUT", seconds=FAREWELL_SECONDS_MAX)
        self._wire.close()

    def drop(self) -> None:
        """End the connection at once."""
        self._wire.close()

    # --- how it is said

    def _tag(self) -> bytes:
        self._number += 1
        return b"h%d" % self._number

    async def _ask(
        self, command: bytes, *, then: bytes = b"", octets_max: int = 0, seconds: float = 0.0
    ) -> list[Response]:
        """Give a command and return what answers it. `then`: what is said when the server asks for more."""
        tag = self._tag()
        self._wire.allow(octets_max + ANSWER_OCTETS_MAX)
        await self._wire.send(tag + b" " + command)
        if then:
            await self._in_time(self._until_continued(tag))
            await self._wire.send(then)
        return await self._in_time(self._until_done(tag), seconds)

    async def _until_done(self, tag: bytes) -> list[Response]:
        answer: list[Response] = []
        while True:
            response = await self._wire.response()
            answer.append(response)
            self._exists = exists_of(response) or self._exists
            if is_done(tag, response):
                return answer

    async def _until_continued(self, tag: bytes) -> None:
        while not (response := await self._wire.response()).text.startswith(b"+"):
            if is_done(tag, response):
                raise Broken("the server does not let us go on")

    async def _until_news(self, tag: bytes) -> bool:
        """True if the server ended IDLE by itself."""
        while True:
            response = await self._wire.response()
            if is_done(tag, response):
                return True
            if is_news(response):
                return False

    async def _search(self, what: bytes) -> list[int]:
        return found_by(await self._ask(b"UID SEARCH " + what))

    async def _body(self, uid: int, item: bytes, octets_max: int, seconds: float) -> bytes | None:
        answer = await self._ask(b"UID FETCH %d (UID %s)" % (uid, item), octets_max=octets_max, seconds=seconds)
        found = next((body for each in answer if uid_of(each) == uid and (body := body_of(each)) is not None), None)
        if found is not None and len(found) > octets_max:
            raise TooLarge("the server sends more than was asked for")
        return found

    async def _learn(self, answer: list[Response]) -> None:
        self._capabilities = capabilities_of(answer) or capabilities_of(await self._ask(b"CAPABILITY"))

    async def _in_time(self, work: Awaitable[T], seconds: float = 0.0) -> T:
        try:
            async with asyncio.timeout(seconds or self._seconds):
                return await work
        except TimeoutError:
            raise Broken("the server did not answer in time") from None
