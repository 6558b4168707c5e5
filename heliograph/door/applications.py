"""Whether an application's token opens its source, and who may say so.

Law: as with passwords (login.py), the owner of the source's reflector judges; any other host asks it over a stream, and
says "try again" where it cannot be asked. Nothing is remembered, so that a token that was taken back opens nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, unquote

from directory.names import Name, Reflector
from directory.snapshot import Directory
from heliograph.streams import Streams
from ingest import applications
from ingest.applications import Application
from mail.address import is_entity
from mail.outcome import Deferred, Refused
from mailbox_host.imap import Throttle
from store import Store

PURPOSE = "application"
ANSWER_SECONDS_MAX = 10.0
LINE_OCTETS_MAX = 4_096  # a name, a token, a key and a digest, or an owner and a title
KNOWN_MAX = 10_000  # applications that post through one host
BURST_POSTS = 60  # at once, of one application through one host; then
POSTS_PER_SECOND = 1.0  # a busy monitor; each post may go to every follower

NO = Refused("5.7.8 authentication failed: check the name and the token", 535)
AWAY = Deferred("4.3.0 the host of this source cannot be reached, try again later", 454)
USED = Refused("5.6.0 this key was used for another post", 550)


@dataclass(frozen=True, slots=True)
class Key:
    """What a post is known by, should it come again (at most 64 printable characters), and a digest of its octets."""

    key: str
    digest: str


Judged = Application | Deferred | Refused


class Applications:
    """Checks tokens for submission and HTTPS on one host."""

    def __init__(
        self,
        owns: Callable[[Name], bool],
        store: Store,
        directory: Callable[[], Directory],
        streams: Streams,
        throttle: Throttle,
        clock: Callable[[], float],
    ) -> None:
        self._owns, self._store, self._directory, self._streams = owns, store, directory, streams
        self._throttle, self._clock = throttle, clock
        self._posted: dict[str, tuple[float, float]] = {}  # name -> (posts left, when)

    async def check(self, name: str, token: str, client: str, key: Key | None = None) -> Judged:
        """Judge a token and a key. `client`: its address; who guesses waits."""
        account = f"application {name}"
        judged: Judged = AWAY
        try:
            await asyncio.sleep(self._throttle.attempt(client, account, self._clock()))
            judged = await self._judged(name, token, key)
        finally:
            if judged == AWAY:
                self._throttle.undecided(client, account)
            elif judged != NO:
                self._throttle.succeeded(client, account)
        return judged

    def wait(self, name: str) -> float:
        """Count a post; return the seconds that it comes too early, 0 for none."""
        now = self._clock()
        left, at = self._posted.pop(name, (float(BURST_POSTS), now))
        left = min(BURST_POSTS, left + (now - at) * POSTS_PER_SECOND)
        wait = 0.0 if left >= 1 else (1 - left) / POSTS_PER_SECOND
        self._posted[name] = (left if wait else left - 1, now)
        if len(self._posted) > KNOWN_MAX:
            del self._posted[next(iter(self._posted))]
        return wait

    async def handle_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: str) -> None:
        """Answer another host: one line, ``NAME TOKEN KEY DIGEST``, each "-" where it has none."""
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            name, token, key, digest = (await reader.readuntil(b"\r\n"))[:LINE_OCTETS_MAX].decode("ascii").split()
            known = Key(unquote(key), digest) if digest != "-" else None  # a key may be "-"
            judged = await self._judged_here(name, token, known) if self._is_here(name) else AWAY
            writer.write(_written(judged))
            await writer.drain()

    async def _judged(self, name: str, token: str, key: Key | None) -> Judged:
        if not is_entity(name) or not applications.is_token(token):
            return NO
        if self._is_here(name):
            return await self._judged_here(name, token, key)
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                return await self._asked(name, token, key)
        except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError):
            return AWAY

    async def _judged_here(self, name: str, token: str, key: Key | None) -> Judged:
        found = applications.opened_by(self._store.reader, name, token)
        if found is None:
            return NO
        if key is None:
            return found
        now = self._clock()
        claim = await self._store.write(lambda tx: applications.claim_key(tx, name, key.key, key.digest, now))
        return found if claim else USED

    async def _asked(self, name: str, token: str, key: Key | None) -> Judged:
        directory = self._directory()
        owner = directory.owner("reflectors", directory.names.bucket(name))
        reader, writer = await self._streams.open(owner, PURPOSE)
        with contextlib.closing(writer):
            known = f"{quote(key.key, safe='')} {key.digest}" if key else "- -"
            writer.write(f"{name} {token} {known}\r\n".encode())
            await writer.drain()
            return _read(name, (await reader.readuntil(b"\r\n")).decode("ascii").split())

    def _is_here(self, name: str) -> bool:
        return self._owns(Reflector(name, "", self._directory().names.bucket(name)))


def _written(judged: Judged) -> bytes:
    if isinstance(judged, Application):
        return f"ok {judged.owner} {quote(judged.title, safe='') or '-'}\r\n".encode()
    return b"used\r\n" if judged == USED else b"no\r\n" if judged == NO else b"later\r\n"


def _read(name: str, words: list[str]) -> Judged:
    match words:
        case ["ok", owner, title]:
            return Application(name, owner, "" if title == "-" else unquote(title))
        case ["used"]:
            return USED
        case ["no"]:
            return NO
    return AWAY
