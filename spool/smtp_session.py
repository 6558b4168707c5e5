"""One client's connection, on aiosmtpd: its lifetime, its clock, what comes in and what goes out.

Law: what can be answered at once is answered where its packet arrives, by one write (RFC 2920); for what needs waiting
there is aiosmtpd's coroutine per session. Nobody cancels a session: a client that goes away ends its input, and a
message being committed is committed.

What stands in for aiosmtpd 1.4.6 here: its reply to a fault ("500" with our insides in it), cancelling at FIN, reading
line by line, one write per reply, timers that a dripping client resets, and limits that it lacks.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import AnyStr, cast

from aiosmtpd.smtp import SMTP

from mail.loopback import is_loopback
from spool import replies
from spool.answers import Answers
from spool.door import Session
from spool.intake import Intake
from spool.lobby import Entrance
from spool.mail_transaction import MailTransaction
from spool.replies import outcome_of_fault, printable, reply_of, traced, with_status
from spool.session_clock import SessionClock
from spool.smtp_auth import SignIn

log = logging.getLogger("heliograph.smtp")

PRODUCT = "Heliograph"
_4XX, _5XX = b"45"

Due = Callable[[], Awaitable[None]]


class SmtpSession(SMTP, ABC):
    """The part below the commands. `guest` is what the Door knows of the client."""

    def __init__(self, entrance: Entrance) -> None:
        door, settings, role = entrance.door, entrance.settings, entrance.role
        super().__init__(
            SignIn(door, settings),
            data_size_limit=settings.message_octets_max,
            enable_SMTPUTF8=True,
            hostname=settings.hostname,
            ident=f"{'LMTP' if role == 'lmtp' else 'ESMTP'} {PRODUCT}",
            loop=asyncio.get_running_loop(),
        )
        self.entrance, self.door, self.settings = entrance, door, settings
        self.guest = Session(role=role, peer="")
        self.transaction = MailTransaction(door, settings, self.guest)
        self.sign_in_failures = 0
        self.intake = Intake(self._pause, self._resume)
        self.clock = SessionClock(self.loop, settings.idle_seconds_max, self._timed_out)
        self.answers = Answers()
        self.errors = 0
        self.farewell = b""
        self._is_lingering = False
        self._is_parked = False  # the coroutine waits for input, and is in the middle of nothing
        self._due: Due | None = None
        self._last_call: asyncio.TimerHandle | None = None

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        self.guest.peer = str(peer[0]) if peer else ""
        self.guest.front = self.guest.peer in self.settings.fronts
        self.guest.tls = transport.get_extra_info("sslcontext") is not None
        self._auth_require_tls = not (self.guest.tls or is_loopback(self.guest.peer))
        self.entrance.came(self)
        self.clock.start(self.settings.command_seconds_max)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Answer at once while the session is parked, and wake it only for what needs waiting."""
        if self._is_lingering:
            return
        self.intake.feed(data)
        if self._is_parked and self._due is None:
            self._due = self.advance()
            if self._due is None and not self.farewell:
                if self._write() and self._writer.transport.get_write_buffer_size():
                    self.intake.wake()  # a client that reads no replies is waited for, not written to
                return
        self.intake.wake()

    def eof_received(self) -> bool:
        """aiosmtpd cancels the session here, and with it a commit. Over plain TCP the client still gets its reply."""
        self.intake.end()
        return not (self.guest.tls or self._is_lingering)

    def connection_lost(self, error: Exception | None) -> None:
        """Not aiosmtpd's own, which cancels the session."""
        super(SMTP, self).connection_lost(error)
        self.transport = None
        self.clock.stop()
        if self._last_call:
            self._last_call.cancel()
        self.intake.end()

    def _pause(self) -> None:
        self._readable.pause_reading()

    def _resume(self) -> None:
        if self.transport is not None:
            self._readable.resume_reading()

    @property
    def _readable(self) -> asyncio.ReadTransport:
        return cast(asyncio.ReadTransport, self._writer.transport)

    def _reset_timeout(self, duration: float | None = None) -> None:
        """aiosmtpd's timer, which any octet of a command resets, stays off: `clock` stands in."""

    def _timed_out(self) -> None:
        log.info("timed out peer=%s", self.guest.peer)
        self.dismiss(replies.TIMED_OUT)

    # What goes out.

    def say(self, reply: bytes, times: int = 1) -> None:
        """Add a reply to what the next write sends. 421 says good-bye; too many 5xx do as well."""
        if reply[0] == _5XX and not self.guest.host:
            self.errors += 1
            if self.errors >= self.settings.errors_max:
                self.answers.add(reply, times)
                self.dismiss(replies.TOO_MANY_ERRORS)
                return
        elif reply[0] == _4XX and reply.startswith(b"421"):
            self.dismiss(reply)
            return
        self.answers.add(reply, times)

    async def push(self, status: AnyStr) -> None:
        """What aiosmtpd's own methods say."""
        self.say(with_status(status if isinstance(status, str) else status.decode()))

    def _write(self) -> bool:
        """Write all replies at once; tell whether there was any."""
        said = self.answers.take()
        if said and self.transport is not None:
            self._writer.write(said)
        return bool(said)

    async def flush(self) -> None:
        """Write, and wait while the client does not read."""
        self._write()
        if self.transport is not None:
            await self._writer.drain()

    def dismiss(self, farewell: bytes) -> None:
        """End the session with this reply, after what is being done; a client that does not take it is cut off."""
        if self.farewell:
            return
        self.farewell = farewell
        self.intake.end()
        self.clock.stop()
        self._last_call = self.loop.call_later(self.settings.close_seconds_max, self.abort)

    def abort(self) -> None:
        if self.transport is not None:
            self._writer.transport.abort()

    # The session.

    async def _handle_client(self) -> None:
        refusal = self.entrance.lobby.enter(self.guest.peer)
        try:
            if refusal:
                log.info("sent away peer=%s: %s", self.guest.peer, printable(refusal.decode().rstrip()))
                self.dismiss(refusal)
            else:
                self.say(f"220 {self.hostname} {self.__ident__}\r\n".encode())
            await self._converse()
        except ConnectionError:
            log.info("connection lost peer=%s", self.guest.peer)
        finally:
            self.forget_message()
            self.entrance.lobby.leave(self.guest.peer)
            self._hang_up()
            self.entrance.gone(self)

    def _hang_up(self) -> None:
        """Closing while the client is still sending would reset the connection, and it would never read why (RFC 1122
        4.2.2.13): so one that is sent away for what it sends gets a FIN, and a while to take the reply."""
        self._is_lingering = self.farewell in replies.SENT_AWAY and self._writer.can_write_eof()
        if self._is_lingering and self.transport is not None:
            self._resume()
            self._writer.write_eof()
        else:
            self._writer.close()

    @abstractmethod
    def forget_message(self) -> None:
        """Let go of a message that was begun."""

    async def _converse(self) -> None:
        while not self.farewell:
            await self.flush()
            self._is_parked = True
            if self._due is None and not await self.intake.more() and self._due is None:
                break
            self._is_parked = False
            while (due := self._due or self.advance()) is not None:
                self._due = None
                await due()
        self._is_parked = False
        self.answers.add(self.farewell)
        await self.flush()

    @abstractmethod
    def advance(self) -> Due | None:
        """Answer what came as far as that needs no waiting. Return what is due and does, or None."""

    async def handle_exception(self, error: Exception) -> str:
        """451, never 5xx, and nothing about our inside."""
        return self.reply_of_fault(error).decode().rstrip()

    def reply_of_fault(self, error: Exception) -> bytes:
        log.error("fault peer=%s: %r", self.guest.peer, error, exc_info=traced(error))
        self.transaction.reset()
        return reply_of(outcome_of_fault(error))
