"""LMTP (RFC 2033): SMTP between one's own machines, with a reply for each recipient.

Law: after the message there are exactly as many replies as RCPTs were answered 250, in their order, whatever became of
it (RFC 2033 4.2). aiosmtpd's own LMTP says one.
"""

from __future__ import annotations

from mail.outcome import Outcome
from spool.replies import reply_of
from spool.smtp_server import SmtpServer


class LmtpServer(SmtpServer):
    """A session of the role lmtp."""

    async def smtp_LHLO(self, hostname: str) -> None:
        if self._greeted("LHLO", hostname):
            self.say(self._extensions())

    def conclude(self, outcome: Outcome, count: int) -> None:
        """The Door answers for all recipients together; that is what each of them hears."""
        self.say(reply_of(outcome), count)
