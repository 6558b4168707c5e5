"""One mail transaction after the other: MAIL, RCPT ..., DATA (RFC 5321 3.3), without any socket.

Law: MAIL and RCPT are answered at once wherever the Door answers at once; a transaction ends with its message, a
fault, RSET or a new greeting, and leaves nothing behind.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable

from mail.outcome import Deferred, Delivered, Outcome, Refused
from spool import replies
from spool.door import Door, Envelope, RcptTo, Session
from spool.replies import outcome_of_fault, printable, reply_of, traced
from spool.smtp_commands import RcptCommand, parse_mail, parse_rcpt
from spool.smtp_settings import Settings

log = logging.getLogger("heliograph.smtp")

UNREADABLE = Delivered("2.6.0 Ok, not readable and dropped")


class MailTransaction:
    """The transaction of one session, open (`envelope` is set) or not. `accepted`: how many RCPTs were answered 250."""

    def __init__(self, door: Door, settings: Settings, session: Session) -> None:
        self._door, self._settings, self._session = door, settings, session
        self.reset()

    def reset(self) -> None:
        """End it. What a server in front told of its client (XFORWARD) ends with it, or the next message would be taken
        for the same client's: Postfix tells nothing of its own mail."""
        self._close()
        self._session.client = self._session.client_helo = ""

    def _close(self) -> None:
        self.envelope: Envelope | None = None
        self.accepted = 0
        self._tried = False
        self._asked = 0
        self._put_off = 0
        self._known: set[str] = set()

    def mail(self, argument: str) -> bytes:
        if self.envelope is not None:
            return replies.NESTED_MAIL
        if self._session.role == "submission" and not self._session.entity:
            return replies.SIGN_IN_FIRST
        command = parse_mail(argument)
        if isinstance(command, Refused):
            return self._refuse(command, argument)
        if command.size > self._settings.message_octets_max:
            too_large = Refused(f"5.3.4 Message over {self._settings.message_octets_max} octets", 552)
            return self._refuse(too_large, argument)
        outcome = self._door.sender(self._session, command.sender)
        if not isinstance(outcome, Delivered):
            return self._refuse(outcome, argument)
        sender = str(command.sender) if command.sender else ""
        self.envelope = Envelope(
            sender, [], command.envid, command.ret, eightbit=command.eightbit, smtputf8=command.smtputf8
        )
        return replies.SENDER_OK

    def rcpt(self, argument: str) -> bytes | Awaitable[bytes]:
        """Answer RCPT; awaitable where the Door must ask. Never raises: one recipient's fault is not another's."""
        envelope = self.envelope
        if envelope is None:
            return replies.MAIL_FIRST
        if self.accepted + self._asked >= self._settings.recipients_max:
            return self._too_many()
        self._tried = True
        command = parse_rcpt(argument, self._settings.domain, envelope.smtputf8)
        if isinstance(command, Refused):
            return self._refuse(command, argument)
        try:
            outcome = self._door.recipient(self._session, envelope, command.address)
        except Exception as error:
            return self._fault(error, argument)
        if isinstance(outcome, Delivered):
            return self._take(envelope, command)
        if isinstance(outcome, (Deferred, Refused)):
            return self._decline(outcome, argument)
        self._asked += 1
        return self._ask(envelope, command, outcome, argument)

    def data_refusal(self) -> bytes | None:
        """Tell why DATA cannot come now."""
        if self.envelope is None:
            return replies.MAIL_FIRST
        if not self.accepted:
            return replies.NO_VALID_RECIPIENTS if self._tried else replies.RCPT_FIRST
        return None

    async def deliver(self, content: bytes | Refused | Deferred) -> Outcome:
        """Hand the message over; it is durable when this returns Delivered. Ends the transaction."""
        envelope, count = self.envelope, self.accepted
        assert envelope is not None
        self._close()
        outcome: Outcome
        if isinstance(content, bytes):
            envelope.eightbit = envelope.eightbit or not content.isascii()
            try:
                outcome = await self._door.accept(self._session, envelope, content)
            except Exception as error:
                outcome = self._log_fault(error)
        elif isinstance(content, Refused) and self._session.front and self._session.role == "lmtp":
            outcome = UNREADABLE  # refused, it would go back to whomever it names: the server in front has taken it
        else:
            outcome = content
        self.reset()
        if log.isEnabledFor(logging.INFO):
            self._log_message(envelope, count, len(content) if isinstance(content, bytes) else 0, outcome)
        return outcome

    async def _ask(self, envelope: Envelope, command: RcptCommand, answer: Awaitable[Outcome], argument: str) -> bytes:
        try:
            outcome = await answer
        except Exception as error:
            return self._fault(error, argument)
        finally:
            self._asked -= 1
        return self._take(envelope, command) if isinstance(outcome, Delivered) else self._decline(outcome, argument)

    def _take(self, envelope: Envelope, command: RcptCommand) -> bytes:
        """A recipient named twice is one recipient (but LMTP owes a reply for each, RFC 2033 4.2)."""
        address = str(command.address)
        self.accepted += 1
        if address not in self._known:
            self._known.add(address)
            envelope.recipients.append(RcptTo(address, command.notify, command.orcpt))
        return replies.RECIPIENT_OK

    def _decline(self, outcome: Outcome, argument: str) -> bytes:
        if isinstance(outcome, Deferred):
            self._put_off += 1
        reply = self._refuse(outcome, argument)
        return replies.TOO_MANY_ERRORS if self._is_flooded else reply

    def _too_many(self) -> bytes:
        """RFC 5321 4.5.3.1.10: 452, and the client sends the rest later; one that just goes on is in error."""
        self._put_off += 1
        return replies.TOO_MANY_ERRORS if self._is_flooded else replies.TOO_MANY_RECIPIENTS

    @property
    def _is_flooded(self) -> bool:
        """Tell whether more was put off than one transaction holds. 421 loses no recipient, a 5xx would."""
        return self._put_off > self._settings.recipients_max

    def _fault(self, error: Exception, argument: str) -> bytes:
        return self._decline(self._log_fault(error), argument)

    def _log_fault(self, error: Exception) -> Deferred:
        log.error("fault peer=%s: %r", self._session.peer, error, exc_info=traced(error))
        return outcome_of_fault(error)

    def _refuse(self, outcome: Outcome, argument: str) -> bytes:
        reply = reply_of(outcome)
        if log.isEnabledFor(logging.INFO):
            self._log_refusal(reply, argument)
        return reply

    def _log_refusal(self, reply: bytes, argument: str) -> None:
        log.info(
            "refused peer=%s role=%s helo=%s sender=%s %s: %s",
            self._session.peer,
            self._session.role,
            printable(self._session.helo),
            printable(self.envelope.sender) if self.envelope else "",
            printable(argument),
            printable(reply.decode().rstrip()),
        )

    def _log_message(self, envelope: Envelope, count: int, size: int, outcome: Outcome) -> None:
        log.info(
            "message peer=%s role=%s helo=%s entity=%s sender=%s recipients=%d octets=%d: %s",
            self._session.peer,
            self._session.role,
            printable(self._session.helo),
            self._session.entity,
            printable(envelope.sender),
            count,
            size,
            printable(f"{outcome.code} {outcome.text}"),
        )
