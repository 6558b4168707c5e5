"""AUTH PLAIN and LOGIN (RFC 4954, RFC 4616), asked of the Door without blocking anybody else.

Law: a password is in no log line and no reply; a failure costs the client time (from elsewhere than loopback), and
after a few of them the connection.
"""

from __future__ import annotations

import asyncio
import binascii
import logging
from base64 import b64decode
from typing import Any, Protocol

from mail.loopback import is_loopback
from mail.outcome import Deferred, Delivered
from spool import replies
from spool.door import Door, Session
from spool.replies import printable, reply_of
from spool.smtp_settings import Settings

log = logging.getLogger("heliograph.smtp")

MECHANISMS = ("PLAIN", "LOGIN")
USERNAME_OCTETS_MAX = 320  # local part, @ and domain at their largest
PASSWORD_OCTETS_MAX = 1024  # more would only be work for the hash

SUCCESS = "235 2.7.0 Welcome"
INVALID = "535 5.7.8 Wrong name or password"
UNREADABLE = "501 5.5.2 Cannot read that"


class Client(Protocol):
    """The one who signs in, as far as signing in needs to know."""

    guest: Session
    sign_in_failures: int

    async def push(self, status: str) -> None: ...

    async def challenge_auth(self, challenge: str) -> Any: ...


class SignIn:
    """aiosmtpd's handler object: it takes AUTH over before any of aiosmtpd's own mechanisms runs."""

    def __init__(self, door: Door, settings: Settings) -> None:
        self._door, self._settings = door, settings

    async def handle_AUTH(self, client: Client, session: Any, envelope: Any, args: list[str]) -> str | None:
        """Return the reply, or None where it was said already (aiosmtpd's contract)."""
        asked = await (_plain(client, args) if args[0] == "PLAIN" else _login(client, args))
        if asked is None:
            return None
        username, password = asked
        if not username or len(username.encode()) > USERNAME_OCTETS_MAX or len(password) > PASSWORD_OCTETS_MAX:
            return await self._failed(client, username)
        outcome = await self._door.authenticate(client.guest, username, password)
        if isinstance(outcome, Deferred):
            return reply_of(Deferred(outcome.text, 454)).decode().rstrip()
        if not isinstance(outcome, Delivered):
            return await self._failed(client, username)
        session.authenticated = True
        log.info("signed in peer=%s entity=%s", client.guest.peer, printable(client.guest.entity))
        return SUCCESS

    async def _failed(self, client: Client, username: str) -> str:
        client.sign_in_failures += 1
        log.info("sign-in failed peer=%s username=%s", client.guest.peer, printable(username))
        if not is_loopback(client.guest.peer):
            await asyncio.sleep(self._settings.sign_in_delay_seconds)
        if client.sign_in_failures >= self._settings.sign_in_failures_max:
            return replies.TOO_MANY_SIGN_INS.decode().rstrip()
        return INVALID


async def _plain(client: Client, args: list[str]) -> tuple[str, bytes] | None:
    blob = await _response(client, args, "")
    if blob is None:
        return None
    parts = blob.split(b"\0")
    if len(parts) != 3:
        await client.push(UNREADABLE)
        return None
    authorize, username, password = parts
    if authorize not in (b"", username):  # nobody here acts as somebody else (RFC 4616 2)
        return "", b""
    return await _readable(client, username, password)


async def _login(client: Client, args: list[str]) -> tuple[str, bytes] | None:
    username = await _response(client, args, "Username:")
    password = None if username is None else await _response(client, [], "Password:")
    if username is None or password is None:
        return None
    return await _readable(client, username, password)


async def _response(client: Client, args: list[str], challenge: str) -> bytes | None:
    """Return an initial response, or what the client answers to a challenge; None: refused, and told so."""
    if len(args) < 2:
        answer = await client.challenge_auth(challenge)
        return answer if isinstance(answer, bytes) else None
    if args[1] == "=":  # RFC 4954 4: an empty initial response
        return b""
    try:
        return b64decode(args[1], validate=True)
    except (binascii.Error, ValueError):
        await client.push(UNREADABLE)
        return None


async def _readable(client: Client, username: bytes, password: bytes) -> tuple[str, bytes] | None:
    try:
        return username.decode(), password
    except UnicodeDecodeError:
        await client.push(UNREADABLE)
        return None
