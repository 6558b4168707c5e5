"""One client's connection, on aiosmtpd: its lifetime, its clock, what comes in and what goes out.

Law: the hot commands (MAIL, RCPT, RSET, NOOP) are answered where their packet arrives, without a coroutine, and what
one packet asked is answered by one write (RFC 2920); everything else is aiosmtpd's coroutine per session. Nobody
cancels a session: a client that goes away ends its input, and a message being committed is committed.

What stands in for aiosmtpd 1.4.6 here: its reply to a fault ("500" with our insides in it), cancelling at FIN, reading
line by line, one write per reply, timers that a dripping client resets, and limits that it lacks.
"""

from __future__ import annotations

import asyncio
import logging
from typing import AnyStr, cast

from aiosmtpd.smtp import SMTP

from spool import replies
from spool.answers import Answers
from spool.door import Session
from spool.intake import OVERLONG, Intake
from spool.lobby import Entrance, is_loopback
from spool.mail_transaction import MailTransaction
from spool.replies import outcome_of_fault, printable, reply_of, with_status
from spool.session_clock import SessionClock
from spool.smtp_auth import SignIn
from spool.smtp_settings import ASKED_MAX, COMMAND_OCTETS_MAX

log = logging.getLogger("heliograph.smtp")

PRODUCT = "Heliograph"


class SmtpSession(SMTP):
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
        self._answers = Answers()
        self._errors = self._idle_commands = 0
        self._farewell = b""
        self._is_lingering = False
        self._is_at_commands = False
        self.is_committing = False
        self._last_call: asyncio.TimerHandle | None = None

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        self.guest.peer = str(peer[0]) if peer else ""
        self.guest.tls = transport.get_extra_info("sslcontext") is not None
        self._auth_require_tls = not (self.guest.tls or is_loopback(self.guest.peer))
        self.entrance.came(self)
        self.clock.start(self.settings.command_seconds_max)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Answer at once while the session waits for commands, and wake it only for what needs waiting."""
        if self._is_lingering:
            return
        self.intake.feed(data)
        if not self._is_at_commands:
            self.intake.wake()
            return
        line = self._answer_hot()
        if line is not None or self._farewell:
            self.intake.unread(line or b"")
            self.intake.wake()
        elif self._write() and self._writer.transport.get_write_buffer_size():
            self.intake.wake()  # a client that reads no replies is waited for, not written to

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
        if reply.startswith(b"421"):
            self.dismiss(reply)
            return
        self._answers.add(reply, times)
        if reply.startswith(b"5") and not self.guest.host:
            self._errors += 1
            if self._errors >= self.settings.errors_max:
                self.dismiss(replies.TOO_MANY_ERRORS)

    async def push(self, status: AnyStr) -> None:
        """What aiosmtpd's own methods say."""
        self.say(with_status(status if isinstance(status, str) else status.decode()))

    def _write(self) -> bool:
        """Write all replies at once; tell whether there was any."""
        said = self._answers.take()
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
        if self._farewell:
            return
        self._farewell = farewell
        self.intake.end()
        self.clock.stop()
        if not self.is_committing:
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
            self.entrance.lobby.leave(self.guest.peer)
            self._hang_up()
            self.entrance.gone(self)

    def _hang_up(self) -> None:
        """Closing while the client is still sending would reset the connection, and it would never read why (RFC 1122
        4.2.2.13): so one that is sent away for what it sends gets a FIN, and a while to take the reply."""
        self._is_lingering = self._farewell in replies.SENT_AWAY and self._writer.can_write_eof()
        if self._is_lingering and self.transport is not None:
            self._resume()
            self._writer.write_eof()
        else:
            self._writer.close()

    async def _converse(self) -> None:
        while not self._farewell:
            await self.flush()
            self._is_at_commands = True
            if not await self.intake.more():
                break
            self._is_at_commands = False
            while (line := self._answer_hot()) is not None:
                await self._settle()
                if line:
                    await self._obey(line)
        self._is_at_commands = False
        self._answers.add(self._farewell)
        await self.flush()

    def _answer_hot(self) -> bytes | None:
        """Answer lines as far as that needs no waiting. Return the line that does, b"" to wait for recipients that
        are being asked about, or None when all is answered."""
        answered = False
        while not self._farewell and (line := self.intake.line()) is not None:
            answered = True
            verb, _, argument = line[:-2].partition(b" ")
            verb = verb.upper()
            if verb == b"RCPT" and line.endswith(b"\r\n") and len(line) <= COMMAND_OCTETS_MAX:
                if self._answers.asked >= ASKED_MAX:
                    self.intake.unread(line)
                    return b""
                self._rcpt(argument)
            elif self._answers.asked:
                self.intake.unread(line)
                return b""
            elif fault := _fault_of_line(line, verb):
                self.say(fault)
            elif not self._is_too_idle():
                if verb not in (b"MAIL", b"RSET", b"NOOP"):
                    return line
                self.say(self._hot_reply(verb, argument))
        if answered:
            self.clock.touch()
        return b"" if self._answers.asked else None

    def _rcpt(self, argument: bytes) -> None:
        answer = self.transaction.rcpt(argument.decode(errors="surrogateescape"))
        if isinstance(answer, bytes):
            self.say(answer)
        else:
            self._answers.add_later(answer)

    def _hot_reply(self, verb: bytes, argument: bytes) -> bytes:
        if verb == b"NOOP":
            return replies.OK
        if verb == b"RSET":
            if argument:
                return replies.NO_ARGUMENT
            self.transaction.reset()
            return replies.OK
        if not self.guest.helo:
            return replies.HELLO_FIRST % (b"LHLO" if self.guest.role == "lmtp" else b"EHLO")
        try:
            return self.transaction.mail(argument.decode(errors="surrogateescape"))
        except Exception as error:
            return self._reply_of_fault(error)

    def _is_too_idle(self) -> bool:
        """Count a command that is no RCPT; a fabric host that proved itself may probe as often as it likes."""
        self._idle_commands += 1
        if self._idle_commands <= self.settings.idle_commands_max or self.guest.host:
            return False
        self.dismiss(replies.TOO_MANY_COMMANDS)
        return True

    async def _settle(self) -> None:
        """Wait for the recipients that another host was asked about."""
        if self._answers.asked:
            self.clock.suspend()
            await self._answers.settle(self.say)
            self.clock.begin_phase(self.settings.command_seconds_max)

    async def _obey(self, line: bytes) -> None:
        verb, _, argument = line[:-2].partition(b" ")
        method = self._smtp_methods.get(verb.upper().decode("latin-1"))
        if method is None:
            self.say(replies.UNKNOWN)
            return
        try:
            await method(argument.decode(errors="surrogateescape").strip())
        except Exception as error:
            if self.transport is None:
                raise
            self.say((await self.handle_exception(error)).encode() + b"\r\n")

    async def handle_exception(self, error: Exception) -> str:
        """451, never 5xx, and nothing about our inside."""
        return self._reply_of_fault(error).decode().rstrip()

    def _reply_of_fault(self, error: Exception) -> bytes:
        log.error("fault peer=%s", self.guest.peer, exc_info=error)
        self.transaction.reset()
        return reply_of(outcome_of_fault(error))

    def earn(self) -> None:
        """A message was accepted: errors and idle commands are forgiven."""
        self._errors = self._idle_commands = 0


def _fault_of_line(line: bytes, verb: bytes) -> bytes | None:
    if line is OVERLONG or (len(line) > COMMAND_OCTETS_MAX and verb != b"AUTH"):
        return replies.OVERLONG_LINE
    return None if line.endswith(b"\r\n") else replies.BARE_LF
