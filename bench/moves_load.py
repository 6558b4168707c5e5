"""The people whose buckets go round in bench/moves.py: what they send, and what they find at the end.

Law: whatever is not taken is tried again, as a client does; a refusal for good is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import smtplib
import ssl
import time
from collections import Counter
from email.message import EmailMessage
from functools import partial
from typing import Protocol

from heliograph.configuration.settings import Config

PASSWORD = "correct horse"


class Place(Protocol):
    """The fabric, as clients see it."""

    config: Config

    def address(self, at: int) -> str: ...


class Load:
    """Posts of bob's, letters to alice, her flags and logins. What is not taken is tried again."""

    def __init__(self, fabric: Place) -> None:
        self._fabric, self.sent, self.going, self.refused = fabric, Counter[str](), True, 0

    async def run(self) -> None:
        number = 0
        while self.going:
            number += 1
            for to, what in (("bob@reflectors.fabric.test", "post"), ("alice@fabric.test", "letter")):
                await self.persist(partial(self._send, number, to, f"{what} {number}"))
                self.sent[f"{what} {number}"] += 1
            await self.persist(partial(self._flag, number))

    async def persist(self, action: partial[None]) -> None:
        while True:
            try:
                return await asyncio.to_thread(action)
            except smtplib.SMTPResponseException as said:
                self.refused += said.smtp_code >= 500
                await asyncio.sleep(0.02)
            except smtplib.SMTPRecipientsRefused as said:
                self.refused += any(code >= 500 for code, _ in said.recipients.values())
                await asyncio.sleep(0.02)
            except (OSError, smtplib.SMTPException, imaplib.IMAP4.error):
                await asyncio.sleep(0.02)

    def _send(self, number: int, to: str, subject: str) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "bob@fabric.test", to, subject
        message["Message-ID"], message["Date"] = f"<{subject.replace(' ', '.')}@x>", "Sat, 1 Aug 2026 10:00:00 +0000"
        message.set_content(subject)
        context = ssl.create_default_context(cafile=str(self._fabric.config.tls.ca))
        context.check_hostname = False
        with smtplib.SMTP_SSL(
            self._fabric.address(number), self._fabric.config.ports.submissions, context=context, timeout=20
        ) as client:
            client.login("bob", PASSWORD)
            client.send_message(message)

    def _flag(self, number: int) -> None:
        with imap(self._fabric, number) as client:
            client.select("INBOX")
            client.store("1", "+FLAGS", f"(k{number % 50})")


@contextlib.contextmanager
def imap(fabric: Place, at: int):  # type: ignore[no-untyped-def]
    client = imaplib.IMAP4(fabric.address(at), fabric.config.ports.imap, timeout=20)
    try:
        client.login("alice", PASSWORD)
        yield client
    finally:
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            client.logout()


def follow(fabric: Place) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = (
        "alice@fabric.test",
        "bob+subscribe@reflectors.fabric.test",
        "x",
    )
    context = ssl.create_default_context(cafile=str(fabric.config.tls.ca))
    context.check_hostname = False
    with smtplib.SMTP_SSL(fabric.address(0), fabric.config.ports.submissions, context=context, timeout=20) as client:
        client.login("alice", PASSWORD)
        client.send_message(message)
    while True:
        with imap(fabric, 0) as client:
            if int(client.select("INBOX", readonly=True)[1][0] or 0):
                return
        time.sleep(0.05)


def read(fabric: Place) -> Counter[str]:
    with imap(fabric, 0) as client:
        client.select("INBOX", readonly=True)
        _, rows = client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return Counter(row[1].decode().partition(": ")[2].strip() for row in rows if isinstance(row, tuple))
